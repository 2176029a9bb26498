"""List source files, open them, and split them into records: bytes only, no SQL."""
