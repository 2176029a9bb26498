"""The keys of synthetic records."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]
EVENT_KEYS = [
    "artist", "auth", "firstName", "gender", "itemInSession", "lastName", "length", "level", "location", "method",
    "page", "registration", "sessionId", "song", "status", "ts", "userAgent", "userId",
]  # fmt: skip
SONG_KEYS = [
    "num_songs", "artist_id", "artist_latitude", "artist_longitude", "artist_location", "artist_name", "song_id",
    "title", "duration", "year",
]  # fmt: skip


def share(matching: int, records: list[Record]) -> float:
    """Return the ratio of a number to that of some records."""
    return matching / len(records)
