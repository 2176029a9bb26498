"""The warehouses that the pipeline fills. They store rows and answer queries, and never read a source file."""
