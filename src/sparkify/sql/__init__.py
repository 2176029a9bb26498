"""All SQL, and what is known about it without a connection: tables, views, their text and columns."""
