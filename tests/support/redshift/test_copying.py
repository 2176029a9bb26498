"""COPY of JSON from S3: statements, manifests, files, values and errors.

The pages that the rules come from are named beside the rules, in copying.py and records.py.
"""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.redshift.conftest import Bucket, Client

ROLE = "iam_role 'arn:aws:iam::123456789012:role/loader'"
JSON = "format as json 'auto ignorecase'"
FULL = 4 * 1024 * 1024


@pytest.fixture
def plays(client: Client) -> Client:
    """Open a session on a database with a table of plays."""
    client.run(
        "create table plays (userId varchar(8), ts bigint, length double precision, level varchar(4) default 'x')"
    )
    return client


def _errors(client: Client) -> list[tuple[Any, ...]]:
    return client.run(
        "select line_number, trim(column_name), error_code from sys_load_error_detail"
        " where query_id = (select max(query_id) from sys_load_error_detail) order by line_number"
    )


def _loaded(client: Client, bucket: Bucket, content: bytes | str | list[Any], kind: str, options: str = "") -> Any:
    """Load files of one column, v, and return what is in it."""
    client.run(f"create table held (v {kind})")
    client.run(f"copy held from '{bucket.put('file.json', content)}' {ROLE} {JSON} {options}")
    return [value for (value,) in client.run("select v from held")]


# The statement


@pytest.mark.parametrize(
    "options",
    [
        f"{ROLE} json 'auto'",
        f"{ROLE} format json as 'auto'",
        f"{ROLE} format as json",
        "iam_role default json 'auto'",
        "credentials 'aws_iam_role=arn:aws:iam::123456789012:role/loader' json 'auto'",
        "access_key_id 'a' secret_access_key 'b' session_token 'c' json 'auto'",
        f"{ROLE} json 'auto' region 'us-west-2' maxerror as 10 compupdate off statupdate on timeformat 'auto'"
        " emptyasnull blanksasnull truncatecolumns acceptinvchars as '^' encoding utf8 comprows 1000",
    ],
)
def test_documented_options_are_accepted(plays: Client, bucket: Bucket, options: str) -> None:
    """Documented options are accepted in any order, with and without their optional words."""
    plays.run(f"copy plays from '{bucket.put('a.json', [{'ts': 1}])}' {options}")
    assert plays.value("select count(*) from plays") == 1


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ("json 'auto'", "XX000"),  # no authorization
        ("access_key_id 'a' json 'auto'", "XX000"),
        (f"{ROLE} credentials 'a=b' json 'auto'", "42601"),
        ("iam_role 'loader' json 'auto'", "22023"),
        ("iam_role 'arn:aws:iam::12:role/loader' json 'auto'", "22023"),
        (f"{ROLE} json 'automatic'", "22023"),
        (f"{ROLE} json 'noshred'", "0A000"),
        (f"{ROLE} json 'auto' maxerror 100001", "22023"),
        (f"{ROLE} json 'auto' maxerror -1", "42601"),
        (f"{ROLE} json 'auto' maxerrors 1", "42601"),
        (f"{ROLE} json 'auto' maxerror 1 maxerror 1", "42601"),
        (f"{ROLE} json 'auto' maxerror 1 ignoreallerrors", "42601"),
        (f"{ROLE} json 'auto' region 'Oregon'", "22023"),
        (f"{ROLE} json 'auto' delimiter '|'", "0A000"),
        (f"{ROLE} json 'auto' null as 'x'", "0A000"),
        (f"{ROLE} json 'auto' escape", "0A000"),
        (f"{ROLE} json 'auto' on_error continue", "42601"),
    ],
)
def test_undocumented_options_are_refused(plays: Client, bucket: Bucket, options: str, state: str) -> None:
    """Unknown, doubled or contradictory options, wrong values, and a lack of authorization are refused."""
    assert plays.refusal(f"copy plays from '{bucket.put('a.json', [{'ts': 1}])}' {options}")[0] == state


def test_unknown_table_and_column_are_refused(plays: Client, bucket: Bucket) -> None:
    """The refusal names the unknown table or column."""
    url = bucket.put("a.json", [{"ts": 1}])
    assert "nonexistent table songs" in plays.refusal(f"copy songs from '{url}' {ROLE} {JSON}")[1]
    assert '"song"' in plays.refusal(f"copy plays (song) from '{url}' {ROLE} {JSON}")[1]


# The files


def test_manifest_loads_its_files_and_no_others(plays: Client, bucket: Bucket) -> None:
    """Exactly the files of the manifest are loaded, one that is listed twice, twice."""
    one, _ = bucket.put("a/1.json", [{"ts": 1}]), bucket.put("a/2.json", [{"ts": 2}])
    entries = [{"url": one, "mandatory": True, "meta": {"content_length": 3}}, {"url": one}]
    url = bucket.put("manifest", json.dumps({"entries": entries}))
    plays.run(f"copy plays from '{url}' {ROLE} manifest {JSON}")
    assert plays.run("select ts from plays") == [(1,), (1,)]


def test_missing_mandatory_file_fails_the_load_by_name(plays: Client, bucket: Bucket) -> None:
    """A missing mandatory file fails the load by its name, whatever MAXERROR is."""
    url = bucket.manifest(bucket.put("1.json", [{"ts": 1}]), f"s3://{bucket.name}/missing.json")
    state, said = plays.refusal(f"copy plays from '{url}' {ROLE} manifest {JSON} maxerror 100000")
    assert state == "XX000"
    assert "missing.json" in said
    assert plays.value("select count(*) from plays") == 0


@pytest.mark.parametrize("mandatory", [False, None])
def test_missing_optional_file_is_silently_skipped(plays: Client, bucket: Bucket, mandatory: bool | None) -> None:
    """A missing file is skipped if it is not mandatory, which is the default."""
    there = bucket.put("1.json", [{"ts": 1}])
    url = bucket.manifest(there, f"s3://{bucket.name}/missing.json", mandatory=mandatory)
    plays.run(f"copy plays from '{url}' {ROLE} manifest {JSON}")
    assert plays.value("select count(*) from plays") == 1
    assert plays.value("select count(*) from sys_load_error_detail") == 0


@pytest.mark.parametrize(
    "manifest",
    [
        '{"entries": []}',
        '{"entries": [{"url": "s3://{0}/missing", "mandatory": false}]}',
        '{"entries": [{"url": "s3://{0}/folder/"}]}',
        '{"entries": [{"url": "1.json"}]}',
        '{"entries": [{"mandatory": true}]}',
        '{"files": []}',
        "s3://{0}/1.json",
        "",
    ],
)
def test_manifest_without_any_file_fails(plays: Client, bucket: Bucket, manifest: str) -> None:
    """An empty or malformed manifest, or one whose files are all missing, fails the load."""
    url = bucket.put("manifest", manifest.replace("{0}", bucket.name))
    assert plays.refusal(f"copy plays from '{url}' {ROLE} manifest {JSON}")[0] == "XX000"


def test_missing_manifest_fails(plays: Client, bucket: Bucket) -> None:
    """A missing manifest, or a path without objects, fails the load."""
    url = f"s3://{bucket.name}/nowhere"
    assert plays.refusal(f"copy plays from '{url}' {ROLE} manifest {JSON}")[0] == "XX000"
    assert plays.refusal(f"copy plays from '{url}' {ROLE} {JSON}")[0] == "XX000"


def test_path_without_manifest_is_a_prefix(plays: Client, bucket: Bucket) -> None:
    """Every object whose key begins with the path is loaded."""
    for number, key in enumerate(("2018/a.json", "2018/a.json.bak", "2018b")):
        bucket.put(key, [{"ts": number}])
    plays.run(f"copy plays from 's3://{bucket.name}/2018' {ROLE} {JSON}")
    assert plays.value("select count(*) from plays") == 3


@pytest.mark.parametrize(("option", "compress"), [("gzip", gzip.compress), ("bzip2", bz2.compress)])
def test_compressed_files_need_their_option(
    plays: Client, bucket: Bucket, option: str, compress: Callable[[bytes], bytes]
) -> None:
    """A compressed file needs its option, whatever its name, and a truncated one fails the load."""
    stored = compress(b'{"ts": 1}\n{"ts": 2}')
    url = bucket.put("plays.json", stored)
    plays.run(f"copy plays from '{url}' {ROLE} {JSON} {option}")
    assert plays.value("select count(*) from plays") == 2
    assert plays.refusal(f"copy plays from '{url}' {ROLE} {JSON}")[0] == "XX000"
    cut = bucket.put("cut.json", stored[:-6])
    assert "cut.json" in plays.refusal(f"copy plays from '{cut}' {ROLE} {JSON} {option} maxerror 100000")[1]
    plain = bucket.put("plain.json", [{"ts": 1}])
    assert "plain.json" in plays.refusal(f"copy plays from '{plain}' {ROLE} {JSON} {option}")[1]


# Objects and keys


def test_objects_follow_one_another(plays: Client, bucket: Bucket) -> None:
    """Objects are read on one line each, several on a line, and over several lines."""
    url = bucket.put("a", '{"ts":1}{"ts":2} {"ts":\n3\n}\r\n\n{"ts":4}')
    plays.run(f"copy plays from '{url}' {ROLE} {JSON}")
    assert plays.run("select ts from plays order by ts") == [(1,), (2,), (3,), (4,)]


def test_auto_matches_lower_case_keys_alone(plays: Client, bucket: Bucket) -> None:
    """With 'auto' a key in capitals matches no column, which is then null."""
    url = bucket.put("a", [{"userId": "a", "ts": 1}, {"userid": "b", "ts": 2}])
    plays.run(f"copy plays from '{url}' {ROLE} json 'auto'")
    assert plays.run("select userid, ts from plays order by ts") == [(None, 1), ("b", 2)]


def test_auto_ignorecase_matches_any_case(plays: Client, bucket: Bucket) -> None:
    """With 'auto ignorecase' a key matches in any case, and unknown keys are ignored."""
    url = bucket.put("a", [{"USERID": "a", "ts": 1, "x": [1]}, {"userId": "b", "TS": 2}])
    plays.run(f"copy plays from '{url}' {ROLE} json 'auto ignorecase'")
    assert plays.run("select userid, ts from plays order by ts") == [("a", 1), ("b", 2)]


def test_missing_key_is_null_and_unlisted_column_its_default(plays: Client, bucket: Bucket) -> None:
    """A loaded column without a key is null, and a column that is not listed has its default."""
    url = bucket.put("a", [{"ts": 1}])
    plays.run(f"copy plays from '{url}' {ROLE} {JSON}")
    plays.run(f"copy plays (ts, userid) from '{url}' {ROLE} {JSON}")
    assert plays.run("select userid, level from plays order by level") == [(None, "x"), (None, None)]


def test_null_in_a_required_column_fails_the_load(client: Client, bucket: Bucket) -> None:
    """A null for a NOT NULL column fails the load."""
    client.run("create table plays (ts bigint not null, level varchar(4))")
    url = bucket.put("a", [{"ts": 1}, {"ts": None}, {"level": "free"}])
    assert "ts" in client.refusal(f"copy plays from '{url}' {ROLE} {JSON} maxerror 10")[1]
    assert client.value("select count(*) from plays") == 0


def test_jsonpaths_file_names_the_values(plays: Client, bucket: Bucket) -> None:
    """A JSONPaths file gives the listed columns their values, in order."""
    paths = bucket.put("paths", json.dumps({"jsonpaths": ["$['user']['id']", "$['times'][1]"]}))
    url = bucket.put("a.json", [{"user": {"id": "a"}, "times": [1, 2]}, {"times": [3, 4]}])
    plays.run(f"copy plays (userid, ts) from '{url}' {ROLE} json '{paths}'")
    assert plays.run("select userid, ts from plays order by ts") == [("a", 2), (None, 4)]
    short = bucket.put("b.json", [{"times": [1]}])
    assert (
        "out of range" in plays.refusal(f"copy plays (userid, ts) from '{short}' {ROLE} json '{paths}' maxerror 9")[1]
    )
    assert "match" in plays.refusal(f"copy plays from '{url}' {ROLE} json '{paths}'")[1]


def test_jsonpaths_file_of_another_key_means_auto(plays: Client, bucket: Bucket) -> None:
    """A JSONPaths file with another key than jsonpaths is ignored."""
    paths = bucket.put("paths", json.dumps({"paths": ["$.x"]}))
    plays.run(f"copy plays from '{bucket.put('a.json', [{'ts': 1}])}' {ROLE} json '{paths}'")
    assert plays.run("select ts from plays") == [(1,)]


def test_object_over_4_mb_fails_the_load(plays: Client, bucket: Bucket) -> None:
    """An object of 4 MB is loaded, and one of a byte more fails the load."""
    frame = len('{"ts":1,"x":""}')
    full = bucket.put("full", '{"ts":1,"x":"' + "x" * (FULL - frame) + '"}')
    plays.run(f"copy plays from '{full}' {ROLE} {JSON}")
    over = bucket.put("over", '{"ts":1,"x":"' + "x" * (FULL - frame + 1) + '"}')
    assert plays.refusal(f"copy plays from '{over}' {ROLE} {JSON} maxerror 10")[0] == "XX000"
    assert plays.value("select count(*) from plays") == 1


# Values


@pytest.mark.parametrize(
    ("kind", "written", "held"),
    [
        ("varchar(8)", '"a\\tb\\\\"', "a\tb\\"),
        ("varchar(8)", '""', ""),
        ("varchar(8)", "null", None),
        ("varchar(8)", "1.50", "1.50"),
        ("varchar(8)", "true", "true"),
        ("varchar(16)", '{"a": [1]}', '{"a":[1]}'),
        ("varchar(2)", '"é"', "é"),
        ("varchar(2)", '"ab   "', "ab"),
        ("integer", '"12"', 12),
        ("integer", '""', None),
        ("integer", "-2147483648", -2147483648),
        ("bigint", "9223372036854775807", 9223372036854775807),
        ("double precision", "1e3", 1000.0),
        ("double precision", '"2.5"', 2.5),
        ("boolean", "true", True),
        ("boolean", '"f"', False),
    ],
)
def test_value_is_converted_to_the_type_of_its_column(
    client: Client, bucket: Bucket, kind: str, written: str, held: object
) -> None:
    """A value of JSON is converted to the type of its column."""
    assert _loaded(client, bucket, f'{{"v": {written}}}', kind) == [held]


@pytest.mark.parametrize(
    ("kind", "written", "code"),
    [
        ("varchar(2)", '"éa"', 1204),
        ("varchar(2)", "123", 1204),
        ("varchar(8)", '"a\\u0000"', 1220),
        ("varchar(8)", '"\\ud800"', 1220),
        ("integer", "2.7", 1207),
        ("integer", "2.0", 1207),
        ("integer", '"a"', 1207),
        ("integer", "true", 1207),
        ("integer", "2147483648", 1222),
        ("double precision", '"a"', 1208),
        ("numeric(4, 2)", '"123.4"', 1209),
        ("boolean", '"maybe"', 1210),
        ("date", '"1.1.2018"', 1205),
        ("timestamp", "1541121934796", 1206),
    ],
)
def test_value_that_does_not_fit_is_an_error(
    client: Client, bucket: Bucket, kind: str, written: str, code: int
) -> None:
    """A value that does not fit its column is an error with its documented code, line and column."""
    url = bucket.put("a", f'{{"v": null}}\n{{"v": {written}}}\n')
    client.run(f"create table held (v {kind})")
    assert "sys_load_error_detail" in client.refusal(f"copy held from '{url}' {ROLE} {JSON}")[1]
    assert _errors(client) == [(2, "v", code)]


@pytest.mark.parametrize(
    ("kind", "content", "options", "held"),
    [
        ("varchar(2)", '{"v": "éa"}', "truncatecolumns", "é"),
        ("varchar(8)", '{"v": ""}', "emptyasnull", None),
        ("varchar(8)", '{"v": "  "}', "blanksasnull", None),
        ("varchar(8)", '{"v": "a  "}', "trimblanks", "a"),
        ("varchar(8)", b'{"v": "a\xffb"}', "acceptinvchars as '^'", "a^b"),
        ("numeric(4, 2)", '{"v": "1.259"}', "", 1.25),
        ("numeric(4, 2)", '{"v": "1.259"}', "roundec", 1.26),
        ("varchar(8)", 'x\n{"v": "a"}', "ignoreheader 1", "a"),
    ],
)
def test_conversion_options_work_as_documented(
    client: Client, bucket: Bucket, kind: str, content: bytes | str, options: str, held: object
) -> None:
    """Each conversion option works as documented."""
    loaded = _loaded(client, bucket, content, kind, options)
    assert [float(value) if kind.startswith("numeric") else value for value in loaded] == [held]


@pytest.mark.parametrize(
    ("form", "written"),
    [("epochmillisecs", "1541121934796"), ("epochsecs", "1541121934.796"), ("auto", '"2018-11-02T01:25:34.796"')],
)
def test_time_formats(client: Client, bucket: Bucket, form: str, written: str) -> None:
    """TIMEFORMAT reads seconds and milliseconds since 1970, and ISO times."""
    (moment,) = _loaded(client, bucket, f'{{"v": {written}}}', "timestamp", f"timeformat '{form}'")
    assert str(moment) == "2018-11-02 01:25:34.796000"


# Errors


@pytest.mark.parametrize(
    ("errors", "borne", "fails"),
    [
        (0, "", False),
        (1, "", True),
        (1, "maxerror 0", True),
        (1, "maxerror 1", True),
        (1, "maxerror 2", False),
        (2, "maxerror 3", False),
        (3, "maxerror 3", True),
        (4, "maxerror 3", True),
        (9, "ignoreallerrors", False),
    ],
)
def test_as_many_errors_as_maxerror_fail_the_load(
    plays: Client, bucket: Bucket, errors: int, borne: str, fails: bool
) -> None:
    """MAXERROR n tolerates n - 1 errors, n errors fail the load, and 0 means 1."""
    url = bucket.put("a", [{"ts": 1}, *[{"ts": "x"}] * errors, {"ts": 2}])
    copy = f"copy plays from '{url}' {ROLE} {JSON} {borne}"
    if fails:
        plays.refusal(copy)
    else:
        plays.run(copy)
        assert len(_errors(plays)) == errors
    assert plays.value("select count(*) from plays") == (0 if fails else 2)


def test_every_piece_of_garbage_is_an_error(plays: Client, bucket: Bucket) -> None:
    """Text between objects, a broken object, an array and bytes that are not UTF-8 are one error each."""
    lines = [b'{"ts": 1}', b"garbage", b'{"ts": 2,}', b"[3]", b'{"ts": 4, "x": "\xff"}', b'{"ts": 5}, {"ts": 6}']
    url = bucket.put("a", b"\n".join(lines))
    plays.run(f"copy plays from '{url}' {ROLE} {JSON} maxerror 6")
    assert plays.run("select ts from plays order by ts") == [(1,), (5,), (6,)]
    assert [code for _, _, code in _errors(plays)] == [1216, 1216, 1216, 1220, 1216]


def test_error_of_an_object_is_in_its_last_line(plays: Client, bucket: Bucket) -> None:
    """LINE_NUMBER is that of the object's last line, and a row has one error, for its first bad column."""
    url = bucket.put("a", '{"ts":\n 1}\n{"ts":\n "x",\n "userid": "too long for it"}')
    plays.refusal(f"copy plays from '{url}' {ROLE} {JSON}")
    assert _errors(plays) == [(5, "userid", 1204)]


def test_errors_survive_a_rollback(plays: Client, bucket: Bucket) -> None:
    """The errors of a COPY are visible in its transaction and after a rollback."""
    url = bucket.put("a", [{"ts": 1}, {"ts": "x"}])
    plays.run("begin")
    plays.run(f"copy plays from '{url}' {ROLE} {JSON} maxerror 2")
    query = plays.value("select pg_last_copy_id()")
    found = f"select trim(file_name), trim(error_message) from sys_load_error_detail where query_id = {query}"
    assert plays.run(found) == [(url, "Invalid digit, Value 'x', Type: Bigint")]
    plays.run("rollback")
    assert len(plays.run(found)) == 1
    plays.run("begin")
    plays.refusal(f"copy plays from '{url}' {ROLE} {JSON}")
    plays.run("rollback")
    assert plays.value("select count(*) from sys_load_error_detail") == 2


def test_session_knows_its_last_copy(plays: Client, bucket: Bucket) -> None:
    """A session knows the query and the rows of its last COPY, which are -1 and 0 before."""
    assert plays.run("select pg_last_copy_id(), pg_last_copy_count()") == [(-1, 0)]
    plays.run(f"copy plays from '{bucket.put('a', [{'ts': 1}, {'ts': 2}])}' {ROLE} {JSON}")
    query, rows = plays.run("select pg_last_copy_id(), pg_last_copy_count()")[0]
    assert rows == 2
    assert plays.run(f"select loaded_rows, error_count from sys_load_history where query_id = {query}") == [(2, 0)]


def test_copy_is_undone_with_its_transaction(plays: Client, bucket: Bucket) -> None:
    """Rows of a COPY are visible in its transaction, and gone after a rollback."""
    plays.run("begin")
    plays.run(f"copy plays from '{bucket.put('a', [{'ts': 1}])}' {ROLE} {JSON}")
    assert plays.value("select count(*) from plays") == 1
    plays.run("rollback")
    assert plays.value("select count(*) from plays") == 0


def test_noload_checks_and_loads_nothing(plays: Client, bucket: Bucket) -> None:
    """NOLOAD finds the errors, and leaves the table unchanged."""
    plays.run(f"copy plays from '{bucket.put('a', [{'ts': 1}])}' {ROLE} {JSON} noload")
    assert plays.value("select count(*) from plays") == 0
    plays.refusal(f"copy plays from '{bucket.put('b', [{'ts': 'x'}])}' {ROLE} {JSON} noload")
