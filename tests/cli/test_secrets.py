"""No command prints a secret."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import redshift_connector
from tests.support.command_line import Sparkify

SECRETS = ("Aws-K3y", "Aws-S3cret", "Dwh-Passw0rd", "Cluster-Passw0rd", "Url-Passw0rd", "Environment-Passw0rd")
CONFIG = """
[AWS]
KEY = Aws-K3y
SECRET = 'Aws-S3cret'
[DWH]
DWH_DB_PASSWORD = Dwh-Passw0rd
[CLUSTER]
DB_USER = dwhuser
DB_PASSWORD = "Cluster-Passw0rd"
"""
NOBODY = "127.0.0.1:{port}"  # Nothing listens on this port.
COMMANDS_WITH_SECRETS = (
    *(["etl"], ["etl", "--json"], ["etl", "--dry-run"], ["etl", "--full-refresh"], ["create-tables", "--yes"]),
    *(["status"], ["status", "--json"], ["rejects"], ["check"], ["query", "select * from duckdb_settings()"]),
    *(["etl", "--log-data", "nowhere"], ["query", "select nonsense"], ["status", "--config", "broken.cfg"]),
    *(["etl", "--config", "cluster.cfg"], ["status", "--config", "cluster.cfg"]),
    *(["etl", "--warehouse", f"postgresql://user:Url-Passw0rd@{NOBODY}/db"], ["etl", "--warehouse", "Url-Passw0rd"]),
    *(["status", "--warehouse", f"redshift://user:Url-Passw0rd@{NOBODY}/db"],),
    *(["report"], ["export", "--out", "files", "--force"], ["describe"]),
    ["etl", "--warehouse", "duckdb://user:Url-Passw0rd@host/db"],
)
OF_THE_ENVIRONMENT = (["status"], ["check", "--config", "cluster.cfg"])


def test_no_command_prints_a_secret(filled: Sparkify, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords and keys of the configuration are in no output and in no traceback of --debug."""
    tried: list[str] = []
    connect = redshift_connector.connect

    def trying(**options: Any) -> Any:
        tried.append(options["password"])
        return connect(**options)

    monkeypatch.setattr(redshift_connector, "connect", trying)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = str(silent.getsockname()[1])
        Path("dwh.cfg").write_text(CONFIG)
        Path("cluster.cfg").write_text(f"{CONFIG}HOST = 127.0.0.1\nDB_PORT = {port}\n")
        Path("broken.cfg").write_text(CONFIG.replace("DB_PASSWORD =", "DB_PASSWROD =").replace("KEY =", "KEY"))
        failed = 0
        for number, template in enumerate((*COMMANDS_WITH_SECRETS, *OF_THE_ENVIRONMENT)):
            if number == len(COMMANDS_WITH_SECRETS):
                monkeypatch.setenv("SPARKIFY_CLUSTER_DB_PASSWORD", "Environment-Passw0rd")
            command = [word.replace("{port}", port) for word in template]
            ended = filled(*command)
            shown = f"{ended} {filled(*command, '--debug')}"
            failed += "Traceback" in shown
            assert [secret for secret in SECRETS if secret in shown] == [], command
    assert failed == 10
    assert set(tried) == {"Cluster-Passw0rd", "Url-Passw0rd", "Environment-Passw0rd"}


@pytest.mark.parametrize("command", [["etl", "--log-data", "s3://bucket/logs"], ["cluster", "status"]])
@pytest.mark.parametrize(
    "address",
    [
        "http://user:Url-Passw0rd@127.0.0.1:1",
        "http://user:Url Passw0rd@minio:port",
        "user:Url Passw0rd@minio:9000",
        "user:Url-Passw0rd@more@minio:9000",
    ],
)
@pytest.mark.usefixtures("s3")
def test_debug_shows_no_login_of_an_endpoint(
    filled: Sparkify, monkeypatch: pytest.MonkeyPatch, command: list[str], address: str
) -> None:
    """The traceback of --debug has the causes of an error, without the login in AWS_ENDPOINT_URL that they quote."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    ended = filled(*command, "--debug")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("Traceback")
    assert [part for part in ("user:", "Url", "Passw0rd", "more@") if part in ended.err] == []


@pytest.mark.parametrize(
    "secret",
    [
        "[AWS]\nSECRET = s",
        "[CLUSTER]\nDB_PASSWORD = s",
        "[DWH]\nDWH_DB_PASSWORD = s",
        "[WAREHOUSE]\nURL = postgresql://user:s@127.0.0.1:1/db",
    ],
)
def test_file_with_a_secret_that_others_can_read_is_warned_about(secret: str, sparkify: Sparkify) -> None:
    """A command warns once, on stderr, of a file with a password that other users of the machine can read."""
    file = Path("dwh.cfg")
    file.write_text(secret)
    for permissions, warnings in ((0o600, 0), (0o640, 1), (0o604, 1), (0o400, 0)):
        file.chmod(permissions)
        for command in (["status"], ["etl"]):
            ended = sparkify(*command)
            assert ended.err.count("chmod 600 dwh.cfg") == warnings
            assert "chmod" not in ended.out


@pytest.mark.parametrize(
    "text", ["", "[AWS]\nKEY =\n", "[WAREHOUSE]\nURL = postgresql://user@127.0.0.1:1/db", "[S3]\nLOG_DATA = a:b@c"]
)
def test_file_without_a_secret_may_be_read_by_others(text: str, sparkify: Sparkify) -> None:
    """A file without passwords and keys is not warned about, whatever its permissions are."""
    Path("dwh.cfg").write_text(text)
    Path("dwh.cfg").chmod(0o644)
    assert "chmod" not in sparkify("status").err
