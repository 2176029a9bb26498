"""What Redshift refuses in any statement: names, clauses, words, types, functions and windows that it does not have.

Every rule names the page of Redshift's Database Developer Guide that it comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.support.redshift import ddl, vocabulary
from tests.support.redshift.protocol import Refusal
from tests.support.redshift.tokens import Reader, Token, syntax_error, words
from tests.support.redshift.vocabulary import FUNCTIONS, LEADER_ONLY, NOT_CALLS, RESERVED, TYPES


def names(tokens: Sequence[Token]) -> None:
    """Refuse names of over 127 bytes, and ``pg_temp``.

    "Names and identifiers"; "CREATE TABLE" (TEMPORARY: the schema of temporary tables has no name to give). Names of
    64 to 127 bytes are Redshift's, but the real server would cut them.
    """
    for token in tokens:
        if token.name == "pg_temp":
            raise Refusal('schema "pg_temp" does not exist', "3F000")
        if len(token.name.encode()) > 63:
            raise Refusal(f'the stand-in cannot hold the name "{token.name}": over 63 bytes', "42622")


def system_tables(tokens: Sequence[Token]) -> None:
    """Refuse STL and STV views on Serverless ("Monitoring queries and workloads with Amazon Redshift Serverless")."""
    for token in tokens:
        if token.name.startswith(("stl_", "stv_", "svl_")):
            raise Refusal(f"permission denied for relation {token.name}", "42501")


def _clauses(tokens: Sequence[Token]) -> None:
    """Refuse clauses of PostgreSQL that Redshift's syntax does not have.

    "INSERT" (no ON CONFLICT), "INSERT", "UPDATE", "DELETE" (no RETURNING), "SELECT" (no DISTINCT ON, FILTER, LATERAL,
    FOR UPDATE, TABLESAMPLE, FETCH FIRST), "Unsupported PostgreSQL features" (VALUES as a table).
    """
    for at, token in enumerate(tokens):
        if token.word not in _SUSPECTS:
            continue
        ahead = words(tokens, at, 3)
        refused = (
            ahead[:2] in {("on", "conflict"), ("distinct", "on"), ("for", "update"), ("for", "share")}
            or token.word in {"returning", "lateral", "tablesample"}
            or ahead[:2] in {("filter", "("), ("from", "only"), ("with", "ordinality")}
            or ahead == ("from", "(", "values")
            or ahead[:2] in {("fetch", "first"), ("fetch", "next")}
        )
        if refused:
            raise syntax_error(token)


_SUSPECTS = frozenset(
    {"on", "distinct", "for", "returning", "lateral", "tablesample", "filter", "from", "with", "fetch"}
)


def _operators(tokens: Sequence[Token]) -> None:
    """Refuse IS DISTINCT FROM ("Unsupported PostgreSQL functions") and subscripts ("… features")."""
    for at, token in enumerate(tokens):
        if token.word == "is" and "distinct" in words(tokens, at + 1, 2):
            raise Refusal("IS DISTINCT FROM is not supported", "0A000")
        if token.word == "[" or (token.word.startswith("reg") and tokens[at - 1].word == "::"):
            raise syntax_error(token)


def _reserved(tokens: Sequence[Token]) -> None:
    """Refuse a reserved word as a name, unless it is quoted ("Reserved words").

    Seen in the places where only a name can stand: after AS (but in a cast) and after a dot. And the words that
    PostgreSQL does not reserve, wherever they are not the keyword that they are reserved for.
    """
    types = _casts(tokens)
    for at, token in enumerate(tokens):
        if token.kind != "word" or token.word not in RESERVED - {"oid"}:  # it names a column of the catalog tables
            continue
        before, after = tokens[at - 1].word if at else "", words(tokens, at + 1, 1)
        named = before == "." or (before == "as" and at not in types and token.word not in {"select", "with"})
        is_keyword = (
            token.word in _ANYWHERE or before in _BEFORE.get(token.word, ()) or after in _AFTER.get(token.word, ())
        )
        if named or (token.word in _ONLY_REDSHIFT and not is_keyword):
            raise syntax_error(token)


_ANYWHERE = frozenset({"interval", "minus", "sysdate", "timestamp"})
"""Reserved words that an expression or a query may contain."""
_BEFORE = {"top": ("select",), "nulls": ("ignore", "respect")}
"""Word → the words before it where it is a keyword."""
_AFTER = {
    "partition": (("by",),), "nulls": (("first",), ("last",)), "ignore": (("nulls",),), "respect": (("nulls",),),
}  # fmt: skip
"""Word → the words after it where it is a keyword."""
_ONLY_REDSHIFT = RESERVED & vocabulary.listed(
    """
    aes128 aes256 allowoverwrite az64 backup blanksasnull bytedict bzip2 credentials current_user_id deflate defrag
    delta delta32k disable emptyasnull enable encode encrypt encryption explicit globaldict256 globaldict64k gzip
    identity ignore interval language lun luns lzo lzop minus mostly16 mostly32 mostly8 new nulls off offline old
    open parallel partition percent permissions raw readratio recover rejectlog resort respect restore snapshot sysdate
    system tag tdes text255 text32k timestamp top truncatecolumns wallet
    """
)


def _casts(tokens: Sequence[Token]) -> frozenset[int]:
    """Return the places of the types in casts: after AS, in parentheses that CAST opens."""
    opened: list[bool] = []
    found = set()
    for at, token in enumerate(tokens):
        if token.word == "(":
            opened.append(at > 0 and tokens[at - 1].word in {"cast", "try_cast"})
        elif token.word == ")" and opened:
            opened.pop()
        elif token.word == "as" and opened and opened[-1]:
            found.add(at + 1)
    return frozenset(found)


def _types(tokens: Sequence[Token]) -> None:
    """Refuse a cast to an undocumented type ("Data types") or a NUMERIC of over 38 digits ("Numeric types")."""
    casts = _casts(tokens)
    for at, token in enumerate(tokens):
        if at in casts or (at and tokens[at - 1].word == "::"):
            if token.word not in TYPES and token.word not in {"interval", "super"}:
                raise Refusal(f'type "{token.name}" does not exist', "42704")
            if token.word in {"numeric", "decimal"} and words(tokens, at + 1, 1) == ("(",):
                ddl.numeric(int(tokens[at + 2].text))


def _functions(tokens: Sequence[Token]) -> None:
    """Refuse a function that the documentation does not list ("SQL functions reference").

    Not only those of "Unsupported PostgreSQL functions": that page warns that a function which runs need not be
    supported.
    """
    for at, token in enumerate(tokens[:-1]):
        if tokens[at + 1].word != "(" or token.kind != "word" or not _is_call(tokens, at):
            continue
        if token.word not in FUNCTIONS and token.word not in TYPES:
            raise Refusal(f"function {token.word}() does not exist", "42883")


def _is_call(tokens: Sequence[Token], at: int) -> bool:
    before = tokens[at - 1].word if at else ""
    if tokens[at].word in NOT_CALLS or before in {"into", "table", "view", "references", "as", "update"}:
        return False
    return not (before in {"with", "recursive", ","} and _closes_before_as(tokens, at + 1))


def _closes_before_as(tokens: Sequence[Token], at: int) -> bool:
    """Return whether the parentheses that open here hold the columns of a WITH query."""
    reader = Reader(tokens[at:])
    return all(token.kind != "string" for token in reader.group()) and reader.sees("as", "(")


def _windows(tokens: Sequence[Token]) -> None:
    """Refuse a window without parentheses, and an aggregate's ordered window without a frame in ROWS.

    "Window function syntax summary": with ORDER BY, an aggregate (FIRST_VALUE, LAST_VALUE and NTH_VALUE too, say
    their pages) needs an explicit frame clause; frames count ROWS only; there is no WINDOW clause.
    """
    for at, token in enumerate(tokens):
        if token.word != "over":
            continue
        window = [inner.word for inner in Reader(tokens[at + 1 :]).group()]
        if {"range", "groups", "exclude"} & set(window):
            raise syntax_error(token)
        if "order" in window and "rows" not in window and _called_before(tokens, at) not in _FRAMELESS:
            raise Refusal("Aggregate window functions with an ORDER BY clause require a frame clause", "42P20")


_FRAMELESS = frozenset(
    {
        "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "ratio_to_report",
        "median", "percentile_cont", "percentile_disc",
    }
)  # fmt: skip


def _called_before(tokens: Sequence[Token], at: int) -> str:
    """Return the function whose call ends before OVER."""
    depth = 0
    while at:
        at -= 1
        depth += {")": 1, "(": -1}.get(tokens[at].word, 0)
        if not depth and tokens[at].word == "(":
            return tokens[at - 1].word
    return ""


def _leader_node(tokens: Sequence[Token]) -> None:
    """Refuse functions of the leader node together with tables of the compute nodes.

    "SQL functions supported on the leader node": a query of a leader node-only function that references a user's
    table or a system table (STL, STV, SVL, SVV) returns an error. The same is held here against catalog tables (PG_…,
    information_schema) in one query with a user's table: the page says where each runs, not what happens. Catalog
    tables beside system tables are taken: the support's own query for locks joins SVV_TRANSACTIONS with PG_CLASS
    ("How do I detect and release locks in Amazon Redshift?").
    """
    referenced = {
        tokens[at + 1].name
        for at, token in enumerate(tokens[:-1])
        if token.word in {"from", "join", "into", "update", "using"} and tokens[at + 1].name
    }
    in_extract = {at + 2 for at, token in enumerate(tokens) if token.word in {"extract", "trim", "substring"}}
    referenced -= {tokens[at].name for at in in_extract if at < len(tokens)}
    on_leader = {name for name in referenced if name.startswith("pg_") or name == "information_schema"}
    called = [
        token.word
        for at, token in enumerate(tokens)
        if token.word in LEADER_ONLY
        and (words(tokens, at + 1, 1) == ("(",) or token.word.startswith(("current_", "local")))
    ]
    on_nodes = referenced - on_leader
    of_users = {name for name in on_nodes if not name.startswith(("svv_", "svl_", "stv_", "stl_", "sys_"))}
    if (called and on_nodes) or (on_leader and of_users):
        raise Refusal(
            "Specified types or functions (one per INFO message) not supported on Redshift tables.",
            "0A000",
            ", ".join(called or sorted(on_leader)),
        )


OF_QUERIES: tuple[Callable[[Sequence[Token]], None], ...] = (
    _clauses,
    _operators,
    _reserved,
    _types,
    _functions,
    _windows,
    _leader_node,
)
"""The rules for a query, and for statements that read or change rows."""
