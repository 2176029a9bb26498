"""The oracle by itself: on the real data it gives the known counts, and on small cases the rows computed by hand."""

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.promises import oracle, strategies
from tests.promises.oracle import Conflict, Delivered, Row, warehouse
from tests.support.realdata import catalogue_records

Tables = dict[str, list[Row]]

PLAY: dict[str, Any] = {
    "ts": 1541105830796,
    "page": "NextSong",
    "sessionId": 38,
    "itemInSession": 0,
    "userId": "39",
    "song": "Intro",
    "artist": "Ana",
    "length": 200.5,
    "level": "free",
    "location": "London",
    "userAgent": "curl",
    "firstName": "Walter",
    "lastName": "Frye",
    "gender": "M",
    "registration": 1540919166796.0,
}
VIEW: dict[str, Any] = {"ts": 1541105830796, "page": "Home", "sessionId": 38, "itemInSession": 0}
SONG: dict[str, Any] = {
    "song_id": "SOA",
    "title": "Intro",
    "artist_id": "ARA",
    "artist_name": "Ana",
    "duration": 200.5,
    "year": 0,
    "artist_location": "London",
    "artist_latitude": 51.5,
    "artist_longitude": -0.1,
    "num_songs": 1,
}


def at(text: str) -> datetime:
    """Return a time by its ISO text."""
    return datetime.fromisoformat(text)


def log(*records: dict[str, Any] | str | bytes, path: str = "log.json") -> Delivered:
    """Deliver a file of events, one a line."""
    return Delivered("events", path, lines(records))


def catalogue(*records: dict[str, Any] | str | bytes, path: str = "songs.json") -> Delivered:
    """Deliver a file of songs, one a line."""
    return Delivered("songs", path, lines(records))


def lines(records: tuple[dict[str, Any] | str | bytes, ...]) -> bytes:
    """Write records as lines; text and bytes as they are."""
    as_text = [json.dumps(record) if isinstance(record, dict) else record for record in records]
    return b"\n".join(line.encode() if isinstance(line, str) else line for line in as_text)


def load(*files: Delivered) -> Tables:
    """Return the warehouse after one run."""
    return warehouse([files])


# The real data


@pytest.fixture(scope="module")
def data(real: Path) -> Path:
    """Return the folder of the real data."""
    return real


@pytest.fixture(scope="module")
def real_logs(data: Path) -> list[Delivered]:
    """Return the 30 files of events."""
    return delivered_from(data / "log_data", "events")


@pytest.fixture(scope="module")
def with_some_songs(data: Path, real_logs: list[Delivered]) -> Tables:
    """Return the warehouse of the logs and the 71 songs."""
    return load(*real_logs, *delivered_from(data / "song_data", "songs"))


@pytest.fixture(scope="module")
def whole_catalogue(data: Path) -> list[Delivered]:
    """Return the 14,896 files of songs."""
    return [Delivered("songs", name, content) for name, content in catalogue_records(data)]


@pytest.fixture(scope="module")
def with_every_song(real_logs: list[Delivered], whole_catalogue: list[Delivered]) -> Tables:
    """Return the warehouse of the logs and the whole catalogue."""
    return load(*real_logs, *whole_catalogue)


def delivered_from(folder: Path, kind: oracle.Kind) -> list[Delivered]:
    """Deliver every file below a folder."""
    return [Delivered(kind, str(path.relative_to(folder)), path.read_bytes()) for path in folder.rglob("*.json")]


def counts(tables: Tables) -> dict[str, int]:
    """Count what the data's own README counts."""
    plays = tables["songplays"]
    return {
        "songplays": len(plays),
        "with a song_id": sum(play[4] is not None for play in plays),
        "with an artist_id": sum(play[5] is not None for play in plays),
        "times of plays": len({play[1] for play in plays}),
        "paid": sum(user[4] == "paid" for user in tables["users"]),
        **{table: len(tables[table]) for table in ("page_views", "users", "songs", "artists", "time", "rejected")},
    }


SAME_FOR_ANY_CATALOGUE = {
    "songplays": 6_820,
    "times of plays": 6_813,
    "page_views": 1_236,
    "users": 97,
    "paid": 22,
    "time": 8_023,
    "rejected": 0,
}


def test_real_logs_with_71_songs_give_the_known_counts(with_some_songs: Tables) -> None:
    """The logs and the 71 songs give the counts that public projects report."""
    matched = {"with a song_id": 1, "with an artist_id": 21, "songs": 71, "artists": 69}
    assert counts(with_some_songs) == SAME_FOR_ANY_CATALOGUE | matched


def test_real_logs_with_the_whole_catalogue_give_the_known_counts(with_every_song: Tables) -> None:
    """The logs and the 14,896 songs give the counts that public projects report."""
    matched = {"with a song_id": 327, "with an artist_id": 4_451, "songs": 14_896, "artists": 9_553}
    assert counts(with_every_song) == SAME_FOR_ANY_CATALOGUE | matched


def test_user_15_ends_paid(with_some_songs: Tables) -> None:
    """The user who goes paid, free and paid in one day is paid in the end."""
    assert [user[4] for user in with_some_songs["users"] if user[0] == "15"] == ["paid"]


def test_unknown_years_are_null(with_every_song: Tables) -> None:
    """The 4,762 songs of year 0 have no year."""
    assert sum(song[3] is None for song in with_every_song["songs"]) == 4_762


def test_duration_tells_recordings_apart(with_every_song: Tables) -> None:
    """For 14 plays the catalogue has only another recording of what was played."""
    assert plays_of_known_names(with_every_song) == 327 + 14


def test_text_repair_finds_8_more_songs(
    real_logs: list[Delivered], whole_catalogue: list[Delivered], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the text repair only 319 plays find their song, or 333 if the duration is ignored."""
    monkeypatch.setattr(oracle, "repair", str)
    tables = load(*real_logs, *whole_catalogue)
    assert (counts(tables)["with a song_id"], plays_of_known_names(tables)) == (319, 333)


def plays_of_known_names(tables: Tables) -> int:
    """Count the plays whose title and artist are those of a song, whatever its duration."""
    known = {(song[1], song[5]) for song in tables["songs"]}
    return sum(play[-1][:2] in known for play in tables["songplays"])


# Rows computed by hand


def test_one_play_and_its_song_fill_every_table() -> None:
    """A play, a logged-out view and a song give these rows, and no others."""
    start = at("2018-11-01T20:57:10.796")
    track = ("Intro", "Ana", 200.5)
    view = VIEW | {
        "ts": 1546214400000,
        "userId": "",
        "level": "free",
        "auth": "Logged Out",
        "status": 200,
        "method": "GET",
    }
    assert load(log(PLAY, view), catalogue(SONG)) == {
        "songplays": [
            ("1541105830796-38-0-39", start, "39", "free", "SOA", "ARA", 38, "London", "curl", track),
        ],
        "page_views": [
            (
                *("1546214400000-38-0-", at("2018-12-31"), None, "free", "Home", "Logged Out", "GET", 200),
                *(38, None, None),
            ),
        ],
        "users": [("39", "Walter", "Frye", "M", "free", at("2018-10-30T17:06:06.796"), start)],
        "songs": [("SOA", "Intro", "ARA", None, 200.5, "Ana")],
        "artists": [("ARA", "Ana", "London", 51.5, -0.1)],
        "time": [(start, 20, 1, 44, 11, 2018, 4), (at("2018-12-31"), 0, 31, 1, 12, 2018, 1)],
        "tracks": [(*track, "SOA", "ARA")],
        "rejected": [],
    }


@pytest.mark.parametrize(
    ("ts", "row"),
    [
        (0, (at("1970-01-01"), 0, 1, 1, 1, 1970, 4)),
        (1609632000999, (at("2021-01-03T00:00:00.999"), 0, 3, 53, 1, 2021, 0)),
        (253402300799999, (at("9999-12-31T23:59:59.999"), 23, 31, 52, 12, 9999, 5)),
    ],
)
def test_calendar_has_iso_weeks_and_begins_on_sunday(ts: int, row: Row) -> None:
    """The week is the ISO week, the year the calendar year, and weekday 0 is Sunday."""
    assert load(log(VIEW | {"ts": ts}))["time"] == [row]


def test_user_is_as_of_the_latest_event_whatever_came_last() -> None:
    """An older event that is loaded later does not set a user back, and a later item of the same moment wins."""
    tables = warehouse(
        [
            [log(PLAY | {"level": "paid", "itemInSession": 2, "gender": None}, path="late.json")],
            [log(PLAY | {"itemInSession": 10, "ts": 1541105830795}, PLAY | {"itemInSession": 1}, path="early.json")],
        ]
    )
    start = at("2018-11-01T20:57:10.796")
    assert tables["users"] == [("39", "Walter", "Frye", None, "paid", at("2018-10-30T17:06:06.796"), start)]


def test_views_show_users_and_logged_out_views_none() -> None:
    """A user known from a page view alone has a row, and an event without a user gives none."""
    users = load(log(VIEW | {"userId": 7, "level": "paid"}, VIEW | {"userId": ""}))["users"]
    assert users == [("7", None, None, None, "paid", None, at("2018-11-01T20:57:10.796"))]


def test_last_record_of_a_song_wins_by_run_path_and_place() -> None:
    """Among records of one song a later run beats an earlier one, then a later path, then a later line."""
    first, second, third = (SONG | {"title": title} for title in ("first", "second", "third"))
    files = [catalogue(second, third, path="b.json"), catalogue(first, path="a/z.json")]
    assert load(*files)["songs"][0][1] == "third"
    assert warehouse([files, [catalogue(second, path="a.json")]])["songs"][0][1] == "second"


def test_paths_are_ordered_by_code_point() -> None:
    """The order of paths is that of code points: - before /, and U+FF5E before U+1F600."""
    first, second = (SONG | {"title": title} for title in ("first", "second"))
    assert load(catalogue(second, path="a/b.json"), catalogue(first, path="a-1/b.json"))["songs"][0][1] == "second"
    assert (
        load(catalogue(second, path="\U0001f600.json"), catalogue(first, path="\uff5e.json"))["songs"][0][1] == "second"
    )


def test_unchanged_file_is_not_delivered_again() -> None:
    """A file that comes again as it was is already loaded; under another name it is a delivery."""
    old, new = catalogue(SONG, path="a.json"), catalogue(SONG | {"title": "new"}, path="b.json")
    assert warehouse([[old], [new], [old, new]])["songs"][0][1] == "new"
    assert warehouse([[old], [new], [catalogue(SONG, path="c.json")]])["songs"][0][1] == "Intro"


def test_artist_has_the_shortest_name_and_the_most_complete_place() -> None:
    """The name is the shortest, then by code point; the place has coordinates, or else a location, or is the first."""
    names = ["Zed", "abc", "Abcd", None]
    places = [("A", None, None), ("C", 1.0, 2.0), ("B", 1.0, None), (None, 0.0, 0.0), ("C", 0.5, 3.0)]
    songs = [SONG | {"song_id": f"N{n}", "artist_name": name} | place_of(*places[0]) for n, name in enumerate(names)]
    songs += [SONG | {"song_id": f"P{n}", "artist_name": None} | place_of(*place) for n, place in enumerate(places)]
    assert load(catalogue(*songs))["artists"] == [("ARA", "Zed", "C", 0.5, 3.0)]
    assert load(catalogue(*songs[:-4], songs[-3]))["artists"] == [("ARA", "Zed", "A", None, None)]


def place_of(location: str | None, latitude: float | None, longitude: float | None) -> dict[str, Any]:
    """Return the keys of an artist's place."""
    return {"artist_location": location, "artist_latitude": latitude, "artist_longitude": longitude}


def test_track_is_matched_exactly_and_by_the_smallest_id() -> None:
    """Title, credited artist and duration must be equal; several songs give the smallest id, in code-point order."""
    songs = [
        SONG | {"song_id": song_id, "artist_id": artist_id} for song_id, artist_id in (("SOa", "AR1"), ("SOZ", "AR2"))
    ]
    plays = [PLAY, PLAY | {"itemInSession": 1, "length": 200.50001}, PLAY | {"itemInSession": 2, "length": None}]
    plays += [PLAY | {"itemInSession": 3, "artist": "ana"}]
    assert load(log(*plays), catalogue(*songs))["tracks"] == [
        ("Intro", "Ana", 200.5, "SOZ", "AR2"),
        ("Intro", "Ana", 200.50001, None, "AR1"),
        ("Intro", "Ana", None, None, "AR1"),
        ("Intro", "ana", 200.5, None, None),
    ]


def test_null_duration_matches_no_song() -> None:
    """A play and a song that both have no duration are not known to be the same recording."""
    tracks = load(log(PLAY | {"length": None}), catalogue(SONG | {"duration": None}))["tracks"]
    assert tracks == [("Intro", "Ana", None, None, "ARA")]


def test_late_song_is_found_by_earlier_plays() -> None:
    """A song that arrives in a later run is matched to the plays of an earlier one."""
    assert warehouse([[log(PLAY)], [catalogue(SONG)]]) == load(log(PLAY), catalogue(SONG))


# Keys


def test_repeated_event_is_one_row() -> None:
    """The same event in two spellings, two files and two runs is one row."""
    again = PLAY | {"ts": "1541105830796.0", "userId": 39, "extra": [1]}
    assert warehouse([[log(PLAY, again)], [log(again, path="copy.json")]]) == load(log(PLAY))


def test_a_play_and_a_view_may_share_a_key() -> None:
    """Keys are unique within a table, not across the two facts."""
    tables = load(log(PLAY, PLAY | {"page": "Home"}))
    assert [len(tables[table]) for table in ("songplays", "page_views")] == [1, 1]


@pytest.mark.parametrize(
    "other",
    [
        {"location": "Paris"},
        {"song": "Outro"},
        {"length": None},
        {"firstName": "Ana"},
        {"sessionId": 39, "level": "paid"},
    ],
)
def test_contradiction_is_a_conflict(other: dict[str, Any]) -> None:
    """Two events of one key, or of one user and moment, that say different things raise Conflict."""
    with pytest.raises(Conflict):
        load(log(PLAY, PLAY | other))


def test_changed_file_replaces_its_records() -> None:
    """A file that changed replaces the records with the same key, and those it no longer has stay."""
    other = PLAY | {"itemInSession": 1}
    tables = warehouse([[log(PLAY, other)], [log(PLAY | {"level": "paid", "song": "Outro"})]])
    assert [(play[0], play[3], play[-1][0]) for play in tables["songplays"]] == [
        ("1541105830796-38-0-39", "paid", "Outro"),
        ("1541105830796-38-1-39", "free", "Intro"),
    ]
    assert [track[0] for track in tables["tracks"]] == ["Intro", "Outro"]


# The contract


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("ts", '"1.541105830796e12"', 1541105830796),
        ("ts", "1541105830796.0", 1541105830796),
        ("sessionId", "-9223372036854775808", -(2**63)),
        ("status", '""', None),
        ("registration", "1540919166796.0", 1540919166796),
        ("length", '"0200.50"', 200.5),
        ("length", "3", 3.0),
        ("length", '""', None),
        ("userId", "39", "39"),
        ("userAgent", "22.0", "22.0"),
        ("userAgent", "2.20e1", "22.0"),
        ("userAgent", "12345678901234567890123", "12345678901234567890123"),
        ("level", '""', None),
        ("level", '" "', None),
        ("location", '"' + "\u00e9" * 256 + '"', "\u00e9" * 256),
        ("location", json.dumps(strategies.mangled("\u00e9" * 256, 3)), "\u00e9" * 256),
        ("lastName", '"\\ud83d\\ude00"', "\U0001f600"),
    ],
)
def test_value_is_taken_as(name: str, written: str, value: object) -> None:
    """Numbers become text where text is due, whole numbers may be written in any way, and "" is null."""
    record = tuple((key, json.dumps(other)) for key, other in PLAY.items() if key != name)
    values = strategies.values_of("events", (*record, (name, written)))
    assert values is not None
    assert (values[name], type(values[name])) == (value, type(value))


@pytest.mark.parametrize(("name", "written"), strategies.VIOLATIONS["events"])
def test_violation_rejects_the_event(name: str, written: str) -> None:
    """An event with a value that breaks the contract is rejected, and the one beside it is loaded."""
    record = [(key, json.dumps(other)) for key, other in PLAY.items() if key != name]
    tables = load(log(strategies.compact((*record, (name, written))), PLAY))
    assert (tables["rejected"], len(tables["songplays"])) == ([("events", "log.json", 1)], 1)


@pytest.mark.parametrize(("name", "written"), strategies.VIOLATIONS["songs"])
def test_violation_rejects_the_song(name: str, written: str) -> None:
    """A song with a value that breaks the contract is rejected, and the one beside it is loaded."""
    record = [(key, json.dumps(other)) for key, other in SONG.items() if key != name]
    tables = load(catalogue(SONG, strategies.compact((*record, (name, written)))))
    assert (tables["rejected"], len(tables["songs"])) == ([("songs", "songs.json", 2)], 1)


@pytest.mark.parametrize("name", ["ts", "page", "sessionId", "itemInSession", "userId", "song", "artist"])
def test_play_needs(name: str) -> None:
    """A play without one of its required keys is rejected."""
    record = {key: value for key, value in PLAY.items() if key != name}
    assert load(log(record))["rejected"] == [("events", "log.json", 1)]


def test_keys_match_in_any_case_and_best_exactly() -> None:
    """A key may be written in any case, and the exact name is preferred to another case."""
    shouted = {key.upper(): value for key, value in PLAY.items()}
    both = {"TS": "nonsense", "page": "Home"} | PLAY | {"Level": []}
    assert load(log(shouted, both)) == load(log(PLAY))


def test_known_key_given_twice_rejects_the_record() -> None:
    """A known key twice rejects a record, and an unknown one does not."""
    twice = strategies.compact((("page", '"Home"'), *((key, json.dumps(value)) for key, value in PLAY.items())))
    unknown = json.dumps(PLAY).replace("{", '{"x": 1, "x": 2, ', 1)
    tables = load(log(twice, unknown))
    assert (tables["rejected"], len(tables["songplays"])) == ([("events", "log.json", 1)], 1)


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("Bj\u00c3\u00b6rk", "Bj\u00f6rk"),
        ("Bj\u00c3\x83\u00c2\u00b6rk", "Bj\u00f6rk"),
        (strategies.mangled("\u7530\U0001f600", 3), "\u7530\U0001f600"),
        (strategies.mangled("\u00e9", 4), "\u00c3\u00a9"),
        ("Bj\u00f6rk \u00c3\u00b6", "Bj\u00f6rk \u00c3\u00b6"),
        ("\u2019 \u00c3\u00b6", "\u2019 \u00c3\u00b6"),
        ("It\x19s \x18a\x19 \x1cb\x1d \x13 \x14", "It\u2019s \u2018a\u2019 \u201cb\u201d \u2013 \u2014"),
        ("\x11\x12\x15\x16\x17\x1a\x1b\x1e\x1f", "\x11\x12\x15\x16\x17\x1a\x1b\x1e\x1f"),
    ],
)
def test_text_is_repaired(text: str, repaired: str) -> None:
    """UTF-8 read as Latin-1 is undone up to three times, where all of the text allows it, and cut quotes come back."""
    assert oracle.repair(text) == repaired


# Files


GOOD, BAD = True, False


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b" \n\t\r\n", [], id="blank"),
        pytest.param(b"\xef\xbb\xbf{}", [(1, GOOD)], id="byte order mark"),
        pytest.param(b"{}\n\n{}\r\n\r\n{}", [(1, GOOD), (3, GOOD), (5, GOOD)], id="lines, blank lines, CRLF"),
        pytest.param(b'{}{}\n{"a": "}{"} {}', [(1, GOOD), (1, GOOD), (2, GOOD), (2, GOOD)], id="several on a line"),
        pytest.param(b'{\n"a": {\n"b": "\\"}"\n}\n}\n{\n}{}', [(1, GOOD), (6, GOOD), (7, GOOD)], id="over lines"),
        pytest.param(b'{"a":\n{"b": 1}}\n{}', [(1, GOOD), (3, GOOD)], id="nested object in column 0"),
        pytest.param(b"{}\n  {}", [(1, GOOD), (2, GOOD)], id="indented"),
        pytest.param(b'{"a": "\xc2\x85\xe2\x80\xa8"}\n{}', [(1, GOOD), (2, GOOD)], id="other line separators"),
        pytest.param(b"what\n{}\nis { this\n{}", [(1, BAD), (2, GOOD), (3, BAD), (4, GOOD)], id="garbage lines"),
        pytest.param(b'{"a": 1, "b\n{}', [(1, BAD), (2, GOOD)], id="truncated line"),
        pytest.param(b'{}\n{"a": 1, "b": {', [(1, GOOD), (2, BAD)], id="truncated file"),
        pytest.param(b'{"a": 1\nwhat\n {}\n{}', [(1, BAD), (4, GOOD)], id="piece to the next object in column 0"),
        pytest.param(b'{\n"a": 1,\n{\n"b": 2\n}', [(1, BAD), (3, GOOD)], id="truncated over lines"),
        pytest.param(b'{"a": "b}\nwhat\n{}', [(1, BAD), (2, BAD), (3, GOOD)], id="candidate with an open string"),
        pytest.param(b'{"a": {"b": 1}\n{}', [(1, BAD), (2, GOOD)], id="candidate with an open brace"),
        pytest.param(b'{"a": 1}}\n{}', [(1, BAD), (2, GOOD)], id="candidate with a brace too many"),
        pytest.param(b"{'a': 1}\n{}", [(1, BAD), (2, GOOD)], id="single quotes"),
        pytest.param(b'[{"a": 1}, {}]\n{}', [(1, BAD), (2, GOOD)], id="array on a line"),
        pytest.param(b"[\n  {},\n  {}\n]\n", [(1, BAD)], id="array over lines"),
        pytest.param(b'{"a": NaN}\n{"a": -Infinity}\n{"a": 1e999}', [(1, BAD), (2, BAD), (3, GOOD)], id="not finite"),
        pytest.param(b'{"a": "\x00"}\n{"a": "\t"}\n{\x00}', [(1, BAD), (2, BAD), (3, BAD)], id="control characters"),
        pytest.param(b'{"a": "\xff"}\n{"a": "\xed\xa0\x80"}\n{}', [(1, BAD), (2, BAD), (3, GOOD)], id="invalid UTF-8"),
    ],
)
def test_file_holds(content: bytes, found: list[tuple[int, bool]]) -> None:
    """Objects are found one a line, over several lines and one after the other; each broken piece counts once."""
    pieces = oracle.records(Delivered("events", "log.json", content))
    assert [(line, pairs is not None) for line, pairs in pieces] == found


@pytest.mark.parametrize(("length", "found"), [(4_194_304, GOOD), (4_194_305, BAD)])
def test_record_of_more_than_4_mib_is_rejected(length: int, found: bool) -> None:
    """The limit counts the bytes of the record from brace to brace."""
    record = b'{"a": "' + b"\xc3\xa9" * ((length - 9) // 2) + b"x" * ((length - 9) % 2) + b'"}'
    pieces = list(oracle.records(Delivered("events", "log.json", b"  " + record + b"  \n{}")))
    assert [(line, pairs is not None) for line, pairs in pieces] == [(1, found), (2, GOOD)]


def test_compressed_file_holds_the_same() -> None:
    """A .json.gz gives what the .json gives."""
    packed = Delivered("events", "log.json.gz", gzip.compress(json.dumps(PLAY).encode()))
    assert load(packed) == load(log(PLAY))


@pytest.mark.parametrize("path", ["_SUCCESS.json", ".a.json", "_tmp/a.json", "a/.b/c.json", "a.txt", "a.json.tmp"])
def test_file_is_skipped(path: str) -> None:
    """Hidden files, files in hidden folders and files of another ending are not loaded."""
    assert not any(load(log(PLAY, "what", path=path)).values())


# The strategies

drawn_slowly = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@drawn_slowly
@given(strategies.rearrangements(conflict_free=True))
def test_order_and_repetition_change_nothing(both: tuple[strategies.History, strategies.History]) -> None:
    """The same records in other files, runs and orders, some of them repeated, give the same warehouse."""
    one, other = map(warehouse, both)
    assert one == other
    assert one["rejected"] == []


@drawn_slowly
@given(strategies.histories())
def test_histories_have_one_answer(history: strategies.History) -> None:
    """What `histories` draws never contradicts itself, and every fact finds its dimensions."""
    tables = warehouse(history)
    assert {row[1] for table in ("songplays", "page_views") for row in tables[table]} == {
        row[0] for row in tables["time"]
    }
    assert {play[-1] for play in tables["songplays"]} == {track[:3] for track in tables["tracks"]}
    assert {play[2] for play in tables["songplays"]} <= {user[0] for user in tables["users"]}
    assert {play[4] for play in tables["songplays"]} <= {song[0] for song in tables["songs"]} | {None}
    assert {play[5] for play in tables["songplays"]} <= {artist[0] for artist in tables["artists"]} | {None}


@drawn_slowly
@given(strategies.histories())
def test_files_are_laid_out_as_delivered(tmp_path_factory: pytest.TempPathFactory, history: strategies.History) -> None:
    """The folders hold the last version of every file after all runs."""
    folders = {"events": tmp_path_factory.mktemp("log_data"), "songs": tmp_path_factory.mktemp("song_data")}
    for run in history:
        strategies.lay_out(run, folders["events"], folders["songs"])
    last = {folders[file.kind] / file.path: file.content for run in history for file in run}
    there = {path for folder in folders.values() for path in folder.rglob("*") if path.is_file()}
    assert {path: path.read_bytes() for path in there} == last
