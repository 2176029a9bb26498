"""From a record to a typed row: validate, repair and quarantine, in an embedded DuckDB."""
