"""Two small deliveries of songs and logs, which together hold a case of every decision that a run makes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

START = 1541105830796  # 2018-11-01, in milliseconds
Track = dict[str, Any]

HEARD: Track = {"song": "Heard", "artist": "Known", "length": 200.5}  # its song is in the first delivery
LATE: Track = {"song": "Late", "artist": "Tardy", "length": 99.25}  # its song is in the second delivery
LOST: Track = {"song": "Lost", "artist": "Known", "length": 12.0}  # only its artist is in the catalogue


def play(second: int, user: str = "1", level: str = "free", **values: Any) -> dict[str, Any]:
    """Return a play, some seconds after the start."""
    return view(second, user, level, **{"page": "NextSong", **HEARD, **values})


def view(second: int, user: str = "1", level: str | None = "free", **values: Any) -> dict[str, Any]:
    """Return an event that is not a play."""
    common = {"ts": START + 1000 * second, "sessionId": int(user), "itemInSession": second, "page": "Home"}
    return {**common, "userId": user, "level": level, "firstName": f"User {user}", "auth": "Logged In", **values}


def song(song_id: str, track: Track, artist_id: str) -> dict[str, Any]:
    """Return the catalogue record of a track."""
    named = {"title": track["song"], "artist_name": track["artist"], "duration": track["length"]}
    return {"num_songs": 1, "song_id": song_id, "artist_id": artist_id, "year": 1999, **named}


def write(path: Path, *records: dict[str, Any] | str) -> None:
    """Write records to a file, one a line; records that are text are written unchanged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(record if isinstance(record, str) else json.dumps(record) for record in records))


def listening(seconds: Iterable[int], level: str) -> list[dict[str, Any]]:
    """Return the events of three users, in turn."""
    tracks = (HEARD, LATE, LOST)
    return [
        view(second, str(second % 3 + 1), level)
        if second % 5 == 0
        else play(second, str(second % 3 + 1), level, **tracks[second % 3])
        for second in seconds
    ]


def first(log_data: Path, song_data: Path) -> None:
    """Deliver two logs, with a duplicate and a broken line, and a song."""
    write(song_data / "A" / "heard.json", song("SOHEARD", HEARD, "ARKNOWN"))
    write(log_data / "1.json", *listening(range(30, 60), "free"), "{broken", view(30, "1", "free"))
    write(log_data / "2.json", *listening(range(60, 90), "paid"))


def second(log_data: Path, song_data: Path) -> None:
    """Deliver a song that was played earlier, an older log, a changed log, and a newer one."""
    write(song_data / "B" / "late.json", song("SOLATE", LATE, "ARTARDY"))
    write(log_data / "0.json", *listening(range(30), "free"))
    write(log_data / "2.json", *listening(range(60, 92), "free"), "42")
    write(log_data / "3.json", *listening(range(85, 120), "paid"))
