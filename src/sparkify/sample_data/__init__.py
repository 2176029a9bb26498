"""A synthetic catalogue and event logs, reproducible by seed."""
