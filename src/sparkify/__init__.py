"""Song metadata and app event logs become a checked star schema: the same rows, however they arrive."""

__version__ = "0.1.0"
