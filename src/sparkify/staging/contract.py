"""The contract of a record: the fields of an event and of a song, with their types and limits.

The rules are the same on the fast path and the exact path:

* A key matches in any case; the exact spelling takes precedence. A record is rejected if it holds a key twice, or
  several spellings of a key and not the exact one.
* An absent key and ``""`` are null.
* Blanks at the end of a text are dropped: Redshift compares texts without them.
* A number where text is due becomes its text; a whole number becomes that of an integer, however it is written (7.0).
* A number written as a float (``22.0``) or as text (``"22"``) is a whole number if it is whole. Blanks around such a
  text are ignored. A JSON float is read as the nearest double: exact below 2**53.
* Any other value of the wrong type, a text too long for its column, and a missing required value are rejected.
* An implausible value of a song becomes null, however large it is, and the record is staged.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum, auto

from sparkify.config import Rules
from sparkify.sources.listing import Kind

PLAY = "NextSong"
"""The page of an event that is a play; every other page is a page view."""

LAST_MILLISECOND = 253_402_300_799_999
"""The end of the year 9999, the last one with an ISO date of four digits."""


class Type(Enum):
    """The type of a field's value."""

    TEXT = auto()
    INTEGER = auto()
    TIMESTAMP = auto()  # whole milliseconds since 1970 in UTC
    NUMBER = auto()
    DURATION = auto()  # seconds, not negative


class Required(Enum):
    """The records in which a field must not be null."""

    NEVER = auto()
    ALWAYS = auto()
    IN_PLAYS = auto()


@dataclass(frozen=True)
class Field:
    """One key of a record and one column of its staging table."""

    name: str
    type: Type
    width: int = 0  # maximum length of a text in bytes of UTF-8
    required: Required = Required.NEVER
    repaired: bool = False  # whether mojibake in it is repaired
    values: tuple[str, ...] = ()  # the allowed values of a text; if empty, all
    earliest: date = date(1970, 1, 1)  # of a timestamp
    plausible: tuple[float, float] | None = None  # minimum and maximum; 0 is plausible too

    @property
    def first_millisecond(self) -> int:
        """The first allowed value of a timestamp."""
        return int(datetime(self.earliest.year, self.earliest.month, self.earliest.day, tzinfo=UTC).timestamp() * 1000)


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


# The widths leave room above the longest values of the public sample: artist name 177 bytes, location 176, title 173,
# user agent 139.
def contracts(rules: Rules) -> dict[Kind, Contract]:
    """Return the contracts under some rules. The plausible years end with next year."""
    next_year = datetime.now(UTC).year + 1
    return {
        "songs": Contract(
            "songs",
            "staging_songs",
            (
                Field("num_songs", Type.INTEGER),
                Field("artist_id", Type.TEXT, 64, Required.ALWAYS),
                Field("artist_latitude", Type.NUMBER, plausible=(-90, 90)),
                Field("artist_longitude", Type.NUMBER, plausible=(-180, 180)),
                Field("artist_location", Type.TEXT, 512, repaired=True),
                Field("artist_name", Type.TEXT, 512, repaired=True),
                Field("song_id", Type.TEXT, 64, Required.ALWAYS),
                Field("title", Type.TEXT, 512, repaired=True),
                Field("duration", Type.DURATION),
                Field("year", Type.INTEGER, plausible=(1000, next_year)),
            ),
        ),
        "events": Contract(
            "events",
            "staging_events",
            (
                Field("artist", Type.TEXT, 512, Required.IN_PLAYS, repaired=True),
                Field("auth", Type.TEXT, 32),
                Field("firstName", Type.TEXT, 256, repaired=True),
                Field("gender", Type.TEXT, 16),
                Field("itemInSession", Type.INTEGER, required=Required.ALWAYS),
                Field("lastName", Type.TEXT, 256, repaired=True),
                Field("length", Type.DURATION),
                Field("level", Type.TEXT, 16, values=rules.levels),
                Field("location", Type.TEXT, 512, repaired=True),
                Field("method", Type.TEXT, 16),
                Field("page", Type.TEXT, 64, Required.ALWAYS),
                Field("registration", Type.TIMESTAMP),
                Field("sessionId", Type.INTEGER, required=Required.ALWAYS),
                Field("song", Type.TEXT, 512, Required.IN_PLAYS, repaired=True),
                Field("status", Type.INTEGER),
                Field("ts", Type.TIMESTAMP, required=Required.ALWAYS, earliest=rules.earliest),
                Field("userAgent", Type.TEXT, 1024),
                Field("userId", Type.TEXT, 64, Required.IN_PLAYS),
            ),
        ),
    }


CONTRACTS = contracts(Rules())
"""The contracts under the default rules."""
