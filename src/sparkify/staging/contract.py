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

from dataclasses import dataclass
from enum import Enum, auto

from sparkify.sources.listing import Kind

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
