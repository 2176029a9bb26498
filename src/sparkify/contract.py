"""What a record must hold: the fields of an event and of a song, and the one SELECT that types and judges them.

The rules, the same whichever way a record was read:

* A key matches whatever its case; the exact spelling goes before others. A record that gives it twice, or none so but
  others twice, is refused.
* An absent key and ``""`` are null.
* Blanks at the end of a text are dropped: to Redshift a text is the same with them and without.
* A number where text is due becomes its text.
* A number written as a float (``22.0``) or as text (``"22"``) is a whole number when it is whole; blanks around one
  that is text do not count.
  Written in JSON as a float, it is the nearest double: exact below 2**53.
* Anything else of the wrong type, too long for its column, or missing where it is required is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from sparkify.sources import Kind

PLAY = "NextSong"
"""The page of an event that is a play; every other page is a page view."""

LAST_MILLISECOND = 253_402_300_799_999
"""The end of the year 9999: what an ISO date of four-digit years can hold."""


class Type(Enum):
    """What a field's value must be."""

    TEXT = auto()
    WHOLE = auto()
    MOMENT = auto()  # whole milliseconds since 1970 in UTC
    NUMBER = auto()
    SPAN = auto()  # seconds, not negative


class Required(Enum):
    """When a field must not be null."""

    NEVER = auto()
    ALWAYS = auto()
    IN_PLAYS = auto()


@dataclass(frozen=True)
class Field:
    """One key of a record and one column of its staging table."""

    name: str
    type: Type
    width: int = 0  # of text, in bytes of UTF-8
    required: Required = Required.NEVER
    repaired: bool = False  # whether mangled text is repaired in it


@dataclass(frozen=True)
class Contract:
    """The fields of one kind of record, in the order of the staging table's columns."""

    kind: Kind
    table: str
    fields: tuple[Field, ...]

    @property
    def repaired(self) -> tuple[Field, ...]:
        """The fields whose text is repaired."""
        return tuple(field for field in self.fields if field.repaired)


# Widths: the longest value of the public sample (artist name 177 bytes, location 176, title 173, user agent 139)
# with room.
EVENTS = Contract(
    "events",
    "staging_events",
    (
        Field("artist", Type.TEXT, 512, Required.IN_PLAYS, repaired=True),
        Field("auth", Type.TEXT, 32),
        Field("firstName", Type.TEXT, 256, repaired=True),
        Field("gender", Type.TEXT, 16),
        Field("itemInSession", Type.WHOLE, required=Required.ALWAYS),
        Field("lastName", Type.TEXT, 256, repaired=True),
        Field("length", Type.SPAN),
        Field("level", Type.TEXT, 16),
        Field("location", Type.TEXT, 512, repaired=True),
        Field("method", Type.TEXT, 16),
        Field("page", Type.TEXT, 64, Required.ALWAYS),
        Field("registration", Type.MOMENT),
        Field("sessionId", Type.WHOLE, required=Required.ALWAYS),
        Field("song", Type.TEXT, 512, Required.IN_PLAYS, repaired=True),
        Field("status", Type.WHOLE),
        Field("ts", Type.MOMENT, required=Required.ALWAYS),
        Field("userAgent", Type.TEXT, 1024),
        Field("userId", Type.TEXT, 64, Required.IN_PLAYS),
    ),
)
SONGS = Contract(
    "songs",
    "staging_songs",
    (
        Field("num_songs", Type.WHOLE),
        Field("artist_id", Type.TEXT, 64, Required.ALWAYS),
        Field("artist_latitude", Type.NUMBER),
        Field("artist_longitude", Type.NUMBER),
        Field("artist_location", Type.TEXT, 512, repaired=True),
        Field("artist_name", Type.TEXT, 512, repaired=True),
        Field("song_id", Type.TEXT, 64, Required.ALWAYS),
        Field("title", Type.TEXT, 512, repaired=True),
        Field("duration", Type.SPAN),
        Field("year", Type.WHOLE),
    ),
)
CONTRACTS: dict[Kind, Contract] = {"songs": SONGS, "events": EVENTS}


def quoted(name: str) -> str:
    """Quote an identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'


_TOKENS = "('true', 'false', 'nan', 'inf', '-nan', '-inf', 'infinity', '-infinity')"


def literal(value: str) -> str:
    """Quote a text for SQL, where no value can be bound."""
    return "'" + value.replace("'", "''") + "'"


def judged(contract: Contract, source: str, *extra: str, nul: bool = True) -> str:
    """Return the SELECT that types and judges records.

    `source` is the SQL of a relation with one column of text a field, and the `extra` columns. The result has the
    fields, typed, then the extra columns, then `problem`: the reason to refuse the record, or null. Without `nul`,
    texts are not searched for NUL characters.
    """
    typed = ", ".join(column for field in contract.fields for column in _typed(field))
    problem = " ".join(f"when {test} then '{reason}'" for test, reason in _tests(contract, nul=nul))
    names = ", ".join([*(quoted(field.name) for field in contract.fields), *extra])
    return (
        f"select {names}, case {problem} end as problem"
        f" from (select {', '.join([typed, *extra])} from {source}) as typed"
    )


def _typed(field: Field) -> Iterator[str]:
    """Yield the SQL of a field's value, and for a number also of the text that it came from."""
    name = quoted(field.name)
    if field.type is Type.TEXT:
        yield f"{text(name)} as {name}"
        return
    written = f"nullif({name}, '')"
    value = whole(written) if field.type in (Type.WHOLE, Type.MOMENT) else _number(written)
    yield f"{value} as {quoted(field.name)}"
    yield f"{written} as {_text_of(field)}"


def _text_of(field: Field) -> str:
    return quoted(f"text of {field.name}")


def text(value: str) -> str:
    """Return the SQL of a text without the blanks at its end, null when nothing is left of it."""
    # Most texts have none, and to see that is cheaper than rtrim.
    return f"nullif(case when ends_with({value}, ' ') then rtrim({value}, ' ') else {value} end, '')"


def whole(text: str) -> str:
    """Return the SQL of a text as a bigint, null when it is not whole."""
    value = f"try_cast({text} as bigint)"  # rounded
    exact = f"try_cast({text} as decimal(38, 18))"
    number = _number(text)
    is_whole = f"{number} = floor({number})"
    return (  # the common spellings come first, a pattern sees what is left; from 2**53 on, a double is always whole
        f"case when cast({value} as varchar) = {text} or cast({value} as varchar) || '.0' = {text} then {value}"
        f" when abs({number}) < 9007199254740992 then case when {is_whole} then cast({number} as bigint) end"
        f" when {number} is not null and {exact} = {value} then {value} end"
    )


def _number(text: str) -> str:
    """Text → double precision, null when it is no number; no zero is negative, since it equals the other one."""
    blanks = r"[ \t\n\v\f\r]*"
    return (
        f"case when regexp_full_match({text}, '{blanks}-?([0-9]+[.]?|[0-9]*[.][0-9]+)([eE][+-]?[0-9]+)?{blanks}')"
        f" then try_cast({text} as double precision) + 0.0 end"
    )


def _tests(contract: Contract, *, nul: bool) -> Iterator[tuple[str, str]]:
    """Yield what may be wrong with a typed record, and how it is said: the field that the reason is about first."""
    for field in contract.fields:
        name = quoted(field.name)
        text = name if field.type is Type.TEXT else _text_of(field)
        if field.required is Required.ALWAYS:
            yield f"{text} is null", f"{field.name}: missing"
        elif field.required is Required.IN_PLAYS:
            yield f"{quoted('page')} = '{PLAY}' and {text} is null", f"{field.name}: missing in a play"
        if field.type is Type.TEXT:
            yield f"strlen({name}) > {field.width}", f"{field.name}: longer than {field.width} bytes"
            if nul:
                yield f"contains({name}, chr(0))", f"{field.name}: holds a NUL character"
        else:
            kind, low, high, beyond = _RANGES[field.type]
            yield f"{text} is not null and {name} is null", f"{field.name}: not a {kind}"
            yield f"not ({name} >= {low} and {name} < {high})", f"{field.name}: {beyond}"


# What a number is called, where its range begins and what it ends before, and how a number beyond it is told.
_RANGES = {
    Type.WHOLE: ("whole number", -(2**63), 2**63, "out of range"),
    Type.MOMENT: ("whole number", 0, LAST_MILLISECOND + 1, "not in the years 1970 to 9999"),
    Type.NUMBER: ("number", "-1e15", "1e15", "out of range"),
    Type.SPAN: ("number", 0, "1e15", "not a length of time"),
}


def looks_odd(field: Field) -> str:
    """Return the SQL that suspects a text of having been no text: an object, a list, a truth value or a bare NaN."""
    text = quoted(field.name)
    begins = f"starts_with({text}, '{{') or starts_with({text}, '[')"
    # Artists are called [re:jazz] and the like: only what is JSON by itself is suspect.
    return f"case when {begins} then json_valid({text}) else lower({text}) in {_TOKENS} end"
