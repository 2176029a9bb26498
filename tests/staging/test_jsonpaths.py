"""[S3] LOG_JSONPATH names where the fields are in logs with other keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.promises.records import ABSENT, PLAY, joined, keys, loaded, play
from tests.support.s3 import S3
from tests.support.sandbox import Row, Sandbox

from sparkify.cli.main import main
from sparkify.errors import ConfigError
from sparkify.staging import exact_path, fast_path, jsonpaths
from sparkify.staging.contract import CONTRACTS

NAMES = [field.name for field in CONTRACTS["events"].fields]
Etl = Callable[..., dict[str, Any]]


def paths(**other: str) -> str:
    """Return a JSONPaths file in dot notation: the usual names, except some."""
    return json.dumps({"jsonpaths": [other.get(name, f"$.{name}") for name in NAMES]})


@pytest.fixture
def etl(warehouse: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Etl:
    """Return a run over the warehouse's folders with a JSONPaths file, which returns the summary."""
    monkeypatch.chdir(tmp_path)

    def run(content: str, where: str = "") -> dict[str, Any]:
        file = tmp_path / "paths.json"
        file.write_text(content)
        monkeypatch.setenv("SPARKIFY_S3_LOG_JSONPATH", where or str(file))
        folders = ["--log-data", str(warehouse.log_data), "--song-data", str(warehouse.song_data)]
        capsys.readouterr()
        assert main(["etl", "--allow-empty", *folders, "--warehouse", warehouse.url, "--json"]) == 0
        summary: dict[str, Any] = json.loads(capsys.readouterr().out)
        return summary

    return run


def facts(warehouse: Sandbox) -> list[Row]:
    """Return the plays."""
    return warehouse.query("select songplay_id, user_id, level, user_agent, track_id from songplays")


def nested(**changes: object) -> str:
    """Return a play whose user is an object and whose track is a list, under keys with odd characters."""
    record: dict[str, Any] = {**PLAY, **changes}
    user = {"id": record.pop("userId"), "tier.now": record.pop("level")}
    track = [record.pop("song"), {"by": record.pop("artist")}, record.pop("length")]
    return json.dumps({**record, "user": user, "what's on": track, "queue": 1})


NESTED = {
    "userId": "$['user']['id']",
    "level": "$['user']['tier.now']",
    "song": "$['track'][0]",
    "artist": "$['track'][1]['by']",
    "length": "$['track'][2]",
}


@pytest.mark.usefixtures("either_path")
def test_fields_are_read_from_their_paths(warehouse: Sandbox, etl: Etl) -> None:
    """Paths lead through objects and lists to the usual rows, and unused keys are named."""
    (warehouse.log_data / "usual.json").write_text(play())
    etl(paths())
    usual = facts(warehouse)
    (warehouse.log_data / "usual.json").write_text(nested().replace("what's on", "track"))
    brackets = json.dumps({"jsonpaths": [NESTED.get(name, f"$['{name}']") for name in NAMES]})
    assert list(etl(brackets)["unknown_keys"]["events"]) == ["queue"]
    assert facts(warehouse) == usual
    (warehouse.log_data / "usual.json").write_text(
        nested(sessionId=39).replace("what's on", "track").replace("r.n", "r_n")
    )
    dotted = {name: path.replace("'].['", ".") for name, path in NESTED.items()}
    dotted = {
        name: path.replace("['", ".").replace("']", "").replace("r.now", "r_now") for name, path in dotted.items()
    }
    etl(paths(**dotted))
    assert warehouse.query("select count(*) from songplays where user_id = '8' and level = 'free'") == [(2,)]


def test_names_match_exactly(warehouse: Sandbox, etl: Etl) -> None:
    """With paths, a key must match in case, as for Redshift's COPY."""
    plays = [play(userAgent=ABSENT, itemInSession=item) for item in (0, 1)]
    (warehouse.log_data / "a.json").write_bytes(joined(plays[0], plays[1].replace("userId", "userID")))
    counts = etl(paths(userAgent="$.agent"))
    assert (counts["events"]["rejected"], list(counts["unknown_keys"]["events"])) == (1, ["userID"])
    assert loaded(warehouse, "events") == keys("events", 0)


def test_contract_holds_at_the_paths(warehouse: Sandbox, etl: Etl) -> None:
    """Values at paths must keep the contract like any others."""
    odd = [play(at={"user": {"id": 8}}, itemInSession=0), play(at={"user": "8"}, itemInSession=1)]
    odd += [play(at=None, itemInSession=2), play(at={"user": "8"}, itemInSession=3)[:-1] + ', "at": 1}', "{"]
    (warehouse.log_data / "a.json").write_bytes(joined(*odd))
    etl(paths(userId="$.at.user"))
    assert loaded(warehouse, "events") == keys("events", 1)
    assert warehouse.query("select line, reason from rejected_records order by line") == [
        (1, "userId: neither text nor a number"),
        (3, "userId: missing in a play"),
        (4, "a key is given twice"),
        (5, "not valid JSON"),
    ]


def test_file_of_the_original_changes_nothing(
    warehouse: Sandbox, etl: Etl, real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original design's file names the usual keys, so logs are still read on the fast path."""
    monkeypatch.setattr(fast_path, "MIN_SIZE", 0)
    monkeypatch.setattr(exact_path, "read", None)
    (warehouse.log_data / "a.json").write_text(play())
    etl((real / "log_json_path.json").read_text())
    assert loaded(warehouse, "events") == keys("events", 0)


def test_file_may_be_in_s3(s3: S3, warehouse: Sandbox, etl: Etl) -> None:
    """A JSONPaths file may be in S3."""
    s3.put("s3://bucket/paths.json", paths(userId="$.user"))
    (warehouse.log_data / "a.json").write_text(play().replace("userId", "user"))
    etl("", "s3://bucket/paths.json")
    assert loaded(warehouse, "events") == keys("events", 0)


LAST = f"paths for the {len(NAMES)} columns of staging_events (artist to userId)"
MENDED = "Correct the file, or leave [S3] LOG_JSONPATH empty."
NO_PATH = "is not a path to one value, like $.user.id or $['user']['id']."
INVALID = {
    "not JSON": ("{", f"the file is not valid JSON. {MENDED}"),
    "another key": ('{"paths": []}', f'the file is not an object with one list, "jsonpaths". {MENDED}'),
    "no list": ('{"jsonpaths": "$.a"}', f'the file is not an object with one list, "jsonpaths". {MENDED}'),
    "a list alone": ("[]", f'the file is not an object with one list, "jsonpaths". {MENDED}'),
    "too few": ('{"jsonpaths": ["$.a"]}', f"the file lists 1 {LAST}. {MENDED}"),
    "wildcard": (paths(artist="$.a.*"), f"path 1: '$.a.*' contains a character not allowed in a path. {MENDED}"),
    "any element": (paths(auth="$.a[*]"), f"path 2: '$.a[*]' {NO_PATH} {MENDED}"),
    "filter": (paths(artist="$.a[?(@.b)]"), f"path 1: '$.a[?(@.b)]' {NO_PATH} {MENDED}"),
    "any depth": (paths(artist="$..a"), f"path 1: '$..a' {NO_PATH} {MENDED}"),
    "the record": (paths(artist="$"), f"path 1: '$' {NO_PATH} {MENDED}"),
    "a list's element": (paths(artist="$[0]"), f"path 1: '$[0]' {NO_PATH} {MENDED}"),
    "below zero": (paths(artist="$.a[-1]"), f"path 1: '$.a[-1]' {NO_PATH} {MENDED}"),
    "no root": (paths(artist="artist"), f"path 1: 'artist' {NO_PATH} {MENDED}"),
    "double quotes": (paths(artist='$["artist"]'), f"path 1: '$[\"artist\"]' {NO_PATH} {MENDED}"),
    "no text": (paths().replace('"$.artist"', "1"), f"path 1: 1 {NO_PATH} {MENDED}"),
    "both notations": (
        paths(auth="$['auth']"),
        "the file mixes dots and brackets, which Redshift rejects. Use one notation.",
    ),
}


@pytest.mark.parametrize(("content", "message"), [pytest.param(*case, id=why) for why, case in INVALID.items()])
def test_paths_that_redshift_would_not_accept_are_wrong_usage(content: str, message: str) -> None:
    """Anything but a list of 18 paths to one value each is wrong usage, and the message has the path's number."""
    with pytest.raises(ConfigError) as caught:
        jsonpaths.parse(content.encode(), "paths.json")
    assert str(caught.value) == f"paths.json: {message}"


def test_wrong_paths_fail_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run with wrong paths ends as wrong usage, and creates no warehouse."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKIFY_S3_LOG_JSONPATH", "nowhere.json")
    assert main(["etl", "--log-data", ".", "--song-data", "."]) == 2
    error = "sparkify: nowhere.json: the file cannot be read (No such file or directory). Correct [S3] LOG_JSONPATH.\n"
    assert capsys.readouterr().err == error
    assert list(tmp_path.iterdir()) == []


STEPS = st.lists(st.text(st.sampled_from("abZé_- $~/"), min_size=1, max_size=4) | st.integers(0, 99), max_size=4)


@given(STEPS)
def test_both_notations_lead_the_same_way(steps: list[str | int]) -> None:
    """A path means the same in dots and in brackets."""
    steps = ["a", *steps]
    dots = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    brackets = "$" + "".join(f"[{step}]" if isinstance(step, int) else f"['{step}']" for step in steps)
    found = {
        jsonpaths.parse(json.dumps({"jsonpaths": [path] * len(NAMES)}).encode(), "")[0].steps
        for path in (dots, brackets)
    }
    assert found == {tuple(steps)}
