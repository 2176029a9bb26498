"""Hypothesis strategies for deliveries: records in files, files in runs.

`histories` serves to compare a warehouse with the oracle: its events never contradict each other. `rearrangements`
serves to show that order does not matter: it delivers the same records in two ways.
"""

import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from hypothesis import strategies as st
from tests.promises import oracle
from tests.promises.oracle import Conflict
from tests.promises.oracle_files import BOM, Delivered, Kind
from tests.promises.strategies import (
    CHANCE,
    SONG_VALUES,
    Broken,
    Piece,
    Record,
    catalogues,
    compact,
    contradicting,
    events,
    spelt,
    spoilt,
    values_of,
)

Run = list[Delivered]
History = list[Run]
PATHS = (
    "a.json",
    "a/b.json",
    "a-1/b.json",
    "a/b/c.json",
    "2018/11/2018-11-01-events.json",
    "2018/11/2018-11-02-events.json",
    "\u00e9t\u00e9/x y.json",
    "it's 100%.json",
    "[ab]*.json",
    "\uff5e.json",
    "\U0001f600.json",
    "z.json",
)
SKIPPED = ("_SUCCESS.json", ".hidden.json", "_temporary/a.json", "a/.staging/b.json")


def pretty(record: Record) -> str:
    """Return a record over several lines."""
    return "{\n" + ",\n".join(f"    {json.dumps(key)}: {value}" for key, value in record) + "\n}"


@st.composite
def contents(draw: st.DrawFn, pieces: Sequence[Piece]) -> bytes:
    """Draw a file: one record a line, over several lines, or one after the other; broken pieces only on lines."""
    breaks = st.sampled_from((b"\n", b"\n", b"\r\n", b"\n\n", b"\n \t\r\n"))
    if not any(isinstance(piece, Broken) for piece in pieces):
        breaks = st.one_of(breaks, st.sampled_from((b"", b" ", b"\n  ")))
    write = draw(st.sampled_from((compact, compact, pretty)))
    separator = draw(breaks)
    written = [piece.content if isinstance(piece, Broken) else write(piece).encode() for piece in pieces]
    content = bytes(separator.join(written))
    if separator.endswith(b"\r\n"):
        content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    mark = BOM if draw(CHANCE) == 0 else b""
    return mark + content + draw(st.sampled_from((b"", b"\n", b"\r\n\r\n")))


@st.composite
def files(draw: st.DrawFn, kind: Kind, pieces: Sequence[Piece]) -> list[tuple[Delivered, list[Piece]]]:
    """Split pieces into files, in any order and compressed or not; return each file with its pieces."""
    shares: dict[str, list[Piece]] = {}
    paths = draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=4, unique=True))
    for piece in draw(st.permutations(pieces)):
        shares.setdefault(draw(st.sampled_from(paths)), []).append(piece)
    if draw(CHANCE) == 0:
        shares.setdefault("empty.json", [])
    endings = st.sampled_from(("", "", "", ".gz"))
    return [(draw(written(kind, path + draw(endings), share)), share) for path, share in shares.items()]


@st.composite
def written(draw: st.DrawFn, kind: Kind, path: str, pieces: Sequence[Piece]) -> Delivered:
    """Draw one file with this name."""
    content = draw(contents(pieces))
    is_packed = path.endswith(".gz") or draw(CHANCE) == 0
    return Delivered(kind, path, gzip.compress(content, mtime=0) if is_packed else content)


@st.composite
def deliveries(draw: st.DrawFn, kind: Kind, pieces: Sequence[Piece], runs: int, *, changes: bool = False) -> History:
    """Draw a delivery of pieces in this many runs; a file may come again, under its name or another, or changed."""
    history: History = [[] for _ in range(runs)]
    for file, share in draw(files(kind, pieces)):
        first = draw(st.integers(0, runs - 1))
        history[first].append(file)
        fate = draw(st.sampled_from(("once", "once", "again", "renamed", "changed", "changed")))
        later = draw(st.integers(min(first + 1, runs - 1), runs - 1))
        if fate == "renamed":
            history[later].append(Delivered(kind, f"again/{file.path}", file.content))
        elif fate == "again" and later > first:
            history[later].append(file)
        elif fate == "changed" and later > first and changes:
            history[later].append(draw(written(kind, file.path, draw(revised(kind, share)))))
    return history


@st.composite
def revised(draw: st.DrawFn, kind: Kind, pieces: Sequence[Piece]) -> list[Piece]:
    """Draw a new version of a file's pieces: some deleted, some corrected."""
    revision: list[Piece] = []
    for piece in pieces:
        values = None if isinstance(piece, Broken) else values_of(kind, piece)
        fate = draw(st.sampled_from(("kept", "corrected", "gone")))
        if fate == "corrected" and values is not None:
            corrected = contradicting(values) if kind == "events" else SONG_VALUES
            revision.append(draw(spelt(draw(corrected))))
        elif fate != "gone":
            revision.append(piece)
    return revision


@st.composite
def histories(draw: st.DrawFn, *, dirty: bool = True, changes: bool = True, max_runs: int = 3) -> History:
    """Draw runs for which the oracle has an answer; each run finds its files beside those of earlier runs."""
    songs = draw(catalogues())
    plays = draw(events(songs))
    of_events = draw(spoilt("events", plays)) if dirty else plays
    of_songs = draw(spoilt("songs", songs)) if dirty else songs
    history = draw(delivered(of_events, of_songs, draw(st.integers(1, max_runs)), changes=changes))
    if draw(CHANCE) == 0:
        path = draw(st.sampled_from(SKIPPED))
        history[0].append(Delivered("events", path, draw(contents(draw(events(max_size=2))))))
    return conflict_free_part(history)


def conflict_free_part(history: History) -> History:
    """Leave out changed files, the last one first, until no two events contradict each other."""
    while True:
        try:
            oracle.warehouse(history)
        except Conflict:
            history = without_last_change(history)
        else:
            return history


def without_last_change(history: History) -> History:
    """Leave out the last file of events that replaces an earlier version."""
    for at in reversed(range(len(history))):
        earlier = [file for run in history[:at] for file in run]
        for file in history[at]:
            versions = [other.content for other in earlier if (other.kind, other.path) == (file.kind, file.path)]
            if file.kind == "events" and versions and versions[-1] != file.content:
                return [[other for other in run if other is not file] for run in history]
    raise AssertionError("events contradict each other without any changed file")


@st.composite
def rearrangements(draw: st.DrawFn, *, conflict_free: bool = False, max_runs: int = 3) -> tuple[History, History]:
    """Draw two ways to deliver the same records: other files, runs, order and repetitions.

    Records of one song agree, since the last one delivered wins. Unless conflict_free, events may contradict others.
    """
    songs = draw(catalogues(disagreeing=False))
    plays = draw(events(songs, conflict_free=conflict_free))
    one, other = (draw(delivered(plays, songs, draw(st.integers(1, max_runs)))) for _ in range(2))
    return one, other


@st.composite
def delivered(
    draw: st.DrawFn, plays: Sequence[Piece], songs: Sequence[Piece], runs: int, *, changes: bool = False
) -> History:
    """Draw a delivery of events and songs."""
    of_events = draw(deliveries("events", plays, runs, changes=changes))
    of_songs = draw(deliveries("songs", songs, runs, changes=changes))
    return [[*some, *others] for some, others in zip(of_events, of_songs, strict=True)]


def lay_out(run: Iterable[Delivered], log_data: Path, song_data: Path) -> None:
    """Write a run's files into the two folders, except those that already have their content."""
    for file in run:
        target = (log_data if file.kind == "events" else song_data) / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != file.content:
            target.write_bytes(file.content)
