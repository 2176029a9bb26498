"""The run: list, stage, publish, check, record. The only package where staging and warehouse meet."""
