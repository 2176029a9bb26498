"""Faults of S3 and of the network are retried, then reported in one line, and change nothing."""

from __future__ import annotations

import builtins
import socket
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from tests.promises.records import keys, loaded, play, song
from tests.support.redshift.certificate import server_context
from tests.support.s3 import CREDENTIALS, S3, serving
from tests.support.sandbox import Sandbox

from sparkify.aws import s3, s3_errors
from sparkify.aws.session import session
from sparkify.cli.main import main
from sparkify.config import Aws
from sparkify.errors import SourceError
from sparkify.sources import cache
from sparkify.staging import fast_path
from sparkify.warehouse.connect import may_exist, open_warehouse
from sparkify.warehouse.install import count_rows

LOGS, SONGS = "s3://bucket/log_data", "s3://bucket/song_data"
KEY = "log_data/b.json"
IN_MEMORY, ON_DISK = 1 << 40, 0


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wait less between retries, in a folder without a dwh.cfg."""
    monkeypatch.setattr(s3, "FIRST_WAIT", timedelta(milliseconds=10))
    monkeypatch.setattr(s3, "LONGEST_WAIT", timedelta(milliseconds=20))
    monkeypatch.setattr(s3_errors, "STALLED_AFTER", timedelta(seconds=0.3))
    monkeypatch.setattr(s3, "RETRIES", 3)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # Attempts of boto3.
    monkeypatch.chdir(tmp_path)


@pytest.fixture(name="server")
def filled(s3: S3) -> S3:
    """Start an S3 with two logs and a song."""
    s3.put(f"{LOGS}/a.json", play())
    s3.put(f"{LOGS}/b.json", play(itemInSession=1) + " " * 5000)
    s3.put(f"{SONGS}/song.json", song())
    return s3


def run(warehouse: Sandbox, *options: str, log_data: str = LOGS) -> int:
    """Run `sparkify etl` on a warehouse; return its exit code."""
    sources = ["--log-data", log_data, "--song-data", SONGS, "--warehouse", warehouse.url]
    return main(["etl", *sources, *options])


class Failure:
    """Runs that fail, and their messages."""

    def __init__(self, warehouse: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        self._warehouse = warehouse
        self._capsys = capsys

    def message(self, *options: str, log_data: str = LOGS) -> str:
        """Run; return the only line of the message. The warehouse stays empty, and no secret is printed."""
        assert run(self._warehouse, *options, log_data=log_data) == 1
        printed = self._capsys.readouterr()
        assert printed.out == ""
        lines = [line for line in printed.err.splitlines() if "Z Loading " not in line]
        assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in printed.err
        assert [line[:10] for line in lines] == ["sparkify: "]
        if may_exist(self._warehouse.url):
            with open_warehouse(self._warehouse.url, read_only=True) as engine:
                assert not engine.has_tables() or not any(count_rows(engine).values())
        return lines[0].removeprefix("sparkify: ")


@pytest.fixture
def failure(warehouse: Sandbox, capsys: pytest.CaptureFixture[str]) -> Failure:
    """Return runs that fail."""
    return Failure(warehouse, capsys)


FAULTS: dict[str, tuple[str, Mapping[str, Any], str]] = {
    "SlowDown": ("refuse", {"status": 503, "code": "SlowDown"}, "S3 returned 503 SlowDown"),
    "InternalError": ("refuse", {"status": 500, "code": "InternalError"}, "S3 returned 500 InternalError"),
    "reset": ("reset", {}, "the connection was lost on every attempt"),
    "truncated": ("truncate", {}, "the connection was lost on every attempt"),
    "stalled": ("stall", {}, "every attempt stalled for 0.3 seconds"),
    "silent": ("stall", {"sent": 0}, "every attempt stalled for 0.3 seconds"),
}


@pytest.mark.parametrize("in_memory", [IN_MEMORY, ON_DISK])
@pytest.mark.parametrize(("name", "how", "message"), [pytest.param(*fault, id=why) for why, fault in FAULTS.items()])
def test_fault_is_retried_and_then_fails_the_run(
    server: S3,
    warehouse: Sandbox,
    failure: Failure,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    how: Mapping[str, Any],
    message: str,
    in_memory: int,
) -> None:
    """A lasting fault fails the run with the object's name, even with --skip-bad-files; a transient one does not."""
    monkeypatch.setattr(cache, "MAX_IN_MEMORY", in_memory)
    monkeypatch.setattr(fast_path, "MIN_SIZE", in_memory)
    getattr(server, name)("GetObject", KEY, **how)
    assert failure.message("--skip-bad-files").startswith(f"s3://bucket/{KEY}: {message}")
    assert server.asked("GetObject").count(KEY) == 4
    server.heal()
    getattr(server, name)("GetObject", KEY, times=2, **how)
    assert run(warehouse) == 0
    assert loaded(warehouse, "events") == keys("events", 0, 1)


@pytest.mark.parametrize(("name", "how", "message"), [pytest.param(*fault, id=why) for why, fault in FAULTS.items()])
def test_fault_while_listing_is_retried(
    server: S3, failure: Failure, warehouse: Sandbox, name: str, how: Mapping[str, Any], message: str
) -> None:
    """A lasting fault of a listing fails the run with the prefix; after a transient one the listing is complete."""
    getattr(server, name)("ListObjectsV2", **how)
    assert failure.message().startswith(f"{SONGS}: {message}")
    assert len(server.asked("ListObjectsV2")) == 4
    server.heal()
    getattr(server, name)("ListObjectsV2", times=2, **how)
    assert run(warehouse) == 0
    assert loaded(warehouse, "events") == keys("events", 0, 1)


LOG_IN = "Set AWS_PROFILE, log in (`aws sso login`), or set [AWS] KEY and SECRET."
EXPIRED = "the AWS login has expired. Log in again (`aws sso login`, or new temporary keys), then run again."
ERRORS: dict[str, tuple[str, int, str, str]] = {
    "may not list": (
        "ListObjectsV2",
        403,
        "AccessDenied",
        f"{SONGS}: S3 denies access (AccessDenied). Allow s3:ListBucket on arn:aws:s3:::bucket.",
    ),
    "may not read": (
        "GetObject",
        403,
        "AccessDenied",
        f"s3://bucket/{KEY}: S3 denies access (AccessDenied). Allow s3:GetObject on arn:aws:s3:::bucket/{KEY}.",
    ),
    "expired": ("ListObjectsV2", 400, "ExpiredToken", f"{SONGS}: {EXPIRED}"),
    "expired while reading": ("GetObject", 400, "ExpiredToken", f"s3://bucket/{KEY}: {EXPIRED}"),
    "unknown key": (
        "ListObjectsV2",
        403,
        "InvalidAccessKeyId",
        f"{SONGS}: AWS does not accept these credentials (InvalidAccessKeyId). {LOG_IN}",
    ),
    "wrong secret": (
        "ListObjectsV2",
        403,
        "SignatureDoesNotMatch",
        f"{SONGS}: AWS does not accept these credentials (SignatureDoesNotMatch). {LOG_IN}",
    ),
    "wrong clock": (
        "ListObjectsV2",
        403,
        "RequestTimeTooSkewed",
        f"{SONGS}: this machine's clock is wrong by more than S3 allows. Set it.",
    ),
    "archived": (
        "GetObject",
        403,
        "InvalidObjectState",
        f"s3://bucket/{KEY}: the object is archived (S3 Glacier). Restore it with `aws s3api restore-object`, or pass"
        " --skip-bad-files.",
    ),
}


@pytest.mark.parametrize(
    ("operation", "status", "code", "message"), [pytest.param(*refusal, id=why) for why, refusal in ERRORS.items()]
)
def test_error_is_reported_once_with_its_remedy(
    server: S3, failure: Failure, operation: str, status: int, code: str, message: str
) -> None:
    """An error that a retry cannot help is reported once, in one line, with its remedy."""
    key = KEY if operation == "GetObject" else None
    server.refuse(operation, key, status=status, code=code)
    server.refuse("HeadBucket", status=status, code=code)
    assert failure.message() == message
    assert len(server.asked(operation)) <= 3  # A retry would not help.


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("InvalidObjectState", 403)])
def test_forbidden_object_can_be_skipped(server: S3, warehouse: Sandbox, code: str, status: int) -> None:
    """A forbidden object can be skipped like a bad file."""
    server.refuse("GetObject", KEY, status=status, code=code)
    assert list(warehouse.etl(LOGS, SONGS, skip_bad_files=True).skipped) == [f"s3://bucket/{KEY}"]
    assert loaded(warehouse, "events") == keys("events", 0)


def test_archived_object_is_reported(server: S3, failure: Failure) -> None:
    """An archived object is listed, and reading it fails with the remedy."""
    server.put(f"{LOGS}/b.json", play(), storage_class="GLACIER")
    assert failure.message() == ERRORS["archived"][3]


def test_bucket_that_does_not_exist_is_named(server: S3, failure: Failure) -> None:
    """A missing bucket, an invalid name and a missing name are reported as such."""
    no_bucket = "there is no such bucket. Check its name, and AWS_ENDPOINT_URL if it is set."
    assert failure.message(log_data="s3://buckett/log_data") == f"s3://buckett: {no_bucket}"
    assert (
        failure.message(log_data="s3://no_bucket!/a") == "s3://no_bucket!: this is not a valid bucket name. Correct it."
    )
    assert failure.message(log_data="s3://") == "s3://: the URL names no bucket. Write it like s3://bucket/folder."
    assert server.asked("GetObject") == []


def test_prefix_that_holds_nothing_is_an_error(server: S3, failure: Failure, warehouse: Sandbox) -> None:
    """A prefix without any object is an error, and one without any JSON is reported."""
    message = "there are no objects under this prefix. Set [S3] LOG_DATA or --log-data."
    assert failure.message(log_data="s3://bucket/log_dat") == f"s3://bucket/log_dat: {message}"
    server.put("s3://bucket/notes/a.txt", "")
    assert warehouse.etl("s3://bucket/notes", SONGS).files_listed == 1
    assert warehouse.narration == ["s3://bucket/notes: contains no .json, .jsonl or .ndjson file."]


def test_bucket_in_any_region_is_found(s3: S3, warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each bucket is read in its own region, whatever the region of the session."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    s3.add_bucket("logs", "eu-north-1")
    s3.add_bucket("songs", "ap-south-1")
    s3.put("s3://logs/a.json", play())
    s3.put("s3://songs/a.json", song())
    warehouse.etl("s3://logs", "s3://songs")
    assert loaded(warehouse, "events") == keys("events", 0)


def test_unknown_region_is_the_oldest_one(server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """If neither S3 nor the session names a region, us-east-1 is used."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "aws-global")
    server.refuse("HeadBucket", status=403, code="AccessDenied")
    bucket = s3.bucket("bucket", Aws())
    assert bucket.region == "us-east-1"
    assert [key for key, _, _ in bucket.list("song_data")] == ["song_data/song.json"]


def test_unknown_region_of_a_redirect_is_reported(server: S3, failure: Failure) -> None:
    """If S3 redirects to a region that it does not name, the message asks for it."""
    server.refuse("HeadBucket", status=403, code="AccessDenied")
    server.refuse("ListObjectsV2", status=301, code="PermanentRedirect")
    assert failure.message() == (
        f"{SONGS}: the bucket is in another region, which S3 does not name (a redirect)."
        " Set AWS_DEFAULT_REGION to that region."
    )


def test_endpoint_that_does_not_answer_is_named(server: S3, failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreachable endpoint is named without the password in its URL."""
    assert server.requests == []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{probe.getsockname()[1]}"
        for login in ("", "user:s3cret@"):
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{login}{endpoint}")
            cause = "EndpointConnectionError"
            check = "Check the network and AWS_ENDPOINT_URL."
            assert failure.message() == f"s3://bucket: S3 cannot be reached at {endpoint} ({cause}). {check}"


@pytest.mark.parametrize("endpoint", ["user:s3cret@minio:9000", "http://user:s3cret@minio:port"])
def test_invalid_endpoint_is_reported_without_its_password(
    server: S3, failure: Failure, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    """An invalid AWS_ENDPOINT_URL is shown without the login in it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    line = failure.message()
    assert line.startswith("s3://bucket: the AWS settings cannot be used (")
    assert endpoint.partition("@")[2] in line
    assert "s3cret" not in line
    assert server.requests == []


# Credentials


def test_missing_credentials_are_reported(server: S3, failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials, the message says how to provide them."""
    for variable in CREDENTIALS:
        monkeypatch.delenv(variable)
    assert failure.message() == (
        f"s3://bucket: no AWS credentials were found. {LOG_IN} A public bucket needs none, with --no-sign-request."
    )
    assert server.requests == []


def test_missing_profile_is_reported(server: S3, failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing profile is reported by its name."""
    monkeypatch.setenv("AWS_PROFILE", "prodd")
    what = "The config profile (prodd) could not be found"
    assert failure.message() == f"AWS: {what}. Set AWS_PROFILE to a profile of ~/.aws/config, or unset it."
    assert server.requests == []


# Redshift reads S3 itself.
@pytest.mark.parametrize("make_warehouse", ["duckdb", "postgresql"], indirect=True)
def test_profile_gives_credentials_region_and_endpoint(
    server: S3, warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A profile gives credentials, region and endpoint, as for boto3."""
    for variable in (*CREDENTIALS, "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(variable)
    keys_of_process = '{"Version": 1, "AccessKeyId": "AKIAFROMPROCESS", "SecretAccessKey": "x", "SessionToken": "t"}'
    (tmp_path / "keys.json").write_text(keys_of_process)
    (tmp_path / "aws-config").write_text(
        f"[profile analyst]\ncredential_process = cat {tmp_path / 'keys.json'}\nregion = us-east-1\n"
        f"endpoint_url = {server.url}\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "analyst")
    warehouse.etl(LOGS, SONGS)
    assert {"AKIAFROMPROCESS" in request.headers["authorization"] for request in server.requests} == {True}
    assert {request.headers["x-amz-security-token"] for request in server.requests} == {"t"}
    assert loaded(warehouse, "events") == keys("events", 0, 1)


def test_forbidden_role_is_reported(
    server: S3, failure: Failure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A profile whose role cannot be assumed fails before S3 is used."""
    for variable in CREDENTIALS:
        monkeypatch.delenv(variable)
    role = "[profile analyst]\nrole_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = base\n"
    keys_of_base = "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = x\nregion = us-east-1\n"
    (tmp_path / "aws-config").write_text(role + "region = us-east-1\n" + keys_of_base)
    monkeypatch.setenv("AWS_PROFILE", "analyst")
    line = failure.message()
    assert line.startswith("s3://bucket: the AWS settings cannot be used (An error occurred")
    assert "AssumeRole" in line
    assert server.asked("HeadBucket") == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("the SSO session has expired"), "ValueError: the SSO session has expired"),
        (
            EndpointConnectionError(endpoint_url="http://user:s3cret@minio/"),
            'EndpointConnectionError: Could not connect to the endpoint URL: "http://minio/"',
        ),
    ],
)
def test_login_that_expires_during_a_run_is_reported(
    server: S3, failure: Failure, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    """Credentials that cannot be renewed fail the run with the reason, and without a password."""
    made = session(Aws())

    def fails() -> None:
        raise error

    credentials = made.get_credentials()
    server.when("HeadBucket", None, lambda: monkeypatch.setattr(credentials, "get_frozen_credentials", fails))
    monkeypatch.setattr(s3, "session", lambda _: made)
    assert failure.message() == f"{SONGS}: the AWS credentials cannot be renewed ({reason}). Log in, then run again."


def test_certificates_of_a_named_authority_are_trusted(
    server: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AWS_CA_BUNDLE adds an authority whose certificates are trusted."""
    context, authority = server_context(tmp_path)
    with serving(context) as secured:
        secured.buckets = server.buckets
        monkeypatch.setenv("AWS_ENDPOINT_URL", secured.url)
        with pytest.raises(SourceError, match=r"S3 cannot be reached at 127\.0\.0\.1:\d+ \(SSLError\)"):
            s3.bucket("bucket", Aws())
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
        assert s3.bucket("bucket", Aws()).get("song_data/song.json") == server.get(f"{SONGS}/song.json")


def test_missing_authority_is_reported(
    server: S3, failure: Failure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An AWS_CA_BUNDLE that does not exist is reported."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert failure.message().startswith("s3://bucket: the AWS settings cannot be used (")
    assert server.asked("ListObjectsV2") == []


@pytest.mark.parametrize(
    ("name", "endpoint", "address"),
    [
        ("logs", "https://s3.eu-west-1.amazonaws.com", ("https://logs.s3.eu-west-1.amazonaws.com", True)),
        ("logs", "https://s3.cn-north-1.amazonaws.com.cn", ("https://logs.s3.cn-north-1.amazonaws.com.cn", True)),
        ("my.logs", "https://s3.eu-west-1.amazonaws.com", ("https://s3.eu-west-1.amazonaws.com", False)),
        ("logs", "http://127.0.0.1:9000/", ("http://127.0.0.1:9000", False)),
    ],
)
def test_address_follows_the_rules_of_aws(name: str, endpoint: str, address: tuple[str, bool]) -> None:
    """At AWS the bucket is part of the host, unless its name has dots; elsewhere it is part of the path."""
    assert s3._address(name, endpoint) == address


@pytest.mark.parametrize("make_warehouse", ["duckdb", "postgresql"], indirect=True)
def test_keys_of_the_configuration_take_precedence(
    server: S3, warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """[AWS] KEY and SECRET take precedence, and one without the other is wrong usage."""
    monkeypatch.setenv("SPARKIFY_AWS_KEY", "AKIAFROMCONFIG")
    assert run(warehouse) == 2
    assert capsys.readouterr().err == (
        "sparkify: [AWS] KEY and SECRET go together, and one of them is empty. Set both, or none.\n"
    )
    monkeypatch.setenv("SPARKIFY_AWS_SECRET", "never failure")
    assert run(warehouse) == 0
    assert {"AKIAFROMCONFIG" in request.headers["authorization"] for request in server.requests} == {True}


# Redshift needs the clients itself.
@pytest.mark.parametrize("make_warehouse", ["duckdb", "postgresql"], indirect=True)
def test_missing_client_is_reported(server: S3, failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the AWS packages, the message says how to install them."""
    known = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.partition(".")[0] in ("boto3", "obstore"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return known(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    assert failure.message() == (
        "s3://bucket: the AWS clients are not installed. Run `pip install 'sparkify-warehouse[aws]'`."
    )
    assert server.requests == []


# Writing


def test_objects_are_written_and_deleted(server: S3, tmp_path: Path) -> None:
    """An object can be written in one piece or in parts, read, and deleted."""
    bucket = s3.bucket("bucket", Aws())
    large = tmp_path / "large"
    large.write_bytes(b"0123456789abcdef" * 1_000_000)
    names = ("stage/a +é.json", "stage/large", "stage/empty")
    bucket.put(names[0], b"[]")
    bucket.put(names[1], large)
    bucket.put(names[2], b"")
    assert bucket.get(names[0]) == server.get(f"s3://bucket/{names[0]}") == b"[]"
    assert server.asked("CompleteMultipartUpload") == ["stage/large"]
    bucket.download(names[1], None, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == large.read_bytes()
    assert [key for key, _, _ in bucket.list("stage")] == sorted(names)
    bucket.delete(names)
    bucket.delete([])
    assert list(bucket.list("stage")) == []


def test_forbidden_write_names_the_permission(server: S3) -> None:
    """A forbidden write or deletion names the missing permission."""
    bucket = s3.bucket("bucket", Aws())
    server.refuse("PutObject", status=403, code="AccessDenied")
    server.refuse("DeleteObjects", status=403, code="AccessDenied")
    refused = "S3 denies access \\(AccessDenied\\). Allow s3:{} on arn:aws:s3:::bucket/stage/a."
    with pytest.raises(SourceError, match=refused.format("PutObject")):
        bucket.put("stage/a", b"")
    with pytest.raises(SourceError, match=refused.format("DeleteObject")):
        bucket.delete(["stage/a"])
