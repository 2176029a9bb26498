"""Quote identifiers and text for SQL that cannot bind parameters."""


def quoted(name: str) -> str:
    """Return an identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Return text as a string literal."""
    return "'" + value.replace("'", "''") + "'"
