"""The warehouses that the pipeline fills. They store and answer; they never read a source file."""
