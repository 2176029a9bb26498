"""A run: list, stage, publish, check, record. Staging and warehouse meet only here."""
