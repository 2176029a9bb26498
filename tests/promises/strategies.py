"""Hypothesis strategies for records: catalogues and events, good and bad.

The pools are small on purpose, so that plays match songs, artists get several names, and records repeat or disagree.
The values of a record are drawn apart from its spelling, so that one event can occur in several spellings.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hypothesis import strategies as st
from tests.promises import oracle
from tests.promises.oracle import Values
from tests.promises.oracle_files import JSON, Kind

Record = tuple[tuple[str, str], ...]  # each key with the JSON text of its value


@dataclass(frozen=True)
class Broken:
    """Bytes in place of a record: not a readable object, or one that must be rejected."""

    content: bytes


Piece = Record | Broken


def mangled(text: str, times: int = 1) -> str:
    """Return text whose UTF-8 was read as Latin-1."""
    for _ in range(times):
        text = text.encode().decode("latin-1")
    return text


# Values: small pools, with the texts and numbers that are hard on a loader

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
    "\u00e9" * 256,  # 512 bytes, the width of a title
)
SONG_IDS = ("SOA", "SOa", "SO\u00c9", "SO\uff5e", "SO\U0001f600", "18")
ARTIST_IDS = ("ARB", "ARa", "AR\uff5e", "AR\U0001f600")
DURATIONS = (None, 200.0, 194.35057, 0.0, 214.00000000000003, 999999999999999.0)
PLACES = (None, None, "Reykjav\u00edk", "London, UK", "\U0001f5fc", "A\x18B\x19")
COORDINATES = (None, None, 0.0, 64.14735, -21.94067, -0.5, 999.0, 1e17)
YEARS = (None, 0, 1999, 2018, -1, 999, 20180, 10**20)
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
    oracle.FIRST_MILLISECOND,
    oracle.LAST_MILLISECOND,
)
SESSIONS = (38, 38, 139, 0, 2**63 - 1)
ITEMS = (0, 0, 1, 2)


SONG_POOLS: dict[str, tuple[object, ...]] = {
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
VIEW_POOLS: dict[str, tuple[object, ...]] = {
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
PLAY_POOLS = VIEW_POOLS | {
    "userId": USER_IDS,
    "page": ("NextSong",),
    "song": NAMES,
    "artist": NAMES,
    "length": DURATIONS,
}


def values_from(pools: dict[str, tuple[object, ...]]) -> st.SearchStrategy[Values]:
    """Draw a value for each column from its pool."""
    return st.fixed_dictionaries({name: st.sampled_from(pool) for name, pool in pools.items()})


SONG_VALUES, PLAY_VALUES, VIEW_VALUES = map(values_from, (SONG_POOLS, PLAY_POOLS, VIEW_POOLS))
CHANCE = st.integers(0, 7)


@st.composite
def event_values(draw: st.DrawFn, songs: Sequence[Values] = ()) -> Values:
    """Draw the values of one event; most plays are of one of these songs."""
    values = draw(PLAY_VALUES if draw(CHANCE) > 2 else VIEW_VALUES)
    credited = [song for song in songs if song["title"] is not None and song["artist_name"] is not None]
    if values["page"] == "NextSong" and credited and draw(CHANCE) > 1:
        song = draw(st.sampled_from(credited))
        values |= {"song": song["title"], "artist": song["artist_name"]}
        if draw(CHANCE) > 1:
            values["length"] = song["duration"]
    return values


# Spellings: numbers as text, keys in other cases, missing and unknown keys, mangled letters

UNKNOWN: tuple[tuple[str, str], ...] = (
    ("extra", '{"ts": [1, {"b": "}{"}], "c": {}}'),
    ("\u00dcn\u00ef\U0001f600", '"\\u00e9"'),
    ("", "null"),
    ("deviceId", "-0.5e-3"),
)
CASES = st.sampled_from(("exact", "exact", "exact", "lower", "upper"))
# Texts that can be written as numbers.
BARE = {"0": ["0", "0.0", "-0.0"], "8": ["8", "8.0"], "18": ["18"], "22": ["22", "22.00", "2.2e1"], "39": ["39.0"]}


@lru_cache(maxsize=None, typed=True)
def spelling(name: str, value: object) -> st.SearchStrategy[str | None]:
    """Draw a spelling of one value."""
    return st.sampled_from(spellings(name, value))


def spellings(name: str, value: object) -> list[str | None]:
    """Return the spellings of one value as JSON; None leaves the key out."""
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
    """Draw a spelling of a record."""
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
        pairs.insert(0, (pairs[0][0].upper(), "[]"))  # The exact name takes precedence.
    return tuple(pairs)


def values_of(kind: Kind, record: Record) -> Values | None:
    """Return the values of a record, or None if the contract rejects it."""
    try:
        return oracle.accepted(kind, JSON.decode(compact(record)))
    except ValueError:
        return None


@st.composite
def catalogues(draw: st.DrawFn, *, disagreeing: bool = True, max_size: int = 8) -> list[Record]:
    """Draw the records of a catalogue; records of one song may disagree, if allowed."""
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
    """Draw events; some occur again in another spelling, and some contradict another one, if allowed."""
    known = [values for song in songs if (values := values_of("songs", song)) is not None]
    drawn = draw(st.lists(event_values(known), max_size=max_size))
    records: list[Record] = []
    for values in drawn:
        records.append(draw(spelt(values)))
        fate = draw(CHANCE)
        if fate == 0:
            records.append(draw(spelt(values)))
        elif fate == 1:
            records.append(draw(spelt(draw(contradicting(values)))))
    return without_conflicts(records) if conflict_free else records


@st.composite
def contradicting(draw: st.DrawFn, values: Values) -> Values:
    """Draw an event with the same key and other values."""
    other = draw(event_values())
    names = ["level", "location", "userAgent", "firstName", "registration"]
    names += ["song", "artist", "length"] if values["page"] == "NextSong" == other["page"] else []
    names += ["auth", "method", "status"] if values["page"] != "NextSong" else []
    changed = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
    return values | {name: other[name] for name in changed}


def without_disagreements(songs: Iterable[Record]) -> list[Record]:
    """Leave out each record that disagrees with the first record of its song."""
    known: dict[str, oracle.Song] = {}
    kept: list[Record] = []
    for record in songs:
        values = values_of("songs", record)
        if values is None or known.setdefault(values["song_id"], oracle.song_of(values)) == oracle.song_of(values):
            kept.append(record)
    return kept


def without_conflicts(records: Iterable[Record]) -> list[Record]:
    """Leave out each event that contradicts an earlier one in its fact or its user."""
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


# Bad records

VIOLATIONS: dict[Kind, tuple[tuple[str, str], ...]] = {
    "events": (
        ("ts", "null"),
        ("ts", "-1"),
        ("ts", str(oracle.FIRST_MILLISECOND - 1)),
        ("level", '"gold"'),
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
        ("artist_longitude", "true"),
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
    """Insert a few bad records and broken pieces among good records."""
    pieces: list[Piece] = list(records)
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        broken = st.sampled_from(BROKEN).map(Broken)
        bad = st.one_of(st.sampled_from(records).flatmap(lambda record: violated(kind, record)), broken)
        pieces.insert(draw(st.integers(0, len(pieces))), draw(bad if records else broken))
    return pieces


def compact(record: Record) -> str:
    """Return a record on one line."""
    return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{value}" for key, value in record) + "}"
