"""Synthetic data has the shape of the real data, the same bytes everywhere, and an account of all its dirt."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sparkify.errors import ConfigError, SourceError
from sparkify.sample_data import listeners
from sparkify.sample_data.catalogue import COORDINATES_UNKNOWN, NEW_ARTIST, PLACE_UNKNOWN, YEAR_UNKNOWN
from sparkify.sample_data.dirty import DAY_FORMS
from sparkify.sample_data.dirty_kinds import BAD_EVENTS, BAD_SONGS, HARMLESS_EVENTS, HARMLESS_SONGS, REPAIRED
from sparkify.sample_data.generate import ARTIST_IN_CATALOGUE, IN_CATALOGUE, Generated, generate
from sparkify.sample_data.listeners import FIRST_DAY, HOURS, NEW_LEVEL, PAID_SHARE, WEEKDAYS
from sparkify.staging.mojibake import repair

Record = dict[str, Any]

EVENT_KEYS = [
    "artist", "auth", "firstName", "gender", "itemInSession", "lastName", "length", "level", "location", "method",
    "page", "registration", "sessionId", "song", "status", "ts", "userAgent", "userId",
]  # fmt: skip
SONG_KEYS = [
    "num_songs", "artist_id", "artist_latitude", "artist_longitude", "artist_location", "artist_name", "song_id",
    "title", "duration", "year",
]  # fmt: skip
WHOLE = {"ts", "sessionId", "itemInSession", "status", "year", "num_songs"}
NUMBERS = WHOLE | {"length", "registration", "duration", "artist_latitude", "artist_longitude"}
PER_USER_AND_DAY = 8056 / 97 / 30  # events, in the public sample
OF_SAMPLE = {  # events by page, in the same sample
    "NextSong": 6820, "Home": 806, "Login": 92, "Logout": 90, "Downgrade": 60, "Settings": 56, "Help": 47, "About": 36,
    "Upgrade": 21,
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """Two whole weeks of clean data."""
    return generate(tmp_path_factory.mktemp("clean"), users=1500, days=14, songs=1500, seed=7)


@pytest.fixture(scope="module")
def days(data: Generated) -> dict[str, list[Record]]:
    """The events of each day file, in their order."""
    files = sorted(data.log_data.rglob("*.json"))
    return {path.name[:10]: [json.loads(line) for line in path.read_bytes().split(b"\n")] for path in files}


@pytest.fixture(scope="module")
def events(days: dict[str, list[Record]]) -> list[Record]:
    """All events, in the order of time."""
    return [event for day in days.values() for event in day]


@pytest.fixture(scope="module")
def plays(events: list[Record]) -> list[Record]:
    """The events that play a song."""
    return [event for event in events if event["page"] == "NextSong"]


@pytest.fixture(scope="module")
def songs(data: Generated) -> list[Record]:
    """All songs of the catalogue."""
    return [json.loads(path.read_bytes()) for path in sorted(data.song_data.rglob("*.json"))]


@pytest.fixture(scope="module")
def sessions(events: list[Record]) -> dict[int, list[Record]]:
    """The events of each session, in the order of time."""
    found: dict[int, list[Record]] = defaultdict(list)
    for event in events:
        found[event["sessionId"]].append(event)
    return found


def digest(folder: Path) -> str:
    """Return a hash of all file names and bytes in a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        if path.is_file():
            content = path.read_bytes()
            found.update(f"{path.relative_to(folder).as_posix()} {len(content)} ".encode() + content)
    return found.hexdigest()


def share(matching: int, records: list[Record]) -> float:
    """Return which share of some records so many are."""
    return matching / len(records)


# The same bytes


def test_the_same_arguments_give_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    """The hash is part of the test: whoever changes a proportion or a word changes it along, and says so."""
    generate(tmp_path, users=20, days=5, songs=20, seed=1, dirty=0.2)
    assert digest(tmp_path) == "13b1d630bee027fab23f63a7b8e90330a25d2d2ffd93006dcd01423768f614ce"


@pytest.mark.parametrize("dirty", [0.0, 0.3])
def test_a_seed_decides_the_bytes(tmp_path: Path, dirty: float) -> None:
    """One seed gives the same data twice, another one gives other data."""
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        generate(tmp_path / name, users=30, days=3, songs=30, seed=seed, dirty=dirty)
    assert digest(tmp_path / "one") == digest(tmp_path / "same")
    assert digest(tmp_path / "one") != digest(tmp_path / "other")


def test_more_days_go_on_where_fewer_stopped(tmp_path: Path) -> None:
    """The first days and the catalogue stay as they are when more days are asked for."""
    few, many = (generate(tmp_path / str(days), users=50, days=days, songs=10) for days in (4, 6))
    assert digest(few.song_data) == digest(many.song_data)
    for path in few.log_data.rglob("*.json"):
        assert path.read_bytes() == (many.log_data / path.relative_to(few.log_data)).read_bytes()


def test_more_songs_leave_the_earlier_ones_as_they_are(tmp_path: Path) -> None:
    """A catalogue grows by whole files."""
    few, many = (generate(tmp_path / str(songs), users=0, songs=songs) for songs in (10, 30))
    for path in few.song_data.rglob("*.json"):
        assert path.read_bytes() == (many.song_data / path.relative_to(few.song_data)).read_bytes()


# Files


def test_the_result_says_what_was_written(data: Generated, events: list[Record], songs: list[Record]) -> None:
    """Counts and folders of the result are those on disk."""
    assert (data.songs, data.events, data.files, data.bad_records) == (len(songs), len(events), 1500 + 14, 0)
    assert data.log_data.name == "log_data"
    assert data.song_data.name == "song_data"


def test_files_are_laid_out_as_in_the_public_bucket(data: Generated) -> None:
    """Songs lie under the third to fifth letter of their track id, days under their year and month."""
    for path in data.song_data.rglob("*.json"):
        assert path.relative_to(data.song_data).as_posix() == "/".join([*path.name[2:5], path.name])
        assert len(path.stem) == 18
    days = [FIRST_DAY + timedelta(day) for day in range(14)]
    expected = [f"{day:%Y/%m/%Y-%m-%d}-events.json" for day in days]
    assert sorted(path.relative_to(data.log_data).as_posix() for path in data.log_data.rglob("*.json")) == expected


def test_records_have_the_keys_of_the_real_ones_in_their_order(events: list[Record], songs: list[Record]) -> None:
    """Every record has every key, null where there is nothing to say."""
    assert all(list(event) == EVENT_KEYS for event in events)
    assert all(list(song) == SONG_KEYS for song in songs)


def test_a_day_file_ends_without_a_newline(data: Generated) -> None:
    """The app's own files do, and gluing them together naively loses records."""
    assert all(path.read_bytes().endswith(b"}") for path in data.log_data.rglob("*.json"))


def test_a_file_holds_its_own_utc_day_in_the_order_of_time(days: dict[str, list[Record]]) -> None:
    """A session that goes on after midnight goes on in the next file."""
    for day, events in days.items():
        times = [event["ts"] for event in events]
        assert times == sorted(times)
        assert {f"{datetime.fromtimestamp(ts / 1000, UTC):%Y-%m-%d}" for ts in (times[0], times[-1])} == {day}


@pytest.mark.parametrize("nothing", ["users", "days", "songs"])
def test_nothing_of_something_is_an_empty_part(tmp_path: Path, nothing: str) -> None:
    """No users, no days or no songs: the folders are there all the same, and the rest is complete."""
    counts = {"users": 30, "days": 3, "songs": 10, nothing: 0}
    result = generate(tmp_path, **counts)
    assert result.log_data.is_dir()
    assert result.song_data.is_dir()
    assert result.songs == counts["songs"]
    assert (result.events > 0) == (nothing == "songs")
    assert result.files == len(list(tmp_path.rglob("*.json")))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"users": -1}, r"^--users -1: .* Pass 0 or more\.$"),
        ({"days": -2}, r"^--days -2: "),
        ({"songs": -3}, r"^--songs -3: "),
        ({"users": 0, "days": 2_912_444}, r"^--days 2912444: .* Pass at most 2912443\.$"),
        ({"users": 5_000_001}, r"^--users 5000001: .* Pass at most 5000000\.$"),
        ({"songs": 5_000_001}, r"^--songs 5000001: "),
        ({"dirty": 1.5}, r"^--dirty 1.5: .* Pass a number from 0 to 1\.$"),
        ({"dirty": -0.1}, r"^--dirty -0.1: "),
        ({"dirty": float("nan")}, r"^--dirty nan: "),
    ],
)
def test_nonsense_is_refused_before_anything_is_written(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    """The message names the option and what to give."""
    with pytest.raises(ConfigError, match=message):
        generate(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder", ["log_data", "song_data"])
def test_data_that_is_there_is_not_touched(tmp_path: Path, folder: str) -> None:
    """Synthetic records never get between real ones."""
    real = tmp_path / folder / "real.json"
    real.parent.mkdir()
    real.write_text("{}")
    with pytest.raises(SourceError, match=rf"{folder}: the folder is not empty\. "):
        generate(tmp_path, users=1, days=1, songs=1)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [real]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """What the system says is said again, with the name, and without a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match=r"file.*: writing failed \(.*\)\. Name another folder\.$"):
        generate(tmp_path / "file", users=1, days=1, songs=1)


# The catalogue


def test_the_catalogue_has_the_proportions_of_the_real_one(songs: list[Record]) -> None:
    """Unknown years, places and coordinates, and songs by artist, are as frequent as the constants say."""
    assert share(sum(song["year"] == 0 for song in songs), songs) == pytest.approx(YEAR_UNKNOWN, rel=0.1)
    assert share(sum(song["artist_location"] == "" for song in songs), songs) == pytest.approx(PLACE_UNKNOWN, rel=0.1)
    without = sum(song["artist_latitude"] is None for song in songs)
    assert share(without, songs) == pytest.approx(PLACE_UNKNOWN + COORDINATES_UNKNOWN, rel=0.1)
    assert share(len({song["artist_id"] for song in songs}), songs) == pytest.approx(NEW_ARTIST, rel=0.1)


def test_latitude_and_longitude_are_there_together(songs: list[Record]) -> None:
    """They are never known one without the other."""
    assert all((song["artist_latitude"] is None) == (song["artist_longitude"] is None) for song in songs)


def test_song_ids_are_unique(songs: list[Record]) -> None:
    """A song stands once in a clean catalogue."""
    assert len({song["song_id"] for song in songs}) == len(songs)


def test_some_artists_have_several_names_and_some_names_several_artists(songs: list[Record]) -> None:
    """Both occur, rarely: what an artist is called, and who is meant by a name, must be decided."""
    names, ids = defaultdict(set), defaultdict(set)
    for song in songs:
        names[song["artist_id"]].add(song["artist_name"])
        ids[song["artist_name"]].add(song["artist_id"])
    assert 0.01 < sum(len(several) > 1 for several in names.values()) / len(names) < 0.1
    assert 0 < sum(len(several) > 1 for several in ids.values()) / len(ids) < 0.03


def test_some_text_is_not_ascii_and_all_of_it_is_clean(songs: list[Record], plays: list[Record]) -> None:
    """Accents and typographic marks occur in catalogue and logs, and there is nothing to repair."""
    for texts in (
        [song[key] for song in songs for key in ("title", "artist_name")],
        [play[key] for play in plays for key in ("song", "artist")],
    ):
        assert 0.01 < sum(not text.isascii() for text in texts) / len(texts) < 0.1
        assert set("é–—‘’“”") <= set("".join(texts))
        assert all(repair(text) == text for text in texts)


# The logs


def test_there_are_as_many_events_as_promised(data: Generated) -> None:
    """About 2.8 for each user and day, so that the size of the data can be chosen."""
    assert data.events / (1500 * 14) == pytest.approx(PER_USER_AND_DAY, rel=0.1)


def test_pages_are_as_frequent_as_in_the_sample(events: list[Record]) -> None:
    """Every page of the app is met, the more frequent ones in the sample's proportion."""
    found = Counter(event["page"] for event in events)
    for page, number in OF_SAMPLE.items():
        assert share(found[page], events) == pytest.approx(number / 8056, rel=0.25), page
    assert found.keys() - OF_SAMPLE == {"Submit Upgrade", "Submit Downgrade", "Save Settings", "Error"}


def test_every_page_leads_somewhere() -> None:
    """Who adds a page to the moves of a level must say where it leads."""
    for level, moves in listeners.MOVES.items():
        for following in moves.values():
            assert following.keys() <= {*moves, "end"}, level


def test_method_and_status_follow_from_the_page(events: list[Record]) -> None:
    """Forms are put and redirect, plays are put, an error is not found, all else is read."""
    for event in events:
        redirects = event["page"] in {"Login", "Logout", "Save Settings", "Submit Upgrade", "Submit Downgrade"}
        assert event["method"] == ("PUT" if redirects or event["page"] == "NextSong" else "GET")
        assert event["status"] == (307 if redirects else 404 if event["page"] == "Error" else 200)


def test_sessions_begin_at_the_hours_and_weekdays_of_the_sample(sessions: dict[int, list[Record]]) -> None:
    """Afternoons are busier than nights, Wednesdays busier than Sundays."""
    begun = [datetime.fromtimestamp(session[0]["ts"] / 1000, UTC) for session in sessions.values()]
    hours, weekdays = Counter(start.hour for start in begun), Counter(start.weekday() for start in begun)
    for hour, weight in enumerate(HOURS):
        assert hours[hour] / len(begun) == pytest.approx(weight / sum(HOURS), rel=0.3)
    for weekday, usual in enumerate(WEEKDAYS):
        assert weekdays[weekday] / len(begun) == pytest.approx(usual / 7, rel=0.1)


def test_sessions_are_as_long_as_in_the_sample(sessions: dict[int, list[Record]]) -> None:
    """2.0 plays in a session that begins as free, 23.8 in one that begins as paid; a quarter begins as paid."""
    lengths = defaultdict(list)
    for session in sessions.values():
        lengths[session[0]["level"]].append(sum(event["page"] == "NextSong" for event in session))
    assert sum(lengths["free"]) / len(lengths["free"]) == pytest.approx(1.96, rel=0.1)
    assert sum(lengths["paid"]) / len(lengths["paid"]) == pytest.approx(23.78, rel=0.1)
    assert len(lengths["paid"]) / len(sessions) == pytest.approx(PAID_SHARE, rel=0.15)


def test_keys_of_events_are_unique(events: list[Record]) -> None:
    """No two events share ts, session, item and user."""
    assert len({(e["ts"], e["sessionId"], e["itemInSession"], e["userId"]) for e in events}) == len(events)


def test_a_session_has_one_user_and_counts_its_items(sessions: dict[int, list[Record]]) -> None:
    """Items are numbered from 0 in the order of time; only logged-out events have no user."""
    for session in sessions.values():
        assert [event["itemInSession"] for event in session] == list(range(len(session)))
        assert all(before["ts"] < after["ts"] for before, after in pairwise(session))
        assert len({event["userId"] for event in session} - {""}) <= 1


def test_a_user_has_one_session_at_a_time(sessions: dict[int, list[Record]]) -> None:
    """The next one begins after the last one has ended."""
    spans = defaultdict(list)
    for session in sessions.values():
        if user := max(event["userId"] for event in session):
            spans[user].append((session[0]["ts"], session[-1]["ts"]))
    assert all(end < start for found in spans.values() for (_, end), (start, _) in pairwise(sorted(found)))


def test_a_song_is_followed_by_the_next_one_when_it_is_over(sessions: dict[int, list[Record]]) -> None:
    """Two plays in a row are as far apart as the first one is long; no song begins while another one plays."""
    for session in sessions.values():
        for before, after in pairwise(session):
            if before["page"] == after["page"] == "NextSong":
                assert after["ts"] - before["ts"] == int(before["length"] * 1000)
        plays = [event for event in session if event["page"] == "NextSong"]
        assert all(after["ts"] - before["ts"] >= int(before["length"] * 1000) for before, after in pairwise(plays))


def test_the_level_changes_with_an_upgrade_or_downgrade_and_only_then(events: list[Record]) -> None:
    """The event that submits the change still has the old level, every later one the new level."""
    levels: dict[str, str] = {}
    changes = 0
    for event in events:
        user = event["userId"]
        if user:
            assert event["level"] == levels.get(user, event["level"])
            levels[user] = NEW_LEVEL.get(event["page"]) or event["level"]
            changes += levels[user] != event["level"]
    assert changes > 10


def test_an_event_without_a_user_says_nothing_about_one(events: list[Record]) -> None:
    """Logged-out events have an empty userId and null in all that belongs to a user, but a level."""
    out = [event for event in events if event["auth"] == "Logged Out"]
    assert share(len(out), events) == pytest.approx(286 / 8056, rel=0.2)
    for event in events:
        nameless = [event[key] is None for key in ("firstName", "gender", "lastName", "location", "userAgent")]
        assert set(nameless) == {event["auth"] == "Logged Out"} == {event["userId"] == ""}
        assert (event["registration"] is None) == (event["userId"] == "")


def test_only_plays_have_a_song(events: list[Record]) -> None:
    """Song, artist and length are there together, exactly on NextSong."""
    for event in events:
        assert {event[key] is not None for key in ("song", "artist", "length")} == {event["page"] == "NextSong"}


def test_registration_is_a_float_of_whole_milliseconds(data: Generated) -> None:
    """As the app writes it; and every user registered before the first day."""
    for line in (data.log_data / "2026/01/2026-01-01-events.json").read_text().splitlines():
        if '"userId":""' not in line:
            text = line.partition('"registration":')[2].partition(",")[0]
            assert text.endswith(".0")
            assert float(text) < FIRST_DAY.timestamp() * 1000


def test_plays_match_the_catalogue_in_the_proportions_of_the_sample(plays: list[Record], songs: list[Record]) -> None:
    """Few plays are of a catalogue song, more are by an artist that it knows, some of these other recordings."""
    known = {(song["title"], song["artist_name"], song["duration"]) for song in songs}
    names = {song["artist_name"] for song in songs}
    matched = [play for play in plays if (play["song"], play["artist"], play["length"]) in known]
    by_known_artists = sum(play["artist"] in names for play in plays) - len(matched)
    assert share(len(matched), plays) == pytest.approx(IN_CATALOGUE, rel=0.2)
    assert share(by_known_artists, plays) == pytest.approx(ARTIST_IN_CATALOGUE, rel=0.05)
    titles = {(title, name) for title, name, _ in known}
    assert sum((play["song"], play["artist"]) in titles for play in plays) > len(matched)


def test_some_songs_are_far_more_popular_than_others(plays: list[Record]) -> None:
    """The most played track has some 0.5 % of all plays, and the upper tenth of all tracks a third."""
    counts = sorted(Counter((play["song"], play["artist"], play["length"]) for play in plays).values(), reverse=True)
    assert 0.003 < counts[0] / len(plays) < 0.008
    assert sum(counts[: len(counts) // 10]) > len(plays) / 3


def test_only_what_is_to_come_is_held_in_memory() -> None:
    """When a day is over, nothing of it is left, and sessions under way are all that there is of the next one."""
    track = listeners.Track('{"artist":"A"', "200.5", '"S","status":200,"ts":', 200_500)
    app = listeners.App(1, listeners.sign_up(1, 500), [track], [1.0])
    for number in range(20):
        date = FIRST_DAY + timedelta(number)
        events = sum(len(hour) for hour in app.day(date))
        assert min(app.hours, default=10**9) >= (date + timedelta(1)).timestamp() // 3600
        assert sum(len(hour.events) for hour in app.hours.values()) < events / 3


# Dirt


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same data twice: clean, and with something odd about a third of the records."""
    folders = tmp_path_factory.mktemp("pristine"), tmp_path_factory.mktemp("dirty")
    for folder, dirt in zip(folders, (0.0, 0.35), strict=True):
        generate(folder, users=100, days=9, songs=400, seed=3, dirty=dirt)
    return folders


def account_of(folder: Path) -> Record:
    """Return what dirt.json says."""
    account: Record = json.loads((folder / "dirt.json").read_text(encoding="utf-8"))
    return account


def data_files(folder: Path) -> dict[str, list[str]]:
    """Return the lines of each data file, by its path; bytes that are not UTF-8 become lone surrogates."""
    found = {}
    for path in sorted(path for name in ("*.json", "*.json.gz") for path in (folder).glob(f"*_data/**/{name}")):
        if not path.name.startswith("."):
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            text = content.decode("utf-8-sig", "surrogateescape")
            found[path.relative_to(folder).as_posix()] = text.replace("\r\n", "\n").split("\n")
    return found


def part(folder: Path) -> tuple[dict[str, list[Record]], dict[tuple[str, int], str]]:
    """Part the good records of each file from the bad ones, as dirt.json says where these are."""
    noted = {(bad["file"], bad["line"]) for bad in account_of(folder)["rejected"]}
    good: dict[str, list[Record]] = {}
    bad: dict[tuple[str, int], str] = {}
    for file, lines in data_files(folder).items():
        kept, spoilt = [], None
        for place in [(file, number) for number in range(1, len(lines) + 1)]:
            line = lines[place[1] - 1]
            spoilt = place if place in noted else None if line.startswith("{") else spoilt
            if spoilt:
                bad[spoilt] = f"{bad[spoilt]}\n{line}" if spoilt in bad else line
            else:
                kept.append(line)
        good[file] = list(objects("\n".join(kept)))
    return good, bad


def objects(text: str) -> Iterator[Record]:
    """Yield the objects that stand one after the other in a text."""
    while text := text.lstrip():
        record, end = json.JSONDecoder().raw_decode(text)
        yield record
        text = text[end:]


def normal(record: Record) -> Record:
    """Return a record as it would be written clean, but for its mangled text."""
    keys = EVENT_KEYS if "ts" in record else SONG_KEYS
    values = {key: record.get(key) for key in keys}
    for key, value in values.items():
        if key in NUMBERS and value is not None:
            values[key] = float(value)
        elif isinstance(value, int):
            values[key] = str(value)
    return values


def refused(text: str) -> bool:
    """Tell whether a text is no record, or breaks the contract."""
    try:
        text.encode()
        record = json.loads(text, parse_constant=lambda name: float(f"not JSON: {name}"))
    except ValueError:
        return True
    if not isinstance(record, dict):
        return True
    is_song = "num_songs" in record
    required = ["song_id", "artist_id"] if is_song else ["ts", "page", "sessionId", "itemInSession"]
    if record.get("page") == "NextSong":
        required += ["userId", "song", "artist"]
    return any(record.get(key) in (None, "") for key in required) or any(
        misfits(key, record.get(key)) for key in (SONG_KEYS if is_song else EVENT_KEYS)
    )


def misfits(key: str, value: Any) -> bool:
    """Tell whether a value is of the wrong type for its key, or too large."""
    if value is None:
        return False
    if isinstance(value, bool | list | dict):
        return True
    if key not in NUMBERS:
        return len(str(value).encode()) > 65_535 or "\0" in str(value)
    if isinstance(value, str) or value > 2**63:
        return True
    return key in WHOLE and not float(value).is_integer()


def as_text(record: Record) -> str:
    """Return a record in one certain form, to count and compare it."""
    return json.dumps(record, sort_keys=True)


def test_the_good_records_of_dirty_data_are_those_of_clean_data(dirty: tuple[Path, Path]) -> None:
    """Once text is repaired and repetitions are dropped, dirt has added and removed nothing."""
    clean, spoilt = (
        Counter(
            as_text(
                {key: repair(value) if key in REPAIRED and value else value for key, value in normal(record).items()}
            )
            for records in part_of(folder).values()
            for record in records
        )
        for folder, part_of in ((dirty[0], clean_records), (dirty[1], lambda folder: part(folder)[0]))
    )
    assert clean.keys() == spoilt.keys()
    assert spoilt.total() - clean.total() == account_of(dirty[1])["duplicates"] > 10


def clean_records(folder: Path) -> dict[str, list[Record]]:
    """Return the records of each file of clean data."""
    return {file: list(objects("\n".join(lines))) for file, lines in data_files(folder).items()}


def test_every_bad_record_is_where_the_account_says(dirty: tuple[Path, Path]) -> None:
    """The piece at each file and line must be refused, and is followed by a line that begins an object."""
    _, bad = part(dirty[1])
    account = account_of(dirty[1])["rejected"]
    assert len(bad) == len(account) > 500
    assert [place for place, text in bad.items() if not refused(text)] == []
    several_lines = {noted["reason"] for noted in account if "\n" in bad[noted["file"], noted["line"]]}
    assert several_lines == {"truncated_pretty"}


def test_bad_records_are_named_for_what_is_wrong_with_them(dirty: tuple[Path, Path]) -> None:
    """A reason names the key that it is about: what is missing is missing, what is too long is too long."""
    _, bad = part(dirty[1])
    for noted in account_of(dirty[1])["rejected"]:
        text, (how, _, key) = bad[noted["file"], noted["line"]], noted["reason"].partition("_")
        match how:
            case "missing" if key != "comma":
                assert f'"{key}":' not in text
            case "null" if key:
                assert f'"{key}":null' in text
            case "empty":
                assert f'"{key}":""' in text
            case "nan" | "infinity":
                assert "NaN" in text or "Infinity" in text
            case "too" if "long" in key:
                assert len(text) > 70_000


def test_every_kind_of_dirt_occurs(dirty: tuple[Path, Path]) -> None:
    """A few thousand records are enough to meet them all."""
    account = account_of(dirty[1])
    assert {noted["reason"] for noted in account["rejected"]} == {*BAD_EVENTS, *BAD_SONGS}
    assert account["accepted"].keys() == {*HARMLESS_EVENTS, *HARMLESS_SONGS, *DAY_FORMS, "two_on_a_line"}
    assert account["mangled"] > 10


def test_mangled_records_are_counted(dirty: tuple[Path, Path]) -> None:
    """As many records have text to repair as the account says."""
    good, _ = part(dirty[1])
    records = [record for found in good.values() for record in found]
    mangled = sum(any(repair(record[key]) != record[key] for key in REPAIRED if record.get(key)) for record in records)
    assert mangled == account_of(dirty[1])["mangled"]


def test_the_share_of_dirt_is_the_one_asked_for(dirty: tuple[Path, Path]) -> None:
    """Each record has something odd happen to it with the given probability."""
    account = account_of(dirty[1])
    forms = sum(account["accepted"][form] for form in ("bom", "crlf", "gzip", "hidden_file"))
    odd = len(account["rejected"]) + sum(account["accepted"].values()) + account["duplicates"] + account["mangled"]
    records = sum(len(found) for found in clean_records(dirty[0]).values())
    assert (odd - forms) / records == pytest.approx(0.35, rel=0.1)


def test_the_result_counts_bad_records_apart(tmp_path: Path) -> None:
    """Songs and events are those of the clean data, however much dirt there is."""
    clean = generate(tmp_path / "clean", users=40, days=5, songs=50)
    spoilt = generate(tmp_path / "dirty", users=40, days=5, songs=50, dirty=1.0)
    assert (spoilt.songs, spoilt.events) == (clean.songs, clean.events)
    assert spoilt.bad_records == len(account_of(tmp_path / "dirty")["rejected"]) > 0 == clean.bad_records
    assert spoilt.files == len(data_files(tmp_path / "dirty"))
    assert not (tmp_path / "clean" / "dirt.json").exists()
