"""Fixtures that the tests share, and the choice of tests that people run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from tests.promises import deliveries
from tests.support import browser
from tests.support import postgres as postgresql
from tests.support.postgres import Server, server
from tests.support.realdata import real_data
from tests.support.redshift import Standin, standin
from tests.support.s3 import CREDENTIALS, S3, serving
from tests.support.sandbox import Databases, Sandbox, Templates, Warehouses

from sparkify.aws.s3 import bucket

if TYPE_CHECKING:  # Only tests that need a browser or an AWS account load these.
    from playwright.sync_api import Browser
    from tests.support.cloud import Cloud
    from tests.support.cloud.commands import Cluster

settings.load_profile("ci")  # Hypothesis tries the same cases in each run, and asserts no times.

# A shell that runs the tests in the background makes them ignore Ctrl-C, and with them every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

ENGINES = ("duckdb", "postgresql", "redshift")

NO_REAL_DATA = (
    "the tests that need the real data, which is missing. Put it into ../shared/data, or set SPARKIFY_REAL_DATA"
)
REAL_DATA_OFF = "the tests that need the real data, because SPARKIFY_NO_REAL_DATA is 1"

ON_REDSHIFT = {
    "SPARKIFY_S3_STAGE": "s3://stage/area",
    "SPARKIFY_IAM_ROLE_ARN": "arn:aws:iam::123456789012:role/dwhRole",
}
"""The settings that a run on Redshift needs."""

MANY = 3  # People run every sixth case of a test with more cases, if it uses one of these fixtures.
EXPENSIVE = {"chromium", "client", "cluster", "make_warehouse", "planned", "reading", "filled", "redshift", "s3"}
ONE_IN = {
    "aws": 12,
    "cli": 4,
    "pipeline": 6,
    "promises": 4,
    "report": 12,
    "sample_data": 2,
    "sources": 8,
    "sql": 4,
    "staging": 6,
    "warehouse": 8,
}
"""Folder → people run the first test of each of its modules, and then one in so many."""
SAME_ON_REDSHIFT = {"aws", "report", "sources", "staging"}
"""The folders of which only the first test of each module runs on the Redshift stand-in, since they read and show."""
REPEATED = "on the Redshift stand-in, tests of aws, report, sources and staging after the first one of each module"
LEFT_TO_CI = (
    "what only CI runs: the Redshift stand-in, most tests on PostgreSQL, most tests of slow folders, and most cases of"
    " tests that have many. Run everything with: make test CI=1"
)


def _left_out() -> dict[str, str]:
    """Return the fixtures that are not available here, and why; CI may leave out only the real data, on request."""
    reasons = {}
    if os.environ.get("SPARKIFY_NO_REAL_DATA") == "1":
        reasons["real"] = REAL_DATA_OFF
    if os.environ.get("CI"):
        return reasons
    if real_data() is None:
        reasons.setdefault("real", NO_REAL_DATA)
    if postgresql.is_missing():
        reasons["postgres"] = postgresql.MISSING
    if not browser.program():
        reasons["chromium"] = browser.MISSING
    return reasons


def _parameters(item: pytest.Item) -> set[str]:
    """Return the parameters of a test's case as text."""
    case = getattr(item, "callspec", None)
    return set(map(str, case.params.values())) if case else set()


def _needs(item: pytest.Item, fixture: str) -> bool:
    """Return whether a test needs a fixture."""
    on_server = fixture == "postgres" and {"postgresql", "redshift"} & _parameters(item)
    return fixture in _fixtures(item) or bool(on_server)


def _is_cut(config: pytest.Config) -> bool:
    """Return whether some tests are left to CI: -k runs every test that it names."""
    return not (os.environ.get("CI") or config.option.keyword)


def _for_ci(items: Sequence[pytest.Item], config: pytest.Config) -> set[pytest.Item]:
    """Return the tests that are left to CI, so that people wait minutes at most."""
    if not _is_cut(config):
        return set()
    left = {item for item in items if item.get_closest_marker("ci") or _is_left_by_engine(item)}
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item not in left and EXPENSIVE & _fixtures(item):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left |= {item for same in cases.values() if len(same) > MANY for number, item in enumerate(same) if number % 6}
    tests: dict[Path, list[str]] = {}  # by module
    for item in items:
        name, names = item.nodeid.partition("[")[0], tests.setdefault(item.path, [])
        if item not in left and name not in names:
            names.append(name)
        if name in names and names.index(name) % ONE_IN.get(_folder(item), 1):
            left.add(item)
    return left


def _repeated_on_redshift(items: Sequence[pytest.Item]) -> set[pytest.Item]:
    """Return the tests that would only repeat on the Redshift stand-in what they show on the other engines."""
    tried: dict[Path, str] = {}  # module → its first such test
    repeated = set()
    for item in items:
        if _folder(item) in SAME_ON_REDSHIFT and {"redshift", "make_warehouse"} <= _parameters(item) | _fixtures(item):
            name = item.nodeid.partition("[")[0]
            if tried.setdefault(item.path, name) != name:
                repeated.add(item)
    return repeated


def _fixtures(item: pytest.Item) -> set[str]:
    """Return the names of the fixtures that a test uses."""
    return set(getattr(item, "fixturenames", ()))


def _folder(item: pytest.Item) -> str:
    """Return the folder of a test, below `tests`."""
    return item.path.relative_to(item.config.rootpath / "tests").parts[0]


def _is_left_by_engine(item: pytest.Item) -> bool:
    """Return whether CI alone runs a test on its engine, or on its kind of cluster."""
    parameters, folder = _parameters(item), _folder(item)
    if "redshift" in parameters | _fixtures(item) or folder == "support":
        return True
    if "postgresql" in parameters:
        return folder != "promises"
    return "provisioned" in parameters and folder == "aws"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option with which `make renew` runs a test."""
    parser.addoption("--renew", action="store_true", help="write the files that tests compare, instead of comparing")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark of the tests that only CI runs."""
    config.addinivalue_line("markers", "ci: only CI runs this test, and make test CI=1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests whose fixtures are not available on this machine, and those that are left to CI."""
    missing = _left_out()
    left_out = {item for item in items if any(_needs(item, fixture) for fixture in missing)}
    left_out |= _for_ci(items, config) | (set() if config.option.keyword else _repeated_on_redshift(items))
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print a line for each group of tests that was left out, with how to run it."""
    everything = LEFT_TO_CI if _is_cut(config) else REPEATED
    for reason in (*_left_out().values(), *(() if config.option.keyword else (everything,))):
        terminalreporter.write_line(f"Left out: {reason}")


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Return the warehouses that are filled once and copied."""
    return Templates(tmp_path_factory.mktemp("templates"))


@pytest.fixture(scope="session")
def postgres(templates: Templates) -> Iterator[Server]:
    """Start one PostgreSQL server for all tests."""
    with server() as running:
        yield running
        templates.drop(running)


@pytest.fixture(scope="session")
def redshift(postgres: Server, templates: Templates) -> Iterator[Standin]:
    """Run one stand-in for Redshift for all tests, and make its clients trust it."""
    with standin(postgres) as running, pytest.MonkeyPatch.context() as environment:
        for name, value in running.environment.items():
            environment.setenv(name, value)
        yield running
        templates.drop(running)


@pytest.fixture(scope="session")
def staging() -> Iterator[S3]:
    """Run one S3 server for the staging areas of all tests."""
    with serving() as running:
        running.add_bucket("stage")
        yield running


@pytest.fixture
def stage(request: pytest.FixtureRequest, staging: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """Configure a staging area for every AWS client: in the test's own S3 if it has one, else in the shared one."""
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
def make_warehouse(request: pytest.FixtureRequest, tmp_path: Path, templates: Templates) -> Iterator[Warehouses]:
    """Return the maker of the warehouses of one engine; a test may create several."""
    fixture = {"postgresql": "postgres", "redshift": "redshift"}.get(request.param)
    running: Databases | None = request.getfixturevalue(fixture) if fixture else None
    if request.param == "redshift":
        request.getfixturevalue("stage")
    warehouses = Warehouses(tmp_path, running, ON_REDSHIFT if request.param == "redshift" else {}, templates)
    yield warehouses
    warehouses.drop()


@pytest.fixture
def warehouse(make_warehouse: Warehouses) -> Sandbox:
    """Return a warehouse with empty tables."""
    return make_warehouse()


@pytest.fixture
def delivered(warehouse: Sandbox) -> Sandbox:
    """Return a warehouse with empty tables, whose folders hold a first delivery."""
    deliveries.first(warehouse.log_data, warehouse.song_data)
    return warehouse


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Run an AWS account that boto3 finds in the environment and in which no call waits."""
    import yaml
    from botocore.loaders import JSONFileLoader
    from tests.support.cloud import Cloud, read_once

    from sparkify.aws import account

    monkeypatch.setattr(account, "PAUSE", 0.0)
    monkeypatch.setattr(JSONFileLoader, "load_file", read_once)
    monkeypatch.setattr(yaml, "SafeLoader", getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # It is ten times faster.
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
    """Return the commands of `sparkify cluster`, run in a folder of their own against an account."""
    from tests.support.cloud.commands import Cluster

    monkeypatch.chdir(tmp_path)
    return Cluster(cloud, monkeypatch, capsys)


@pytest.fixture(params=["serverless", "provisioned"])
def kind(request: pytest.FixtureRequest, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: ARG001 (first)
    """Return a kind of warehouse, which the environment asks for."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", request.param)
    return str(request.param)


@pytest.fixture(scope="session")
def real() -> Path:
    """Return the folder of the real data, or fail."""
    folder = real_data()
    if folder is None:
        pytest.fail(NO_REAL_DATA)
    return folder


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """Run an S3 server of the test's own, and configure it and its credentials for every AWS client."""
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
