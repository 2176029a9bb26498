"""Where a Redshift warehouse is, and how a user logs in to it."""

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
from tests.support.sandbox import Sandbox, Warehouses

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
def test_host_name_holds_cluster_or_workgroup_and_region(host: str, cluster: str, workgroup: str, region: str) -> None:
    """The name of an AWS host holds all that a login by IAM needs."""
    at = Address.of(f"redshift://{host}/dwh")
    assert (at.host, at.port, at.database) == (host, 5439, "dwh")
    assert (at.cluster, at.workgroup, at.region) == (cluster, workgroup, region)


def test_url_may_name_the_workgroup_behind_a_tunnel() -> None:
    """The URL of a tunnel names the workgroup and the region."""
    at = Address.of("redshift://localhost:15439/dwh?workgroup=wg&region=eu-west-1")
    assert (at.host, at.port, at.workgroup, at.region) == ("localhost", 15439, "wg", "eu-west-1")


@pytest.mark.parametrize(
    "url", ["redshift://host", "redshift:///dwh", "redshift://u:s3cret@h:port/d", "redshift://h/d?password=s3cret"]
)
def test_invalid_url_is_reported_without_its_secret(url: str) -> None:
    """An invalid URL is wrong usage, and the message repeats no secret from it."""
    with pytest.raises(ConfigError) as caught:
        open_warehouse(url)
    assert "redshift://host:5439/dbname" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@on_redshift
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # The driver leaves its socket open.
def test_certificate_of_another_host_is_rejected(
    warehouse: Sandbox, redshift: Standin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A certificate of another host is rejected and its name shown; the URL of a tunnel can allow that name."""
    context, authority = server_context(tmp_path, "another.example")
    monkeypatch.setattr(redshift, "tls", context)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with pytest.raises(
        WarehouseError,
        match=r"not valid for 'localhost'\. It was issued to .*another\.example.* \?sslmode=verify-ca",
    ):
        open_warehouse(warehouse.url)
    with open_warehouse(f"{warehouse.url}?sslmode=verify-ca") as engine:
        assert engine.value("select 1") == 1
    _, stranger = server_context(tmp_path, "another.example")  # of another authority
    monkeypatch.setenv("SSL_CERT_FILE", str(stranger))
    with pytest.raises(WarehouseError, match="SSL_CERT_FILE"):
        open_warehouse(f"{warehouse.url}?sslmode=verify-ca")
    gc.collect()


def test_encryption_cannot_be_switched_off() -> None:
    """A URL cannot ask for a connection that does not verify the server."""
    with pytest.raises(ConfigError, match="sslmode must be verify-full or"):
        Address.of("redshift://localhost:5439/dwh?sslmode=require")


@on_redshift
def test_database_that_ignores_case_is_refused(delivered: Sandbox, postgres: Server) -> None:
    """A run refuses a database in which names that differ only in case are equal."""
    database = str(delivered.query("select current_database()")[0][0])
    with psycopg.connect(postgres.url, autocommit=True) as administrator:
        setting = "redshift.database_collation = 'case_insensitive'"
        administrator.execute(f"alter database {database} set {setting}".encode())
    with pytest.raises(WarehouseError, match="COLLATE CASE_SENSITIVE"):
        delivered.etl()


@on_redshift
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # The driver leaves its socket open.
def test_wrong_password_is_reported_without_the_password(
    delivered: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rejected login ends with one line that names the host, and not the password."""
    url = delivered.url.replace("Str0ng-enough", "wr0ng-Passw0rd")
    assert main(["status", "--warehouse", url]) == 1
    error = capsys.readouterr().err
    assert "localhost" in error
    assert "wr0ng-Passw0rd" not in error
    assert "Traceback" not in error
    gc.collect()


class _Aws(BaseHTTPRequestHandler):
    """Grants temporary logins, as Redshift and Redshift Serverless do."""

    def do_POST(self) -> None:
        request = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.headers.get("X-Amz-Target") == "secretsmanager.GetSecretValue":
            answer = json.dumps({"SecretString": json.dumps({"username": "sparkify", "password": "Str0ng-enough"})})
        elif "X-Amz-Target" in self.headers:
            assert json.loads(request)["workgroupName"] == "mine"
            answer = json.dumps({"dbUser": "IAM:tester", "dbPassword": "temporary-1", "expiration": 1.0})
        else:
            assert "Action=GetClusterCredentialsWithIAM" in request
            assert "ClusterIdentifier=mine" in request
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
        """Log nothing."""


@pytest.fixture
def aws(stage: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # noqa: ARG001 (it provides the credentials)
    """Grant temporary logins at a loopback address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Aws) as serving:
        Thread(target=serving.serve_forever).start()
        for service in ("REDSHIFT", "REDSHIFT_SERVERLESS", "SECRETS_MANAGER"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", f"http://127.0.0.1:{serving.server_port}")
        yield
        serving.shutdown()


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("whose", ["cluster=mine", "workgroup=mine"])
def test_login_is_by_iam_unless_there_is_a_password(redshift: Standin, whose: str) -> None:
    """Without a password, a temporary login of the cluster or the workgroup is requested and used."""
    redshift.logins["IAM:tester"] = "temporary-1"
    with redshift.database() as url:
        place = url.rpartition("@")[2]
        with open_warehouse(f"redshift://{place}?{whose}&region=eu-west-1") as engine:
            assert "IAM:tester" in engine.label
            assert "temporary-1" not in engine.label


@pytest.mark.usefixtures("stage")  # It provides the credentials.
@pytest.mark.parametrize("endpoint", ["http://user:s3cret@{}", "user:s3cret@{}"])
@pytest.mark.parametrize("whose", ["cluster=mine", "workgroup=mine"])
def test_unreachable_login_service_is_reported_without_a_password(
    monkeypatch: pytest.MonkeyPatch, whose: str, endpoint: str
) -> None:
    """If AWS cannot be reached for a login, the message has its host, but not the secret of the URL."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.format(place))
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        with pytest.raises(WarehouseError, match="AWS does not grant a login by IAM") as caught:
            open_warehouse(f"redshift://localhost:1/dwh?{whose}&region=eu-west-1")
    assert place in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.usefixtures("aws")
@on_redshift
def test_url_without_a_host_is_the_stack_that_setup_made(
    delivered: Sandbox, redshift: Standin, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Host, role and staging area come from the stack that setup created, and the user gets its permission."""
    redshift.logins["IAM:tester"] = "temporary-1"
    known = Outputs(
        stack="sparkify",
        kind="serverless",
        name="mine",
        host="localhost",
        port=redshift.port,
        db=delivered.url.rpartition("/")[2],
        role_arn="arn:aws:iam::123456789012:role/dwhRole",
        stage="s3://stage/of-the-stack",
        region="us-east-1",
        secret_arn="arn:aws:secretsmanager:us-east-1:123456789012:secret:of-the-stack",
    )
    redshift.faults.fail("create schema", "permission denied for database dwh", "42501")
    with psycopg.connect(postgres.url, autocommit=True) as behind, suppress(psycopg.errors.DuplicateObject):
        behind.execute('create role "iam:tester"')  # The stand-in grants permissions to this role.
    monkeypatch.setattr(outputs_module, "outputs", lambda _: known)
    direct, delivered.url = delivered.url, "redshift://"
    delivered.environ = {"SPARKIFY_WAREHOUSE_SCHEMA": "not_made_yet"}
    assert delivered.etl().run.counts.songplays > 0
    assert any(sql.startswith("grant create on database") and '"IAM:tester"' in sql for sql in redshift.log)
    delivered.url = direct
    assert delivered.failed_checks() == []


@on_redshift
def test_login_that_must_not_create_a_schema_reads_the_grant(
    make_warehouse: Warehouses, redshift: Standin, postgres: Server
) -> None:
    """Without an administrator's login, the message has the grant, and the session is closed."""
    warehouse = make_warehouse.absent()
    redshift.faults.fail("create schema", "permission denied for database dwh", "42501")
    with pytest.raises(WarehouseError) as caught:
        open_warehouse(warehouse.url)
    database = warehouse.url.rpartition("/")[2]
    grant = f'grant create on database "{database}" to "sparkify"'
    assert f"Ask an administrator to run once: {grant};" in str(caught.value)
    with psycopg.connect(postgres.url, autocommit=True) as behind:
        for _ in range(100):  # The stand-in may notice the end of the session a moment later.
            left = behind.execute("select pid from pg_stat_activity where datname = %s", [database]).fetchall()
            if not left:
                break
            time.sleep(0.1)
    assert left == []


def test_missing_driver_is_reported() -> None:
    """Without the AWS packages, the message says how to install them."""
    code = (
        "import sys; sys.modules['redshift_connector'] = None; from sparkify.cli.main import main;"
        " sys.exit(main(['status', '--warehouse', 'redshift://u:p@127.0.0.1:1/dwh']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    words = "redshift://: the AWS clients are not installed. Run `pip install 'sparkify-warehouse[aws]'`."
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"sparkify: {words}\n")


def test_silent_host_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to a host that does not answer fails with what to check."""
    monkeypatch.setattr(engine, "CONNECTED_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Transient, match="security group"):
        open_warehouse(f"redshift://u:p@127.0.0.1:{silent.getsockname()[1]}/dwh")
