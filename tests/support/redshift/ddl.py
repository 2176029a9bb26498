"""Tables, views and schemas: Redshift's definitions, and those that the real server gets instead.

Sources: the pages "CREATE TABLE", "CREATE TABLE AS", "ALTER TABLE", "CREATE VIEW", "CREATE SCHEMA" and "Data types".
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.redshift.protocol import Refusal
from tests.support.redshift.tokens import Reader, Token, syntax_error
from tests.support.redshift.vocabulary import ENCODINGS, RESERVED, SYSTEM_COLUMNS, TYPES

_WIDEST = {"varchar": 65535, "char": 4096}  # bytes ("Character types")
_WIDTHS = {
    "varchar": "256", "nvarchar": "256", "text": "256", "bpchar": "256", "char": "1", "character": "1", "nchar": "1",
}  # fmt: skip
"""Bytes of a column whose width is not given ("Character types")."""
_CHECK = "varchar bytes"


def qualified(names: Sequence[str]) -> str:
    """Return a name, quoted."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def numeric(precision: int, scale: int = 0) -> str:
    """Return NUMERIC with a precision of at most 38 and a scale of at most 37 ("Numeric types")."""
    if not 1 <= precision <= 38:
        raise Refusal(f"DECIMAL precision {precision} must be between 1 and 38", "22023")
    if not 0 <= scale <= min(precision, 37):
        raise Refusal(f"DECIMAL scale {scale} must be between 0 and precision {precision}", "22023")
    return f"numeric({precision},{scale})"


def create_table(tokens: Sequence[Token], text: str) -> str:
    """CREATE TABLE, or CREATE TABLE AS when no column has a type ("CREATE TABLE", "CREATE TABLE AS")."""
    reader = Reader(tokens)
    reader.expect("create")
    reader.skips("local")
    is_temporary = reader.skips_any("temp", "temporary")
    reader.expect("table")
    may_exist = reader.skips("if", "not", "exists")
    first = reader.next
    names = _new_name(reader)
    if names[-1].startswith("#"):  # Such a name is that of a temporary table.
        is_temporary = True
    if is_temporary and len(names) > 1:
        raise Refusal("temporary tables may not specify a schema name", "42P16")
    start = f"create {'temp ' if is_temporary else ''}table {'if not exists ' if may_exist else ''}{qualified(names)}"
    body = reader.group() if reader.sees("(") else []
    if body and body[0].word == "like":
        return f"{start} ({_like(Reader(body))})"
    columns = [_column_name(part) for part in _split(body)]
    definitions = _split(body)
    is_query = not body or all(len(part) == 1 for part in definitions)
    keyed = [part[0].name for part in definitions if any(token.word == "distkey" for token in part[1:])]
    _attributes(reader, None if is_query else columns, keyed)
    if is_query:
        # CREATE TABLE AS has no IF NOT EXISTS, and its attributes precede AS.
        if may_exist:
            raise syntax_error(first)
        reader.expect("as")
        query = reader.rest()
        if not query:
            raise syntax_error(None)
        listed = f" ({qualified(columns).replace('.', ', ')})" if columns else ""
        return f"{start}{listed} as {_folded(query, text)}"
    reader.end()
    keys = _keys(definitions)
    made = [_column(part, text, keys) for part in definitions if not _is_constraint(part)]
    return f"{start} ({', '.join(made)})"


def create_view(tokens: Sequence[Token], text: str) -> str:
    """CREATE [OR REPLACE] VIEW name [(columns)] AS query [WITH NO SCHEMA BINDING]; never temporary ("CREATE VIEW")."""
    reader = Reader(tokens)
    reader.expect("create")
    replaces = reader.skips("or", "replace")
    reader.expect("view")
    names = _new_name(reader)
    columns = reader.names() if reader.sees("(") else []
    reader.expect("as")
    query = reader.rest()
    if [token.word for token in query[-4:]] == ["with", "no", "schema", "binding"]:
        query = query[:-4]
    if not query:
        raise syntax_error(None)
    listed = f" ({', '.join(qualified([column]) for column in columns)})" if columns else ""
    return f"create {'or replace ' if replaces else ''}view {qualified(names)}{listed} as {_folded(query, text)}"


def create_schema(tokens: Sequence[Token], text: str) -> str:
    """CREATE SCHEMA [IF NOT EXISTS] name [AUTHORIZATION user] ("CREATE SCHEMA")."""
    reader = Reader(tokens)
    reader.expect("create", "schema")
    reader.skips("if", "not", "exists")
    _new_name(reader)
    if reader.skips("authorization"):
        reader.take("word", "quoted")
    reader.end()
    return _folded(tokens, text)


def alter_table(tokens: Sequence[Token], text: str) -> str:
    """ALTER TABLE: one column added, dropped, renamed or, if a VARCHAR, widened; the table renamed ("ALTER TABLE")."""
    reader = Reader(tokens)
    reader.expect("alter", "table")
    table = qualified(reader.table())
    if reader.skips("rename", "to"):
        name = _new_name(reader)
        reader.end()
        return f"alter table {table} rename to {qualified(name)}"
    if reader.sees("rename"):
        return _folded(tokens, text)
    if reader.skips("add"):
        reader.skips("column")
        return f"alter table {table} add column {_column(reader.rest(), text, frozenset())}"
    if reader.skips("drop"):
        reader.skips("column")
        column = reader.take("word", "quoted").name
        reader.skips_any("cascade", "restrict")
        reader.end()
        return f"alter table {table} drop column {qualified([column])}"
    reader.expect("alter", "column")
    column = reader.take("word", "quoted").name
    reader.expect("type")
    kind, width = _type(reader)
    reader.end()
    if kind != "varchar":
        raise Refusal(f'cannot alter type of column "{column}": only the size of a VARCHAR can be changed', "0A000")
    # The old check remains on a wide column: the stand-in knows only the name of the new one.
    return (
        f"alter table {table} alter column {qualified([column])} type varchar({width}), add {_held_to(column, width)}"
    )


def width_in(constraint: str) -> str | None:
    """Return the width in bytes in the name of a failed check of the real server, or None."""
    return constraint[len(_CHECK) + 1 :].partition(" ")[0] if constraint.startswith(f"{_CHECK} ") else None


def _new_name(reader: Reader) -> list[str]:
    """Read the name of a new object, which must not be a reserved word, unless it is quoted ("Reserved words")."""
    token = reader.next
    names = reader.table()
    if token is not None and token.kind == "word" and token.word in RESERVED:
        raise syntax_error(token)
    return names


def _split(body: Sequence[Token]) -> list[list[Token]]:
    """Split the tokens in parentheses at commas."""
    parts: list[list[Token]] = [[]] if body else []
    depth = 0
    for token in body:
        depth += {"(": 1, ")": -1}.get(token.word, 0)
        if token.word == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _is_constraint(part: Sequence[Token]) -> bool:
    return bool(part) and part[0].word in {"primary", "unique", "foreign", "constraint", "check", "exclude"}


def _column_name(part: Sequence[Token]) -> str:
    if not part:
        raise syntax_error(None)
    if _is_constraint(part):
        _constraint(Reader(part))
        return ""
    return part[0].name


def _constraint(reader: Reader) -> None:
    """Read a table's constraint: keys are accepted and not enforced; CHECK and EXCLUDE do not exist."""
    if reader.skips("constraint"):
        reader.take("word", "quoted")
    if reader.skips("foreign", "key"):
        reader.names()
        _references(reader)
    else:
        if not reader.skips("primary", "key"):
            reader.expect("unique")
        reader.names()
    reader.end()


def _references(reader: Reader) -> None:
    reader.expect("references")
    reader.table()
    if reader.sees("("):
        reader.names()


def _like(reader: Reader) -> str:
    """Read LIKE parent [{INCLUDING | EXCLUDING} DEFAULTS]: widths and NOT NULL are copied, keys are not."""
    reader.expect("like")
    parent = qualified(reader.table())
    has_defaults = reader.skips("including", "defaults")
    reader.skips("excluding", "defaults")
    reader.end()
    return f"like {parent} including constraints{' including defaults' if has_defaults else ''}"


def _keys(definitions: Sequence[Sequence[Token]]) -> frozenset[str]:
    """Return the columns of the primary key, which are not null, and need not be unique."""
    found: set[str] = set()
    for part in definitions:
        reader = Reader(part)
        if reader.skips("constraint"):
            reader.take()
        if reader.skips("primary", "key"):
            found.update(reader.names())
    return frozenset(found)


def _column(part: Sequence[Token], text: str, keys: frozenset[str]) -> str:
    """Return a column for the real server: without keys, encodings and distribution, with widths in bytes."""
    reader = Reader(part)
    token = reader.take("word", "quoted")
    name = token.name
    if (token.kind == "word" and name in RESERVED) or name in SYSTEM_COLUMNS:
        raise syntax_error(token)
    kind, width = _type(reader)
    made = [qualified([name]), f"{kind}({width})" if width else kind]
    is_required = name in keys
    while reader.next is not None:
        if reader.skips("not", "null") or reader.skips("primary", "key"):
            is_required = True
        elif reader.skips("default"):
            made.append(f"default {_default(reader, text)}")
        else:
            _let_go(reader)
    if is_required:
        made.append("not null")
    if kind == "varchar":
        # Widths are in bytes ("Character types").
        made.append(_held_to(name, width))
    return " ".join(made)


def _let_go(reader: Reader) -> None:
    """Read an attribute of a column that the real server does not have."""
    if reader.skips("encode"):
        reader.one_of(sorted(ENCODINGS))
    elif reader.skips("collate"):
        reader.one_of(("case_sensitive",))  # CASE_INSENSITIVE is Redshift's too, and not here
    elif reader.sees("references"):
        _references(reader)
    elif reader.sees("identity") or reader.sees("generated"):
        raise Refusal("the stand-in has no IDENTITY columns", "0A000")
    elif not reader.skips_any("null", "unique", "distkey", "sortkey"):
        raise syntax_error(reader.next)


def _held_to(column: str, width: str) -> str:
    name = qualified([f"{_CHECK} {width} {column}"])
    return f"constraint {name} check (octet_length({qualified([column])}) <= {width})"


def _default(reader: Reader, text: str) -> str:
    start = reader.take()
    end = start
    if start.word == "(":
        raise syntax_error(start)
    if reader.sees("("):
        reader.group()
        end = reader.take() if reader.sees("::") else end
        raise Refusal("the stand-in takes a literal or a keyword as a default", "0A000")
    return text[start.start : end.end]


def _type(reader: Reader) -> tuple[str, str]:
    """Read a type; return what it is on the real server, and its width or precision ("Data types")."""
    token = reader.take("word", "quoted")
    written = token.word
    if written == "character" and reader.skips("varying"):
        written = "varchar"
    if written == "double":
        reader.expect("precision")
    kind = TYPES.get(written)
    if kind is None:
        raise Refusal(f'type "{token.name}" does not exist', "42704")
    if reader.sees("["):
        raise Refusal(f'Column type "{token.name}[]" is not supported', "0A000")
    given = [argument.word or argument.text for argument in reader.group()] if reader.sees("(") else []
    if kind in ("timestamp", "time"):
        reader.skips("without", "time", "zone")
        if reader.skips("with", "time", "zone"):
            kind += "tz"
    if kind == "numeric":
        # Without precision and scale, DECIMAL is (18, 0) ("Numeric types").
        return numeric(int(given[0]) if given else 18, int(given[2]) if len(given) > 2 else 0), ""
    if kind in _WIDEST:
        return kind, _width(kind, given[0] if given else _WIDTHS[written])
    if given:
        raise syntax_error(token)
    return kind, ""


def _width(kind: str, given: str) -> str:
    """Return the width of VARCHAR or CHAR in bytes ("Character types": MAX, and how wide each can be)."""
    width = _WIDEST[kind] if given == "max" else int(given)
    if not 1 <= width <= _WIDEST[kind]:
        raise Refusal(f"length for type {kind} cannot exceed {_WIDEST[kind]}", "22023")
    return str(width)


def _attributes(reader: Reader, columns: Sequence[str] | None, keys: Sequence[str]) -> None:
    """Read and check a table's attributes: BACKUP, DISTSTYLE, DISTKEY, SORTKEY, ENCODE AUTO ("CREATE TABLE").

    The columns are None for CREATE TABLE AS, whose query makes them; the keys are those marked DISTKEY among them.
    """
    style = ""
    keys = list(keys)
    while reader.next is not None and not reader.sees("as"):
        if reader.skips("backup"):
            reader.one_of(("yes", "no"))
        elif reader.skips("diststyle"):
            style = reader.one_of(("auto", "even", "key", "all"))
        elif reader.skips("distkey"):
            keys += _existing(reader, columns)
        elif reader.skips("encode", "auto") or reader.skips("sortkey", "auto"):
            continue
        else:
            most = 8 if reader.skips("interleaved") else 400
            reader.skips("compound")
            reader.expect("sortkey")
            if len(_existing(reader, columns)) > most:
                raise Refusal(f"Maximum number of sort keys ({most}) exceeded", "54011")
    if len(keys) > 1:
        raise Refusal("multiple distribution keys are not allowed", "42P16")
    if style == "key" and not keys:
        raise Refusal("DISTSTYLE KEY requires a DISTKEY column", "42P16")
    if keys and style not in ("", "key"):
        raise Refusal(f"DISTSTYLE {style.upper()} and DISTKEY cannot both be specified", "42P16")


def _existing(reader: Reader, columns: Sequence[str] | None) -> list[str]:
    names = reader.names()
    for name in names:
        if columns is not None and name not in columns:
            raise Refusal(f'column "{name}" named in key does not exist', "42703")
    return names


def _folded(tokens: Sequence[Token], text: str) -> str:
    """Return a part of a statement, its quoted names in lower case."""
    pieces, at = [], tokens[0].start
    for token in tokens:
        if token.kind == "quoted":
            pieces += [text[at : token.start], token.text.lower()]
            at = token.end
    return "".join(pieces) + text[at : tokens[-1].end]
