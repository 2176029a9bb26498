"""What Redshift makes of a statement: what it is refused for, and how the real server is asked instead.

Every rule names the page of Redshift's Database Developer Guide that it comes from. Where the documentation is
silent, the stand-in refuses, and the rule says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache

from tests.support.redshift import ddl, refusals
from tests.support.redshift.protocol import Refusal
from tests.support.redshift.tokens import Reader, Token, cut, syntax_error, words
from tests.support.redshift.vocabulary import PARAMETERS, PARAMETERS_OF_POSTGRES


class Action(Enum):
    """The relay's treatment of a statement."""

    PASS = auto()
    """Pass it to the server."""
    COPY = auto()
    """Load files from S3."""
    UNLOAD = auto()
    """Run its query, and write the rows to S3."""
    TRUNCATE = auto()
    """Pass it to the server, then commit."""


@dataclass(frozen=True)
class Statement:
    """A statement of a client."""

    text: str
    """The text from the client."""
    rewritten: str
    """The text for the real server."""
    kind: str
    """Its first words, as in ``COMMANDS``."""
    action: Action = Action.PASS
    """Its treatment by the relay."""
    tokens: Sequence[Token] = field(default=(), repr=False)
    """Its tokens."""

    def mentions(self, *prefixes: str) -> bool:
        """Return whether a name in it begins in one of these ways."""
        return any(token.name.startswith(prefixes) for token in self.tokens)


@lru_cache(4096)  # The tests run the same statements thousands of times.
def judged(text: str, *, serverless: bool = False) -> Statement:
    """Return a statement for the real server; raise Refusal if Redshift would refuse it."""
    tokens = cut(text)
    if tokens and tokens[-1].word == ";":
        tokens.pop()
    if not tokens:
        return Statement(text, text, "")
    if any(token.word == ";" for token in tokens):
        # The extended protocol has one statement per message, and the driver uses no other.
        raise Refusal("cannot insert multiple commands into a prepared statement", "42601")
    kind = next(
        (command for command in COMMANDS if words(tokens, 0, len(command.split())) == tuple(command.split())), ""
    )
    if not kind:
        raise syntax_error(tokens[0])
    refusals.names(tokens)
    if serverless:
        refusals.system_tables(tokens)
    if kind in _QUERIES:
        for rule in refusals.OF_QUERIES:
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
    """Accept WITH before a query, UPDATE or DELETE, and in an INSERT after INTO ("WITH clause", "INSERT")."""
    if any(words(tokens, at, 2) == ("insert", "into") for at in range(len(tokens))):
        raise syntax_error(next(token for token in tokens if token.word == "insert"))
    return folded(tokens, text)


def _not_here(tokens: Sequence[Token], text: str) -> str:
    """Refuse a command of Redshift that the stand-in does not have."""
    raise Refusal(f"the stand-in does not know this command: {text[: tokens[min(2, len(tokens) - 1)].end]}", "0A000")


_QUERIES = frozenset(
    {
        "select", "with", "insert", "update", "delete", "merge", "explain", "create view", "create or replace view",
        "create table", "create temp table", "create temporary table", "create local temp table",
        "create local temporary table",
    }
)  # fmt: skip
_ACTIONS = {"copy": Action.COPY, "unload": Action.UNLOAD, "truncate": Action.TRUNCATE}

COMMANDS: dict[str, Callable[[Sequence[Token], str], str]] = {
    "select": folded,
    "with": _with,
    "insert": _insert,
    "update": folded,
    "delete": folded,
    "merge": _merge,
    "copy": folded,
    "unload": folded,
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
