"""All SQL text, and the model of tables and views. Nothing here needs a connection."""
