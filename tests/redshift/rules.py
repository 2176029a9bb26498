"""What Redshift makes of a statement: what it is refused for, and how the real server is asked instead.

Every rule names the page of Redshift's Database Developer Guide that it comes from. Where the documentation is
silent, the stand-in refuses, and the rule says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache

from tests.redshift import ddl, vocabulary
from tests.redshift.protocol import Refusal
from tests.redshift.tokens import Reader, Token, cut, syntax_error, words
from tests.redshift.vocabulary import (
    FUNCTIONS,
    LEADER_ONLY,
    NOT_CALLS,
    PARAMETERS,
    PARAMETERS_OF_POSTGRES,
    RESERVED,
    TYPES,
)


class Action(Enum):
    """What the relay does with a statement."""

    PASS = auto()
    """Hand it to the server."""
    COPY = auto()
    """Load files from S3 itself."""
    TRUNCATE = auto()
    """Hand it to the server, then commit."""


@dataclass(frozen=True)
class Statement:
    """A statement as Redshift takes it."""

    text: str
    """As the client wrote it."""
    rewritten: str
    """As the real server gets it."""
    kind: str
    """Its first words: what ``COMMANDS`` calls it."""
    action: Action = Action.PASS
    """What the relay does with it."""
    tokens: Sequence[Token] = field(default=(), repr=False)
    """The statement, cut."""

    def mentions(self, *prefixes: str) -> bool:
        """Tell whether a name in it begins in one of these ways."""
        return any(token.name.startswith(prefixes) for token in self.tokens)


@lru_cache(4096)  # tests run the same statements thousands of times
def judged(text: str, *, serverless: bool = False) -> Statement:
    """Return a statement as the real server gets it; Refusal when Redshift would refuse it."""
    tokens = cut(text)
    if tokens and tokens[-1].word == ";":
        tokens.pop()
    if not tokens:
        return Statement(text, text, "")
    if any(token.word == ";" for token in tokens):
        # The extended protocol takes one statement a message; the driver speaks nothing else.
        raise Refusal("cannot insert multiple commands into a prepared statement", "42601")
    kind = next(
        (command for command in COMMANDS if words(tokens, 0, len(command.split())) == tuple(command.split())), ""
    )
    if not kind:
        raise syntax_error(tokens[0])
    _names(tokens)
    if serverless:
        _system_tables(tokens)
    if kind in _QUERIES:
        for rule in _RULES:
            rule(_query(tokens))
    rewritten = COMMANDS[kind](tokens, text)
    return Statement(text, rewritten, kind, _ACTIONS.get(kind, Action.PASS), tokens)


def _query(tokens: Sequence[Token]) -> Sequence[Token]:
    """Return the query that makes a table or a view, or the whole statement if it makes none."""
    if tokens[0].word != "create":
        return tokens
    depth = 0
    for at, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.word, 0)
        if token.word == "as" and not depth:
            return tokens[at + 1 :]
    return ()


# What is refused, wherever it stands.


def _names(tokens: Sequence[Token]) -> None:
    """Names have at most 127 bytes; ``pg_temp`` cannot be named.

    "Names and identifiers"; "CREATE TABLE" (TEMPORARY: the schema of temporary tables has no name to give). Names of
    64 to 127 bytes are Redshift's, but the real server would cut them.
    """
    for token in tokens:
        if token.name == "pg_temp":
            raise Refusal('schema "pg_temp" does not exist', "3F000")
        if len(token.name.encode()) > 63:
            raise Refusal(f'the stand-in cannot hold the name "{token.name}": over 63 bytes', "42622")


def _system_tables(tokens: Sequence[Token]) -> None:
    """Serverless has no STL and STV views ("Monitoring queries and workloads with Amazon Redshift Serverless")."""
    for token in tokens:
        if token.name.startswith(("stl_", "stv_", "svl_")):
            raise Refusal(f"permission denied for relation {token.name}", "42501")


def _clauses(tokens: Sequence[Token]) -> None:
    """Clauses of PostgreSQL that Redshift's syntax does not have.

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
    """No IS DISTINCT FROM ("Unsupported PostgreSQL functions"), no subscripts ("Unsupported PostgreSQL features")."""
    for at, token in enumerate(tokens):
        if token.word == "is" and "distinct" in words(tokens, at + 1, 2):
            raise Refusal("IS DISTINCT FROM is not supported", "0A000")
        if token.word == "[" or (token.word.startswith("reg") and tokens[at - 1].word == "::"):
            raise syntax_error(token)


def _reserved(tokens: Sequence[Token]) -> None:
    """A reserved word names nothing unless it is quoted ("Reserved words").

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
"""Words that are reserved for what an expression or a query may hold."""
_BEFORE = {"top": ("select",), "nulls": ("ignore", "respect")}
"""Word → what stands before it where it is the keyword."""
_AFTER = {
    "partition": (("by",),), "nulls": (("first",), ("last",)), "ignore": (("nulls",),), "respect": (("nulls",),),
}  # fmt: skip
"""Word → what stands after it where it is the keyword."""
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
    """Return where the types of casts stand: after AS, in parentheses that CAST opens."""
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
    """A cast is to a documented type ("Data types"), and NUMERIC has at most 38 digits ("Numeric types")."""
    casts = _casts(tokens)
    for at, token in enumerate(tokens):
        if at in casts or (at and tokens[at - 1].word == "::"):
            if token.word not in TYPES and token.word not in {"interval", "super"}:
                raise Refusal(f'type "{token.name}" does not exist', "42704")
            if token.word in {"numeric", "decimal"} and words(tokens, at + 1, 1) == ("(",):
                ddl.numeric(int(tokens[at + 2].text))


def _functions(tokens: Sequence[Token]) -> None:
    """A function is called only if the documentation has it ("SQL functions reference").

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
    """Tell whether the parentheses that open here hold the columns of a WITH query."""
    reader = Reader(tokens[at:])
    return all(token.kind != "string" for token in reader.group()) and reader.sees("as", "(")


def _windows(tokens: Sequence[Token]) -> None:
    """A window stands in parentheses, and where an aggregate's is ordered, its frame is given, in ROWS.

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
    """What runs on the leader node alone does not meet what is stored on the compute nodes.

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


_RULES: tuple[Callable[[Sequence[Token]], None], ...] = (
    _clauses,
    _operators,
    _reserved,
    _types,
    _functions,
    _windows,
    _leader_node,
)


# How each command is handed on.


def folded(tokens: Sequence[Token], text: str) -> str:
    """Return a statement with its quoted names in lower case, as Redshift reads them ("Names and identifiers")."""
    pieces, at = [], 0
    for token in tokens:
        if token.kind == "quoted":
            pieces += [text[at : token.start], token.text.lower()]
            at = token.end
    end = tokens[-1].end if tokens else len(text)
    return "".join(pieces) + text[at:end]


def _begin(tokens: Sequence[Token], text: str) -> str:  # noqa: ARG001
    """BEGIN: whatever level is asked for, the transaction sees one snapshot.

    "BEGIN", "Isolation levels in Amazon Redshift": SNAPSHOT is the default of new warehouses. The real server calls
    that REPEATABLE READ, and takes the snapshot when Redshift does: at the first query or DDL, not at BEGIN or LOCK.
    """
    reader = Reader(tokens)
    if not reader.skips("start", "transaction"):
        reader.expect("begin")
        reader.skips_any("work", "transaction")
    if reader.skips("isolation", "level"):
        levels = (("serializable",), ("read", "uncommitted"), ("read", "committed"), ("repeatable", "read"))
        if not any(reader.skips(*level) for level in levels):
            raise syntax_error(reader.next)
    is_read_only = reader.skips("read", "only")
    reader.skips("read", "write")
    reader.end()
    return f"begin isolation level repeatable read{', read only' if is_read_only else ''}"


def _end(tokens: Sequence[Token], text: str) -> str:  # noqa: ARG001
    """COMMIT, END, ROLLBACK, ABORT [WORK | TRANSACTION]; no savepoints ("Unsupported PostgreSQL functions")."""
    reader = Reader(tokens)
    word = reader.one_of(("commit", "end", "rollback", "abort"))
    reader.skips_any("work", "transaction")
    reader.end()
    return {"end": "commit", "abort": "rollback"}.get(word, word)


def _lock(tokens: Sequence[Token], text: str) -> str:
    """LOCK [TABLE] names: always ACCESS EXCLUSIVE, without a mode and without NOWAIT ("LOCK")."""
    reader = Reader(tokens)
    reader.expect("lock")
    reader.skips("table")
    start = reader.next
    reader.table()
    while reader.skips(","):
        reader.table()
    reader.end()
    first = tokens.index(start) if start else 0
    return f"lock table {folded(tokens[first:], text)[tokens[first].start :]} in access exclusive mode"


def _set(tokens: Sequence[Token], text: str) -> str:
    """SET of a documented parameter ("Configuration reference"); Redshift's own ones have no effect here."""
    reader = Reader(tokens)
    reader.expect("set")
    scope = next((word for word in ("session", "local") if reader.skips(word)), "session")
    name = reader.take("word").word
    if name not in PARAMETERS:
        raise Refusal(f'unrecognized configuration parameter "{name}"', "42704")
    if not reader.skips("to"):
        reader.expect("=")
    value = reader.rest()
    if not value:
        raise syntax_error(None)
    written = folded(tokens, text)[value[0].start :]
    known = name if name in PARAMETERS_OF_POSTGRES else f"redshift.{name}"
    return f"set {scope} {known} to {written}"


def _truncate(tokens: Sequence[Token], text: str) -> str:
    """TRUNCATE [TABLE] name: one table, no options ("TRUNCATE")."""
    reader = Reader(tokens)
    reader.expect("truncate")
    reader.skips("table")
    reader.table()
    reader.end()
    return folded(tokens, text)


def _analyze(tokens: Sequence[Token], text: str) -> str:  # noqa: ARG001
    """ANALYZE [VERBOSE] [table [(columns)]] [PREDICATE COLUMNS | ALL COLUMNS] ("ANALYZE")."""
    reader = Reader(tokens)
    reader.expect("analyze")
    reader.skips("verbose")
    name = ""
    if reader.next and not reader.sees("predicate") and not reader.sees("all"):
        name = ddl.qualified(reader.table())
        if reader.sees("("):
            reader.names()
    if reader.skips_any("predicate", "all"):
        reader.expect("columns")
    reader.end()
    return f"analyze {name}"


def _vacuum(tokens: Sequence[Token], text: str) -> str:  # noqa: ARG001
    """VACUUM [FULL | SORT ONLY | DELETE ONLY | REINDEX | RECLUSTER] [table] [TO n PERCENT] [BOOST] ("VACUUM").

    It cannot run in a transaction: the real server refuses that too.
    """
    reader = Reader(tokens)
    reader.expect("vacuum")
    for form in (("full",), ("sort", "only"), ("delete", "only"), ("reindex",), ("recluster",)):
        if reader.skips(*form):
            break
    name = ddl.qualified(reader.table()) if reader.next and reader.next.word not in {"to", "boost"} else ""
    if reader.skips("to"):
        reader.take("number")
        reader.expect("percent")
    reader.skips("boost")
    reader.end()
    return f"vacuum {name}"


def _comment(tokens: Sequence[Token], text: str) -> str:
    """COMMENT ON a table, column, constraint, database or view: not on a schema ("COMMENT")."""
    reader = Reader(tokens)
    reader.expect("comment", "on")
    reader.one_of(("table", "column", "constraint", "database", "view"))
    return folded(tokens, text)


def _insert(tokens: Sequence[Token], text: str) -> str:
    """INSERT INTO ("INSERT")."""
    Reader(tokens).expect("insert", "into")
    return folded(tokens, text)


def _merge(tokens: Sequence[Token], text: str) -> str:
    """MERGE has one WHEN MATCHED and one WHEN NOT MATCHED, without conditions ("MERGE")."""
    found = [words(tokens, at, 4) for at, token in enumerate(tokens) if token.word == "when"]
    if sorted(when[1] for when in found) != ["matched", "not"] or any(
        when[2 if when[1] == "matched" else 3] != "then" for when in found
    ):
        raise syntax_error(tokens[-1])
    return folded(tokens, text)


def _with(tokens: Sequence[Token], text: str) -> str:
    """WITH stands before a query, UPDATE or DELETE; in an INSERT it comes after INTO ("WITH clause", "INSERT")."""
    if any(words(tokens, at, 2) == ("insert", "into") for at in range(len(tokens))):
        raise syntax_error(next(token for token in tokens if token.word == "insert"))
    return folded(tokens, text)


def _not_here(tokens: Sequence[Token], text: str) -> str:
    """What Redshift has and the stand-in does not."""
    raise Refusal(f"the stand-in does not know this command: {text[: tokens[min(2, len(tokens) - 1)].end]}", "0A000")


_QUERIES = frozenset(
    {
        "select", "with", "insert", "update", "delete", "merge", "explain", "create view", "create or replace view",
        "create table", "create temp table", "create temporary table", "create local temp table",
        "create local temporary table",
    }
)  # fmt: skip
_ACTIONS = {"copy": Action.COPY, "truncate": Action.TRUNCATE}

COMMANDS: dict[str, Callable[[Sequence[Token], str], str]] = {
    "select": folded,
    "with": _with,
    "insert": _insert,
    "update": folded,
    "delete": folded,
    "merge": _merge,
    "copy": folded,
    "unload": _not_here,  # its place: beside copying.py, as an Action of its own
    "truncate": _truncate,
    "begin": _begin,
    "start transaction": _begin,
    "commit": _end,
    "end": _end,
    "rollback": _end,
    "abort": _end,
    "lock": _lock,
    "set": _set,
    "reset": folded,
    "show": folded,
    "analyze": _analyze,
    "vacuum": _vacuum,
    "comment": _comment,
    "explain": folded,
    "create table": ddl.create_table,
    "create temp table": ddl.create_table,
    "create temporary table": ddl.create_table,
    "create local temp table": ddl.create_table,
    "create local temporary table": ddl.create_table,
    "create view": ddl.create_view,
    "create or replace view": ddl.create_view,
    "create schema": ddl.create_schema,
    "create materialized view": _not_here,
    "create procedure": _not_here,
    "create function": _not_here,
    "create user": _not_here,
    "alter table": ddl.alter_table,
    "drop table": folded,
    "drop view": folded,
    "drop schema": folded,
    "grant": folded,
    "revoke": folded,
    "declare": folded,
    "fetch": folded,
    "close": folded,
}
"""First words → how the statement is handed on. What is not here is a syntax error ("SQL commands")."""
