"""Where the JSON comes from: list files, open them, and cut them into records. Bytes only, no SQL."""
