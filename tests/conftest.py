"""What the tests share: a warehouse of each engine, filled by the pipeline as a user would fill it."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.promises import deliveries
from tests.support import browser
from tests.support.postgres import MISSING, Server, is_missing, server
from tests.support.realdata import real_data
from tests.support.redshift import Standin, standin
from tests.support.s3 import CREDENTIALS, S3, serving
from tests.support.sandbox import Sandbox

from sparkify.aws.s3 import bucket
from sparkify.warehouse.connect import open_warehouse
from sparkify.warehouse.install import create_missing_tables

if TYPE_CHECKING:  # loaded by the tests that need a browser, or an account
    from playwright.sync_api import Browser
    from tests.support.cloud import Cloud
    from tests.support.cloud.commands import Cluster

ENGINES = ("duckdb", "postgresql", "redshift")

NO_REAL_DATA = "the tests of the real data, which is not here: put it into ../shared/data, or set SPARKIFY_REAL_DATA"

ON_REDSHIFT = {
    "SPARKIFY_S3_STAGE": "s3://stage/area",
    "SPARKIFY_IAM_ROLE_ARN": "arn:aws:iam::123456789012:role/dwhRole",
}
"""What a run on Redshift needs to be told."""


def _left_out() -> dict[str, str]:
    """Return the fixtures that cannot be had here, and why; in CI, everything has to be had."""
    if os.environ.get("CI"):
        return {}
    reasons = {
        "postgres": MISSING if is_missing() else "",
        "real": "" if real_data() else NO_REAL_DATA,
        "chromium": "" if browser.program() else browser.MISSING,
    }
    return {fixture: reason for fixture, reason in reasons.items() if reason}


def _needs(item: pytest.Item, fixture: str) -> bool:
    engine = getattr(item, "callspec", None)
    return fixture in getattr(item, "fixturenames", ()) or bool(
        fixture == "postgres" and engine and {"postgresql", "redshift"} & set(map(str, engine.params.values()))
    )


ON_REDSHIFT_ALWAYS = {
    "test_connection_lost",
    "test_engines_agree",
    "test_redshift",
    "test_redshift_export",
    "test_redshift_login",
    "test_same_warehouse",
}
MANY = 5  # cases of a test, of which people run every fourth
LEFT_TO_CI = (
    "most tests a third time, on the Redshift stand-in, most cases of tests that have many, and the second kind of"
    " cluster; all of them: make test CI=1, and CI does"
)


def _is_cut(config: pytest.Config) -> bool:
    """Tell whether some tests are left to CI: who asks for tests by name gets them all."""
    return not (os.environ.get("CI") or config.option.keyword)


def _for_ci(items: Sequence[pytest.Item], config: pytest.Config) -> set[pytest.Item]:
    """Return the tests that are left to CI: people should not wait longer than they need."""
    if not _is_cut(config):
        return set()
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left = {item for same in cases.values() if len(same) > MANY for number, item in enumerate(same) if number % 4}
    for item in items:
        case = getattr(item, "callspec", None)
        chosen = set(map(str, case.params.values())) if case else set()
        if "redshift" in chosen and item.path.stem not in ON_REDSHIFT_ALWAYS:
            left.add(item)
        if "provisioned" in chosen and item.path.stem.startswith("test_cluster"):
            left.add(item)
    return left


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of which a part is missing on this machine, and those that are left to CI."""
    missing = _left_out()
    left_out = {item for item in items if any(_needs(item, fixture) for fixture in missing)} | _for_ci(items, config)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say in a line what was left out, and how to get it."""
    for reason in (*_left_out().values(), *((LEFT_TO_CI,) if _is_cut(config) else ())):
        terminalreporter.write_line(f"Left out: {reason}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Start one PostgreSQL server for all tests."""
    with server() as running:
        yield running


@pytest.fixture(scope="session")
def redshift(postgres: Server) -> Iterator[Standin]:
    """Run one stand-in for Redshift for all tests, and let its clients trust it."""
    with standin(postgres) as running, pytest.MonkeyPatch.context() as environment:
        for name, value in running.environment.items():
            environment.setenv(name, value)
        yield running


@pytest.fixture(scope="session")
def staging() -> Iterator[S3]:
    """Run one server of S3 for the staging areas of all tests."""
    with serving() as running:
        running.add_bucket("stage")
        yield running


@pytest.fixture
def stage(request: pytest.FixtureRequest, staging: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """Let every client of AWS and the configuration find a staging area: in the test's own S3, if it has one."""
    for name, value in ON_REDSHIFT.items():
        monkeypatch.setenv(name, value)
    if "s3" in request.fixturenames:
        own: S3 = request.getfixturevalue("s3")
        own.add_bucket("stage")
        return own
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": staging.url}.items():
        monkeypatch.setenv(name, value)
    return staging


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start one browser for all tests."""
    if browser.program() is None:
        pytest.fail(browser.MISSING)
    with browser.browser() as started:
        yield started


@pytest.fixture(params=ENGINES)
def make_warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Sandbox]]:
    """Make warehouses, as many as the test wants: empty ones with folders of their own, or copies of another."""
    server = {"postgresql": "postgres", "redshift": "redshift"}.get(request.param)
    running: Server | Standin | None = request.getfixturevalue(server) if server else None
    environ = {}
    if request.param == "redshift":
        request.getfixturevalue("stage")
        environ = ON_REDSHIFT
    with ExitStack() as made:
        numbers = itertools.count(1)

        def make(copied: Sandbox | None = None) -> Sandbox:
            folder = tmp_path / f"warehouse-{next(numbers)}"
            file = folder / "sparkify.duckdb"
            template = copied.url if copied else None
            url = made.enter_context(running.database(template)) if running else f"duckdb:///{file}"
            new = Sandbox(url, folder)
            new.environ = environ
            if copied:
                new.log_data, new.song_data = copied.log_data, copied.song_data
                if not running:
                    shutil.copy(copied.url.removeprefix("duckdb:///"), file)
            return new

        yield make


@pytest.fixture
def warehouse(make_warehouse: Callable[[], Sandbox]) -> Sandbox:
    """Make one empty warehouse."""
    return make_warehouse()


@pytest.fixture
def delivered(warehouse: Sandbox) -> Sandbox:
    """Return an empty warehouse, its tables and views made, whose folders hold a first delivery."""
    with open_warehouse(warehouse.url) as engine:
        create_missing_tables(engine)
    deliveries.first(warehouse.log_data, warehouse.song_data)
    return warehouse


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Give an AWS account, which boto3 finds by itself and in which nobody waits."""
    from botocore.loaders import JSONFileLoader
    from tests.support.cloud import Cloud, read_once

    from sparkify.aws import account

    monkeypatch.setattr(account, "PAUSE", 0.0)
    monkeypatch.setattr(JSONFileLoader, "load_file", read_once)
    for name in [name for name in os.environ if name.startswith(("AWS_", "SPARKIFY_"))]:
        monkeypatch.delenv(name)
    with Cloud() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def cluster(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cluster:
    """Give the commands of `sparkify cluster`, run in a folder of their own against an account."""
    from tests.support.cloud.commands import Cluster

    monkeypatch.chdir(tmp_path)
    return Cluster(cloud, monkeypatch, capsys)


@pytest.fixture(params=["serverless", "provisioned"])
def kind(request: pytest.FixtureRequest, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: ARG001 (first)
    """Name a kind of warehouse, which the environment calls for."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", request.param)
    return str(request.param)


@pytest.fixture(scope="session")
def real() -> Path:
    """Return the folder of the real data, or leave the test out where there is none."""
    folder = real_data()
    if folder is None:
        pytest.fail(NO_REAL_DATA)
    return folder


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """Start an S3 of the test's own, and let every AWS client find it, with credentials, and nothing else."""
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    for variable, name in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        file = tmp_path / f"aws-{name}"
        file.touch()
        monkeypatch.setenv(variable, str(file))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for variable, value in CREDENTIALS.items():
        monkeypatch.setenv(variable, value)
    bucket.cache_clear()
    with serving() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server
    bucket.cache_clear()
