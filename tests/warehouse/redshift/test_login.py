"""Where a Redshift warehouse is, and who may log in to it."""

from __future__ import annotations

import gc
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from tests.support.postgres import Server
from tests.support.redshift import Standin
from tests.support.redshift.certificate import server_context
from tests.support.s3 import S3
from tests.support.sandbox import Sandbox

from sparkify.aws.cluster import outputs as outputs_module
from sparkify.aws.cluster.outputs import Outputs
from sparkify.cli.main import main
from sparkify.errors import ConfigError, Transient, WarehouseError
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.redshift import engine
from sparkify.warehouse.redshift.login import Address

on_redshift = pytest.mark.parametrize("make_warehouse", ["redshift"], indirect=True)


@pytest.mark.parametrize(
    ("host", "cluster", "workgroup", "region"),
    [
        ("mine.abc123.eu-west-1.redshift.amazonaws.com", "mine", "", "eu-west-1"),
        ("wg.123456789012.us-east-2.redshift-serverless.amazonaws.com", "", "wg", "us-east-2"),
        ("mine.abc123.cn-north-1.redshift.amazonaws.com.cn", "mine", "", "cn-north-1"),
        ("warehouse.example.com", "", "", ""),
    ],
)
def test_host_says_which_cluster_or_workgroup_it_is(host: str, cluster: str, workgroup: str, region: str) -> None:
    """The name of a host holds all that a login by IAM needs."""
    at = Address.of(f"redshift://{host}/dwh")
    assert (at.host, at.port, at.database) == (host, 5439, "dwh")
    assert (at.cluster, at.workgroup, at.region) == (cluster, workgroup, region)


def test_url_may_name_the_workgroup_behind_a_tunnel() -> None:
    """Where the host is a tunnel or a name of one's own, the URL says whose it is."""
    at = Address.of("redshift://localhost:15439/dwh?workgroup=wg&region=eu-west-1")
    assert (at.host, at.port, at.workgroup, at.region) == ("localhost", 15439, "wg", "eu-west-1")


@pytest.mark.parametrize(
    "url", ["redshift://host", "redshift:///dwh", "redshift://u:s3cret@h:port/d", "redshift://h/d?password=s3cret"]
)
def test_url_of_no_redshift_is_told_without_its_secret(url: str) -> None:
    """A URL that cannot be used is wrong usage; what it holds is not repeated."""
    with pytest.raises(ConfigError) as told:
        open_warehouse(url)
    assert "redshift://host:5439/dbname" in str(told.value)
    assert "s3cret" not in str(told.value)


@on_redshift
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the driver leaves its socket open
def test_host_that_is_not_who_its_certificate_says_is_refused(
    warehouse: Sandbox, redshift: Standin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """That an authority we trust has signed a certificate is not enough: it has to be the host's own."""
    context, authority = server_context(tmp_path, "another.example")
    monkeypatch.setattr(redshift, "tls", context)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with pytest.raises(WarehouseError, match="certificate is not valid for 'localhost'"):
        open_warehouse(warehouse.url)
    gc.collect()


@on_redshift
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the driver leaves its socket open
def test_wrong_password_is_told_without_the_right_one(delivered: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A login that is refused ends with one line that names the host, and no password."""
    url = delivered.url.replace("Str0ng-enough", "wr0ng-Passw0rd")
    assert main(["status", "--warehouse", url]) == 1
    said = capsys.readouterr().err
    assert "localhost" in said
    assert "wr0ng-Passw0rd" not in said
    assert "Traceback" not in said
    gc.collect()


class _Aws(BaseHTTPRequestHandler):
    """Gives temporary logins, as Redshift and Redshift Serverless do."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.headers.get("X-Amz-Target") == "secretsmanager.GetSecretValue":
            answer = json.dumps({"SecretString": json.dumps({"username": "sparkify", "password": "Str0ng-enough"})})
        elif "X-Amz-Target" in self.headers:
            assert json.loads(asked)["workgroupName"] == "mine"
            answer = json.dumps({"dbUser": "IAM:tester", "dbPassword": "temporary-1", "expiration": 1.0})
        else:
            assert "Action=GetClusterCredentialsWithIAM" in asked
            assert "ClusterIdentifier=mine" in asked
            result = "<DbUser>IAM:tester</DbUser><DbPassword>temporary-1</DbPassword>"
            answer = (
                '<GetClusterCredentialsWithIAMResponse xmlns="http://redshift.amazonaws.com/doc/2012-12-01/">'
                f"<GetClusterCredentialsWithIAMResult>{result}</GetClusterCredentialsWithIAMResult>"
                "</GetClusterCredentialsWithIAMResponse>"
            )
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def aws(stage: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # noqa: ARG001 (whose credentials these are)
    """Give temporary logins at a loopback address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Aws) as serving:
        Thread(target=serving.serve_forever).start()
        for service in ("REDSHIFT", "REDSHIFT_SERVERLESS", "SECRETS_MANAGER"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", f"http://127.0.0.1:{serving.server_port}")
        yield
        serving.shutdown()


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("whose", ["cluster=mine", "workgroup=mine"])
def test_login_is_by_iam_unless_there_is_a_password(redshift: Standin, whose: str) -> None:
    """Without a password, a temporary login is asked for, of the cluster or of the workgroup, and it works."""
    redshift.logins["IAM:tester"] = "temporary-1"
    with redshift.database() as url:
        place = url.rpartition("@")[2]
        with open_warehouse(f"redshift://{place}?{whose}&region=eu-west-1") as engine:
            assert "IAM:tester" in engine.label
            assert "temporary-1" not in engine.label


@pytest.mark.usefixtures("stage")  # whose credentials these are
@pytest.mark.parametrize("endpoint", ["http://user:s3cret@{}", "user:s3cret@{}"])
@pytest.mark.parametrize("whose", ["cluster=mine", "workgroup=mine"])
def test_login_that_cannot_be_asked_for_is_told_without_a_password(
    monkeypatch: pytest.MonkeyPatch, whose: str, endpoint: str
) -> None:
    """Where AWS is not there to give a login, the message says where it was asked, and not the secret in that URL."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.format(place))
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        with pytest.raises(WarehouseError, match="AWS does not grant a login by IAM") as told:
            open_warehouse(f"redshift://localhost:1/dwh?{whose}&region=eu-west-1")
    assert place in str(told.value)
    assert "s3cret" not in str(told.value)


@pytest.mark.usefixtures("aws")
@on_redshift
def test_url_without_a_host_is_the_stack_that_setup_made(
    delivered: Sandbox, redshift: Standin, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `sparkify cluster setup`, host, role and staging area come from the stack; a new user gets its right."""
    redshift.logins["IAM:tester"] = "temporary-1"
    known = Outputs(
        stack="sparkify",
        kind="serverless",
        name="mine",
        host="localhost",
        port=redshift.port,
        db=delivered.url.rpartition("/")[2],
        user=None,
        role_arn="arn:aws:iam::123456789012:role/dwhRole",
        stage="s3://stage/of-the-stack",
        region="us-east-1",
        secret_arn="arn:aws:secretsmanager:us-east-1:123456789012:secret:of-the-stack",
    )
    redshift.faults.fail("create schema", "permission denied for database dwh", "42501")
    with psycopg.connect(postgres.url, autocommit=True) as behind, suppress(psycopg.errors.DuplicateObject):
        behind.execute('create role "iam:tester"')  # whom the stand-in lets in as somebody else
    monkeypatch.setattr(outputs_module, "outputs", lambda _: known)
    direct, delivered.url = delivered.url, "redshift://"
    delivered.environ = {"SPARKIFY_WAREHOUSE_SCHEMA": "not_made_yet"}
    assert delivered.etl().run.counts.songplays > 0
    assert any(said.startswith("grant create on database") and '"IAM:tester"' in said for said in redshift.log)
    delivered.url = direct
    assert delivered.failed_checks() == []


@on_redshift
def test_who_may_not_make_a_schema_is_told_the_grant(warehouse: Sandbox, redshift: Standin, postgres: Server) -> None:
    """Where no administrator's login is known, the message has the statement for one; and the session is ended."""
    redshift.faults.fail("create schema", "permission denied for database dwh", "42501")
    with pytest.raises(WarehouseError) as told:
        open_warehouse(warehouse.url)
    database = warehouse.url.rpartition("/")[2]
    grant = f'grant create on database "{database}" to "sparkify"'
    assert f"Have an administrator run once: {grant};" in str(told.value)
    with psycopg.connect(postgres.url, autocommit=True) as behind:
        for _ in range(100):  # the stand-in may take a moment to hear of it
            left = behind.execute("select pid from pg_stat_activity where datname = %s", [database]).fetchall()
            if not left:
                break
            time.sleep(0.1)
    assert left == []


def test_missing_driver_is_told() -> None:
    """Without the packages for AWS, how to install them is told."""
    code = (
        "import sys; sys.modules['redshift_connector'] = None; from sparkify import cli;"
        " sys.exit(cli.main(['status', '--warehouse', 'redshift://u:p@127.0.0.1:1/dwh']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    words = "redshift://… needs the AWS clients: pip install 'sparkify-warehouse[aws]'"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"sparkify: {words}\n")


def test_silent_host_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a firewall swallows what is sent, the run ends with what to check."""
    monkeypatch.setattr(engine, "_CONNECTED_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Transient, match="security group"):
        open_warehouse(f"redshift://u:p@127.0.0.1:{silent.getsockname()[1]}/dwh")
