"""The oracle gives the rows that were computed by hand."""

import gzip
import json
from datetime import datetime
from typing import Any

import pytest
from tests.promises import oracle, strategies
from tests.promises.oracle import Conflict, Row, warehouse
from tests.promises.oracle_files import Delivered

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
    """Return the time of an ISO text."""
    return datetime.fromisoformat(text)


def log(*records: dict[str, Any] | str | bytes, path: str = "log.json") -> Delivered:
    """Return a file of events, one a line."""
    return Delivered("events", path, lines(records))


def catalogue(*records: dict[str, Any] | str | bytes, path: str = "songs.json") -> Delivered:
    """Return a file of songs, one a line."""
    return Delivered("songs", path, lines(records))


def lines(records: tuple[dict[str, Any] | str | bytes, ...]) -> bytes:
    """Return records as lines; text and bytes are not changed."""
    as_text = [json.dumps(record) if isinstance(record, dict) else record for record in records]
    return b"\n".join(line.encode() if isinstance(line, str) else line for line in as_text)


def load(*files: Delivered) -> Tables:
    """Return the warehouse after one run."""
    return warehouse([files])


# Rows computed by hand


def test_one_play_and_its_song_fill_every_table() -> None:
    """A play, a page view without a user and a song give exactly these rows."""
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
            ("1541105830796-38-0-39", start, "39", "free", "SOA", "ARA", 38, 0, "London", "curl", track),
        ],
        "page_views": [
            (
                *("1546214400000-38-0-", at("2018-12-31"), None, "free", "Home", "Logged Out", "GET", 200),
                *(38, 0, None, None),
            ),
        ],
        "users": [("39", "Walter", "Frye", "M", "free", at("2018-10-30T17:06:06.796"), start, 38, 0)],
        "songs": [("SOA", "Intro", "ARA", None, 200.5, "Ana")],
        "artists": [("ARA", "Ana", "London", 51.5, -0.1)],
        "catalogue": [("SOA", "Intro", "ARA", "Ana", "London", 51.5, -0.1, 200.5, None)],
        "time": [(start, 20, 1, 44, 11, 2018, 4), (at("2018-12-31"), 0, 31, 1, 12, 2018, 1)],
        "tracks": [(*track, "SOA", "ARA")],
        "rejected": [],
    }


@pytest.mark.parametrize(
    ("ts", "row"),
    [
        (946684800000, (at("2000-01-01"), 0, 1, 52, 1, 2000, 6)),
        (1609632000999, (at("2021-01-03T00:00:00.999"), 0, 3, 53, 1, 2021, 0)),
        (253402300799999, (at("9999-12-31T23:59:59.999"), 23, 31, 52, 12, 9999, 5)),
    ],
)
def test_calendar_has_iso_weeks_and_begins_on_sunday(ts: int, row: Row) -> None:
    """Week is the ISO week, year is the calendar year, and weekday 0 is Sunday."""
    assert load(log(VIEW | {"ts": ts}))["time"] == [row]


def test_user_is_as_of_the_latest_event_whatever_came_last() -> None:
    """A user is as of the latest event by time and item, not of the event loaded last."""
    tables = warehouse(
        [
            [log(PLAY | {"level": "paid", "itemInSession": 2, "gender": None}, path="late.json")],
            [log(PLAY | {"itemInSession": 10, "ts": 1541105830795}, PLAY | {"itemInSession": 1}, path="early.json")],
        ]
    )
    start = at("2018-11-01T20:57:10.796")
    assert tables["users"] == [("39", "Walter", "Frye", None, "paid", at("2018-10-30T17:06:06.796"), start, 38, 2)]


def test_page_view_shows_its_user() -> None:
    """A page view is enough for a row of its user, and an event without a user adds none."""
    users = load(log(VIEW | {"userId": 7, "level": "paid"}, VIEW | {"userId": ""}))["users"]
    assert users == [("7", None, None, None, "paid", None, at("2018-11-01T20:57:10.796"), 38, 0)]


def test_last_record_of_a_song_wins_by_run_path_and_place() -> None:
    """Of several records of one song, the one in the last run, then the last path, then the last line wins."""
    first, second, third = (SONG | {"title": title} for title in ("first", "second", "third"))
    files = [catalogue(second, third, path="b.json"), catalogue(first, path="a/z.json")]
    assert load(*files)["songs"][0][1] == "third"
    assert warehouse([files, [catalogue(second, path="a.json")]])["songs"][0][1] == "second"


def test_paths_are_ordered_by_code_point() -> None:
    """Paths are ordered by code point: - before /, and U+FF5E before U+1F600."""
    first, second = (SONG | {"title": title} for title in ("first", "second"))
    assert load(catalogue(second, path="a/b.json"), catalogue(first, path="a-1/b.json"))["songs"][0][1] == "second"
    assert (
        load(catalogue(second, path="\U0001f600.json"), catalogue(first, path="\uff5e.json"))["songs"][0][1] == "second"
    )


def test_unchanged_file_is_not_delivered_again() -> None:
    """An unchanged file is not loaded again; under another name it is a new delivery."""
    old, new = catalogue(SONG, path="a.json"), catalogue(SONG | {"title": "new"}, path="b.json")
    assert warehouse([[old], [new], [old, new]])["songs"][0][1] == "new"
    assert warehouse([[old], [new], [catalogue(SONG, path="c.json")]])["songs"][0][1] == "Intro"


def test_artist_has_the_shortest_name_and_the_most_complete_place() -> None:
    """An artist has the shortest name, and the place with coordinates, else with a location, else the first."""
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
    """A track matches a song of equal title, artist and duration; among several, the one with the smallest id."""
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
    """A play and a song that both lack a duration do not match."""
    tracks = load(log(PLAY | {"length": None}), catalogue(SONG | {"duration": None}))["tracks"]
    assert tracks == [("Intro", "Ana", None, None, "ARA")]


def test_late_song_is_found_by_earlier_plays() -> None:
    """A song of a later run matches the plays of earlier runs."""
    assert warehouse([[log(PLAY)], [catalogue(SONG)]]) == load(log(PLAY), catalogue(SONG))


# Keys


def test_repeated_event_is_one_row() -> None:
    """The same event in two spellings, files and runs is one row."""
    again = PLAY | {"ts": "1541105830796.0", "userId": 39, "extra": [1]}
    assert warehouse([[log(PLAY, again)], [log(again, path="copy.json")]]) == load(log(PLAY))


def test_a_play_and_a_view_may_share_a_key() -> None:
    """Keys are unique within a fact table, not across both."""
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
    """Two events that share a key, or a user and a time, but differ otherwise raise Conflict."""
    with pytest.raises(Conflict):
        load(log(PLAY, PLAY | other))


def test_changed_file_replaces_its_records() -> None:
    """A changed file replaces the records with the same keys, and its other old records stay."""
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
        ("userAgent", "22.0", "22"),
        ("userAgent", "2.20e1", "22"),
        ("userAgent", "22.50", "22.5"),
        ("userAgent", "1e16", "10000000000000000"),
        ("userAgent", '"22.0"', "22.0"),
        ("userAgent", "12345678901234567890123", "12345678901234567890123"),
        ("level", '""', None),
        ("level", '" "', None),
        ("location", '"' + "\u00e9" * 256 + '"', "\u00e9" * 256),
        ("location", json.dumps(strategies.mangled("\u00e9" * 256, 3)), "\u00e9" * 256),
        ("lastName", '"\\ud83d\\ude00"', "\U0001f600"),
    ],
)
def test_value_is_taken_as(name: str, written: str, value: object) -> None:
    """A number becomes text where text is due, a whole number may be a float or a text, and "" is null."""
    record = tuple((key, json.dumps(other)) for key, other in PLAY.items() if key != name)
    values = strategies.values_of("events", (*record, (name, written)))
    assert values is not None
    assert (values[name], type(values[name])) == (value, type(value))


@pytest.mark.parametrize(("name", "written"), strategies.VIOLATIONS["events"])
def test_violation_rejects_the_event(name: str, written: str) -> None:
    """An event with an invalid value is rejected, and the event beside it is loaded."""
    record = [(key, json.dumps(other)) for key, other in PLAY.items() if key != name]
    tables = load(log(strategies.compact((*record, (name, written))), PLAY))
    assert (tables["rejected"], len(tables["songplays"])) == ([("events", "log.json", 1)], 1)


@pytest.mark.parametrize(("name", "written"), strategies.VIOLATIONS["songs"])
def test_violation_rejects_the_song(name: str, written: str) -> None:
    """A song with an invalid value is rejected, and the song beside it is loaded."""
    record = [(key, json.dumps(other)) for key, other in SONG.items() if key != name]
    tables = load(catalogue(SONG, strategies.compact((*record, (name, written)))))
    assert (tables["rejected"], len(tables["songs"])) == ([("songs", "songs.json", 2)], 1)


@pytest.mark.parametrize("name", ["ts", "page", "sessionId", "itemInSession", "userId", "song", "artist"])
def test_play_without_a_required_key_is_rejected(name: str) -> None:
    """A play without a required key is rejected."""
    record = {key: value for key, value in PLAY.items() if key != name}
    assert load(log(record))["rejected"] == [("events", "log.json", 1)]


def test_keys_match_in_any_case_and_best_exactly() -> None:
    """A key matches in any case, and its exact name takes precedence."""
    shouted = {key.upper(): value for key, value in PLAY.items()}
    both = {"TS": "nonsense", "page": "Home"} | PLAY | {"Level": []}
    assert load(log(shouted, both)) == load(log(PLAY))


def test_known_key_given_twice_rejects_the_record() -> None:
    """A known key given twice rejects its record, and an unknown key does not."""
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
    """UTF-8 read as Latin-1 is undone up to three times, and truncated punctuation is restored."""
    assert oracle.repair(text) == repaired


# Files


@pytest.mark.parametrize("path", ["log.json.gz", "log.json", "log.jsonl.gz", "log.ndjson"])
def test_compressed_file_holds_the_same(path: str) -> None:
    """A gzip file gives the same as its text, whatever its name."""
    packed = Delivered("events", path, gzip.compress(json.dumps(PLAY).encode()))
    assert load(packed) == load(log(PLAY))


@pytest.mark.parametrize("path", ["_SUCCESS.json", ".a.json", "_tmp/a.json", "a/.b/c.json", "a.txt", "a.json.tmp"])
def test_file_is_skipped(path: str) -> None:
    """Hidden files, files in hidden folders and files with another suffix are skipped."""
    assert not any(load(log(PLAY, "what", path=path)).values())
