"""Load song metadata and app event logs into a checked star schema."""

__version__ = "0.1.0"
