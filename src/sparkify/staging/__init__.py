"""Turn records into typed rows: validate, repair and quarantine them in an embedded DuckDB."""
