"""Two weeks of clean synthetic data, which the tests share."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from tests.sample_data.shape import Record

from sparkify.sample_data.generate import Generated, generate


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """Generate two whole weeks of clean data."""
    return generate(tmp_path_factory.mktemp("clean"), users=1500, days=14, songs=1500, seed=7)


@pytest.fixture(scope="session")
def days(data: Generated) -> dict[str, list[Record]]:
    """Return the events of each day file, in their order."""
    files = sorted(data.log_data.rglob("*.json"))
    return {path.name[:10]: [json.loads(line) for line in path.read_bytes().split(b"\n")] for path in files}


@pytest.fixture(scope="session")
def events(days: dict[str, list[Record]]) -> list[Record]:
    """Return all events, in order of time."""
    return [event for day in days.values() for event in day]


@pytest.fixture(scope="session")
def plays(events: list[Record]) -> list[Record]:
    """Return the events that play a song."""
    return [event for event in events if event["page"] == "NextSong"]


@pytest.fixture(scope="session")
def songs(data: Generated) -> list[Record]:
    """Return all songs of the catalogue."""
    return [json.loads(path.read_bytes()) for path in sorted(data.song_data.rglob("*.json"))]


@pytest.fixture(scope="session")
def sessions(events: list[Record]) -> dict[int, list[Record]]:
    """Return the events of each session, in order of time."""
    found: dict[int, list[Record]] = defaultdict(list)
    for event in events:
        found[event["sessionId"]].append(event)
    return found
