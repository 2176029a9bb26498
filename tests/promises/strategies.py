"""Hypothesis strategies: catalogues, events, and the files and runs that deliver them.

The pools are small on purpose, so that plays find their song, artists get several names, records repeat and disagree.
What a record says (its values) is drawn apart from how it is written (its spelling), so that one event can come twice
in different clothes. `histories` is for comparing a warehouse with the oracle: its events never contradict each other.
`rearrangements` is for what must not depend on order: the same records twice, delivered in two ways.
"""

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hypothesis import strategies as st
from tests.promises import oracle
from tests.promises.oracle import Conflict, Delivered, Kind, Values

Record = tuple[tuple[str, str], ...]  # each key with the JSON text of its value
Run = list[Delivered]
History = list[Run]


@dataclass(frozen=True)
class Broken:
    """Bytes that stand where a record should: none can be read as an object, or as one that may be loaded."""

    content: bytes


Piece = Record | Broken


def mangled(text: str, times: int = 1) -> str:
    """Return text as it looks after its UTF-8 was read as Latin-1."""
    for _ in range(times):
        text = text.encode().decode("latin-1")
    return text


# What is said: small pools, with everything that text and numbers can do to a loader

NAMES = (
    "Intro",
    "intro",
    "Intro ",
    "Zo\u00eb",
    "Zoe\u0308",
    "\U0001d11e Suite",
    "\uff5e wave",
    "It\u2019s",
    "It\x19s",
    "\x1cSo\x1d \x13 so",
    "22",
    "22.0",
    "007",
    'say "hi"',
    "back\\slash",
    "a }{ b",
    "a, b;\tc|d",
    "line\nbreak",
    "carriage\rreturn",
    "next\x85line\u2028\u2029",
    "\ufeffmark",
    "\\N",
    "null",
    " a",
    "it's -- 100%",
    "\u00c3",
    "\u00c3\u00a9t\u00c3\u00a9",
    mangled("Bj\u00f6rk", 4),
    "\u00e9" * 256,  # 512 bytes, the most that a title takes
)
SONG_IDS = ("SOA", "SOa", "SO\u00c9", "SO\uff5e", "SO\U0001f600", "18")
ARTIST_IDS = ("ARB", "ARa", "AR\uff5e", "AR\U0001f600")
DURATIONS = (None, 200.0, 194.35057, 0.0, 214.00000000000003, 999999999999999.0)
PLACES = (None, None, "Reykjav\u00edk", "London, UK", "\U0001f5fc", "A\x18B\x19")
COORDINATES = (None, None, 0.0, 64.14735, -21.94067, -0.5)
YEARS = (None, 0, 1999, 2018)
USER_IDS = ("8", "39", "a-b", "\u00fc", "0")
PAGES = ("Home", "Logout", "Submit Upgrade", "nextsong")
MOMENTS = (
    1541105830796,
    1541105830796,
    1541105830797,
    1541192230001,
    1546214400000,  # 2018-12-31, in the first ISO week of 2019
    1609632000999,  # 2021-01-03, a Sunday in the last ISO week of 2020
    1582934400000,  # 2020-02-29
    0,
    oracle.LAST_MILLISECOND,
)
SESSIONS = (38, 38, 139, 0, 2**63 - 1)
ITEMS = (0, 0, 1, 2)


SAID_OF_A_SONG: dict[str, tuple[object, ...]] = {
    "num_songs": (1, None),
    "song_id": SONG_IDS,
    "title": (*NAMES, None),
    "artist_id": ARTIST_IDS,
    "artist_name": (*NAMES, None),
    "artist_location": PLACES,
    "artist_latitude": COORDINATES,
    "artist_longitude": COORDINATES,
    "duration": DURATIONS,
    "year": YEARS,
}
SAID_OF_A_VIEW: dict[str, tuple[object, ...]] = {
    "ts": MOMENTS,
    "sessionId": SESSIONS,
    "itemInSession": ITEMS,
    "userId": (*USER_IDS, None),
    "page": PAGES,
    "auth": ("Logged In", "Logged Out", None),
    "firstName": ("Ana", "Zo\u00eb", None),
    "lastName": ("O'Neil", "\u7530\u4e2d", None),
    "gender": ("F", "M", None),
    "level": ("free", "paid", None),
    "location": PLACES,
    "method": ("GET", "PUT", None),
    "registration": (1540919166796, 0, None),
    "status": (200, 307, 404, None),
    "userAgent": ('"Mozilla/5.0 (X11)"', "curl\\7 \U0001f600", None),
    "song": (None,),
    "artist": (None,),
    "length": (None,),
}
SAID_OF_A_PLAY = SAID_OF_A_VIEW | {
    "userId": USER_IDS,
    "page": ("NextSong",),
    "song": NAMES,
    "artist": NAMES,
    "length": DURATIONS,
}


def values_from(pools: dict[str, tuple[object, ...]]) -> st.SearchStrategy[Values]:
    """Draw a value for each column from its pool."""
    return st.fixed_dictionaries({name: st.sampled_from(pool) for name, pool in pools.items()})


SONG_VALUES, PLAY_VALUES, VIEW_VALUES = map(values_from, (SAID_OF_A_SONG, SAID_OF_A_PLAY, SAID_OF_A_VIEW))
CHANCE = st.integers(0, 7)


@st.composite
def event_values(draw: st.DrawFn, songs: Sequence[Values] = ()) -> Values:
    """Draw what one event says; more often than not, a play is of one of these songs."""
    values = draw(PLAY_VALUES if draw(CHANCE) > 2 else VIEW_VALUES)
    credited = [song for song in songs if song["title"] is not None and song["artist_name"] is not None]
    if values["page"] == "NextSong" and credited and draw(CHANCE) > 1:
        song = draw(st.sampled_from(credited))
        values |= {"song": song["title"], "artist": song["artist_name"]}
        if draw(CHANCE) > 1:
            values["length"] = song["duration"]
    return values


# How it is written: numbers as text, other key cases, missing and unknown keys, mangled letters

UNKNOWN: tuple[tuple[str, str], ...] = (
    ("extra", '{"ts": [1, {"b": "}{"}], "c": {}}'),
    ("\u00dcn\u00ef\U0001f600", '"\\u00e9"'),
    ("", "null"),
    ("deviceId", "-0.5e-3"),
)
CASES = st.sampled_from(("exact", "exact", "exact", "lower", "upper"))
# Texts that a number can stand for.
BARE = {"0": ["0"], "8": ["8"], "18": ["18"], "22": ["22"], "39": ["39"], "22.0": ["22.0", "22.00", "2.2e1"]}


@lru_cache(maxsize=None, typed=True)
def spelling(name: str, value: object) -> st.SearchStrategy[str | None]:
    """Draw a way to write one value."""
    return st.sampled_from(spellings(name, value))


def spellings(name: str, value: object) -> list[str | None]:
    """Return the ways to write one value as JSON; None leaves the key out."""
    if value is None:
        return ["null", None, '""']
    if isinstance(value, float):
        short = repr(value)
        whole = [str(int(value))] if value.is_integer() else []
        negative_zero = [] if value else ["-0.0"]
        return [short, f'"{short}"', f"{short}0", *whole, *negative_zero]
    if isinstance(value, int):
        plain: list[str | None] = [str(value), f'"{value}"']
        plain += [f'"{value}.0"']
        if value < 2**53:
            plain += [f"{value}.0"]
        if 1000 <= value < 2**53:
            plain += [f"{value // 1000}.{value % 1000:03}e3", f'"{value // 1000}.{value % 1000:03}E+3"']
        return plain
    text = str(value)
    found: list[str | None] = [json.dumps(text, ensure_ascii=False), json.dumps(text)]
    found += BARE.get(text, [])
    if name in oracle.REPAIRED and not text.isascii():
        found += [json.dumps(mangled(text), ensure_ascii=False), json.dumps(mangled(text, 2))]
    return found


@st.composite
def spelt(draw: st.DrawFn, values: Values) -> Record:
    """Write values as one JSON record."""
    case = draw(CASES)
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        written = draw(spelling(name, value))
        if written is not None:
            pairs.append(({"lower": name.lower(), "upper": name.upper()}.get(case, name), written))
    turn = draw(st.integers(0, len(pairs)))
    pairs = pairs[turn:] + pairs[:turn]
    if draw(CHANCE) < 2:
        pairs.insert(turn, draw(st.sampled_from(UNKNOWN)))
    if case == "exact" and draw(CHANCE) == 0:
        pairs.insert(0, (pairs[0][0].upper(), "[]"))  # the exact name is preferred
    return tuple(pairs)


def values_of(kind: Kind, record: Record) -> Values | None:
    """Return what a record says, or None where the contract rejects it."""
    try:
        return oracle.accepted(kind, oracle.JSON.decode(compact(record)))
    except ValueError:
        return None


@st.composite
def catalogues(draw: st.DrawFn, *, disagreeing: bool = True, max_size: int = 8) -> list[Record]:
    """Draw the records of a catalogue, with records of one song that agree and, unless told otherwise, that do not."""
    songs: dict[str, Values] = {}
    records: list[Record] = []
    for values in draw(st.lists(SONG_VALUES, max_size=max_size)):
        known = songs.setdefault(values["song_id"], values)
        records.append(draw(spelt(values if disagreeing else known)))
    return records if disagreeing else without_disagreements(records)


@st.composite
def events(
    draw: st.DrawFn, songs: Sequence[Record] = (), *, conflict_free: bool = True, max_size: int = 12
) -> list[Record]:
    """Draw events; some come again in another spelling, and some, unless told otherwise, contradict another."""
    known = [values for song in songs if (values := values_of("songs", song)) is not None]
    said = draw(st.lists(event_values(known), max_size=max_size))
    records: list[Record] = []
    for values in said:
        records.append(draw(spelt(values)))
        fate = draw(CHANCE)
        if fate == 0:
            records.append(draw(spelt(values)))
        elif fate == 1:
            records.append(draw(spelt(draw(contradicting(values)))))
    return without_conflicts(records) if conflict_free else records


@st.composite
def contradicting(draw: st.DrawFn, values: Values) -> Values:
    """Draw an event with the same key that says something else."""
    other = draw(event_values())
    names = ["level", "location", "userAgent", "firstName", "registration"]
    names += ["song", "artist", "length"] if values["page"] == "NextSong" == other["page"] else []
    names += ["auth", "method", "status"] if values["page"] != "NextSong" else []
    changed = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
    return values | {name: other[name] for name in changed}


def without_disagreements(songs: Iterable[Record]) -> list[Record]:
    """Leave out each record of a song that says something else than the first one."""
    known: dict[str, oracle.Song] = {}
    kept: list[Record] = []
    for record in songs:
        values = values_of("songs", record)
        if values is None or known.setdefault(values["song_id"], oracle.song_of(values)) == oracle.song_of(values):
            kept.append(record)
    return kept


def without_conflicts(records: Iterable[Record]) -> list[Record]:
    """Leave out each event that contradicts an earlier one, in its fact or in what it says of its user then."""
    facts: dict[tuple[str, str], oracle.Event] = {}
    sightings: dict[tuple[str, tuple[int, int]], oracle.Row] = {}
    kept: list[Record] = []
    for record in records:
        values = values_of("events", record)
        if values is not None:
            event = oracle.event_of(values)
            if facts.get((event.table, event.key), event) != event:
                continue
            if event.user and sightings.setdefault((event.user[0], event.recency), event.user) != event.user:
                continue
            facts[event.table, event.key] = event
        kept.append(record)
    return kept


# What is wrong with it

VIOLATIONS: dict[Kind, tuple[tuple[str, str], ...]] = {
    "events": (
        ("ts", "null"),
        ("ts", "-1"),
        ("ts", str(oracle.LAST_MILLISECOND + 1)),
        ("ts", "1541105830796.5"),
        ("ts", '"soon"'),
        ("ts", "true"),
        ("registration", "-1"),
        ("registration", '"2018-11-01"'),
        ("sessionId", str(2**63)),
        ("sessionId", "[38]"),
        ("itemInSession", "{}"),
        ("itemInSession", '""'),
        ("status", '"2.5"'),
        ("page", "null"),
        ("page", "{}"),
        ("page", json.dumps("p" * 65)),
        ("level", json.dumps("x" * 17)),
        ("gender", "false"),
        ("userId", json.dumps("u" * 65)),
        ("location", json.dumps("\u00e9" * 256 + "x")),
        ("length", "-0.1"),
        ("length", "1e15"),
        ("length", '"long"'),
        ("length", "1e999"),
        ("length", "NaN"),
        ("userAgent", "tru"),
    ),
    "songs": (
        ("song_id", "null"),
        ("artist_id", '""'),
        ("song_id", json.dumps("s" * 65)),
        ("artist_id", "[]"),
        ("title", '{"a": 1}'),
        ("title", json.dumps("\U0001f600" * 129)),
        ("artist_name", "true"),
        ("year", "1999.5"),
        ("year", '"last"'),
        ("num_songs", "1e30"),
        ("duration", "-1"),
        ("duration", "Infinity"),
        ("artist_latitude", '"north"'),
        ("artist_longitude", "1e999"),
    ),
}
NOT_JSON = ("NaN", "Infinity", "tru")
BROKEN = (
    b"not json",
    b"2018-11-01,NextSong,39",
    b'"a string {"',
    b"null",
    b"[1, 2]",
    b'[{"ts": 1}, {"ts": 2}]',
    b"{",
    b'{"page": "Home',
    b'{"page": "Home}',
    b'{"page": {"name": "Home"}',
    b'{"page" "Home"}',
    b'{"page": "a\x00b"}',
    b'{"page": "a\x01b"}',
    b'{"page": "a\tb"}',
    b'{"page": "\xff\xfe"}',
    b'{"page": "\xed\xa0\x80"}',
    b"{'page': 'Home'}",
    b'{"page": "Home",}',
)


@st.composite
def violated(draw: st.DrawFn, kind: Kind, record: Record) -> Piece:
    """Draw a record that breaks the contract in one place, or is cut off in the middle."""
    how = draw(st.sampled_from(("value", "value", "twice", "cut")))
    if how == "cut":
        content = compact(record).encode()
        whole = content[: draw(st.integers(1, len(content) - 1))].decode(errors="ignore")
        return Broken(whole.rstrip("}\t\r\n ").encode())
    name, written = draw(st.sampled_from(VIOLATIONS[kind]))
    good = tuple(pair for pair in record if pair[0].lower() != name.lower())
    bad: Record = (*good, (name, written), (name, written)) if how == "twice" else (*good, (name, written))
    return Broken(compact(bad).encode()) if written in NOT_JSON else bad


@st.composite
def spoilt(draw: st.DrawFn, kind: Kind, records: Sequence[Record]) -> list[Piece]:
    """Put a few bad records and broken pieces among good records."""
    pieces: list[Piece] = list(records)
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        broken = st.sampled_from(BROKEN).map(Broken)
        bad = st.one_of(st.sampled_from(records).flatmap(lambda record: violated(kind, record)), broken)
        pieces.insert(draw(st.integers(0, len(pieces))), draw(bad if records else broken))
    return pieces


# How it is delivered: records in files, files in runs

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
NOT_OURS = ("_SUCCESS.json", ".hidden.json", "_temporary/a.json", "a/.staging/b.json")


def compact(record: Record) -> str:
    """Write a record on one line."""
    return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{value}" for key, value in record) + "}"


def pretty(record: Record) -> str:
    """Write a record over several lines."""
    return "{\n" + ",\n".join(f"    {json.dumps(key)}: {value}" for key, value in record) + "\n}"


@st.composite
def contents(draw: st.DrawFn, pieces: Sequence[Piece]) -> bytes:
    """Write a file: one record a line, or over several, or one after the other; only lines hold broken pieces."""
    breaks = st.sampled_from((b"\n", b"\n", b"\r\n", b"\n\n", b"\n \t\r\n"))
    if not any(isinstance(piece, Broken) for piece in pieces):
        breaks = st.one_of(breaks, st.sampled_from((b"", b" ", b"\n  ")))
    write = draw(st.sampled_from((compact, compact, pretty)))
    separator = draw(breaks)
    written = [piece.content if isinstance(piece, Broken) else write(piece).encode() for piece in pieces]
    content = bytes(separator.join(written))
    if separator.endswith(b"\r\n"):
        content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    mark = oracle.BOM if draw(CHANCE) == 0 else b""
    return mark + content + draw(st.sampled_from((b"", b"\n", b"\r\n\r\n")))


@st.composite
def files(draw: st.DrawFn, kind: Kind, pieces: Sequence[Piece]) -> list[tuple[Delivered, list[Piece]]]:
    """Split pieces into files, in any order and compressed or not; each file comes with the pieces in it."""
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
    """Write one file of this name."""
    content = draw(contents(pieces))
    return Delivered(kind, path, gzip.compress(content, mtime=0) if path.endswith(".gz") else content)


@st.composite
def deliveries(draw: st.DrawFn, kind: Kind, pieces: Sequence[Piece], runs: int, *, changes: bool = False) -> History:
    """Deliver pieces in this many runs; files come again, under the same name or another one, or changed."""
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
    """Draw a new version of a file's pieces: some gone, some corrected, some new."""
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
    """Draw runs for which the oracle knows the answer; each finds its files, beside those of the runs before it."""
    songs = draw(catalogues())
    plays = draw(events(songs))
    of_events = draw(spoilt("events", plays)) if dirty else plays
    of_songs = draw(spoilt("songs", songs)) if dirty else songs
    history = draw(delivered(of_events, of_songs, draw(st.integers(1, max_runs)), changes=changes))
    if draw(CHANCE) == 0:
        path = draw(st.sampled_from(NOT_OURS))
        history[0].append(Delivered("events", path, draw(contents(draw(events(max_size=2))))))
    return settled(history)


def settled(history: History) -> History:
    """Take back changed files, the last first, until no two events contradict each other."""
    while True:
        try:
            oracle.warehouse(history)
        except Conflict:
            history = without_last_change(history)
        else:
            return history


def without_last_change(history: History) -> History:
    """Leave out the last file of events that was delivered before with other content."""
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

    Records of one song agree, since the last one delivered wins. Events may contradict each other, unless told not to.
    """
    songs = draw(catalogues(disagreeing=False))
    plays = draw(events(songs, conflict_free=conflict_free))
    one, other = (draw(delivered(plays, songs, draw(st.integers(1, max_runs)))) for _ in range(2))
    return one, other


@st.composite
def delivered(
    draw: st.DrawFn, plays: Sequence[Piece], songs: Sequence[Piece], runs: int, *, changes: bool = False
) -> History:
    """Deliver events and songs side by side."""
    of_events = draw(deliveries("events", plays, runs, changes=changes))
    of_songs = draw(deliveries("songs", songs, runs, changes=changes))
    return [[*some, *others] for some, others in zip(of_events, of_songs, strict=True)]


def lay_out(run: Iterable[Delivered], log_data: Path, song_data: Path) -> None:
    """Write a run's files into the two folders, and leave those alone whose content is there already."""
    for file in run:
        target = (log_data if file.kind == "events" else song_data) / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != file.content:
            target.write_bytes(file.content)
