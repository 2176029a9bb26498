"""Which settings come from dwh.cfg and which from the stack, and what setup writes into dwh.cfg."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest
from tests.support.cloud.commands import Cluster

from sparkify import config
from sparkify.aws.cluster import dwh_cfg
from sparkify.aws.cluster.outputs import outputs
from sparkify.errors import ClusterError, ConfigError
from sparkify.warehouse.redshift import login


def test_etl_finds_the_warehouse_by_the_name_of_its_stack(cluster: Cluster, kind: str) -> None:
    """Endpoint, role, stage and secret come from the stack."""
    cluster.setup()
    found = outputs(config.load())
    assert (found.stack, found.kind, found.name, found.db) == ("sparkify", kind, "sparkify", "sparkifydb")
    service = "redshift-serverless" if kind == "serverless" else "redshift"
    assert re.fullmatch(rf"sparkify\.\w+\.us-east-1\.{service}\.amazonaws\.com", found.host)
    assert found.port == 5439
    assert re.fullmatch(rf"arn:aws:iam::{cluster.cloud.account}:role/sparkify/sparkify/[\w-]+", found.role_arn)
    assert re.fullmatch(r"s3://sparkify-stage-\w+/stage", found.stage)
    assert found.secret_arn.startswith("arn:aws:secretsmanager:")
    assert found.url == f"redshift://{found.host}:5439/sparkifydb"


@pytest.mark.ci
def test_role_and_stage_of_dwh_cfg_come_before_those_of_the_stack(cluster: Cluster) -> None:
    """Role and stage in dwh.cfg take precedence over those of the stack."""
    cluster.setup()
    of_the_stack = outputs(config.load())
    _, used, _ = login.resolve("redshift://", config.load(environ={}))
    assert (used.iam_role_arn, used.stage) == (of_the_stack.role_arn, of_the_stack.stage)
    Path("dwh.cfg").write_text("[IAM_ROLE]\nARN = arn:aws:iam::123456789012:role/mine\n[S3]\nSTAGE = s3://mine/stage\n")
    _, used, _ = login.resolve("redshift://", config.load(environ={}))
    assert (used.iam_role_arn, used.stage) == ("arn:aws:iam::123456789012:role/mine", "s3://mine/stage")


def test_missing_stack_is_reported_with_the_remedy(cluster: Cluster) -> None:
    """Without a complete stack, a load says what to run."""
    with pytest.raises(ClusterError, match=r"sparkify: there is no such stack in us-east-1\. Run `sparkify cl"):
        outputs(config.load())
    cluster.interrupted(3, "setup", "--yes")
    with pytest.raises(ClusterError, match=r"is not complete \(CREATE_IN_PROGRESS\)"):
        outputs(config.load())


ORIGINAL = """\
# ours
[CLUSTER]
HOST=''
db_name='dwh'

[IAM_ROLE]
; the role
ARN=
[S3]
LOG_DATA='logs'
"""


def test_write_config_fills_dwh_cfg_in_and_leaves_the_rest(cluster: Cluster) -> None:
    """--write-config writes endpoint, role and stage into dwh.cfg, and keeps comments and other keys."""
    Path("dwh.cfg").write_text(ORIGINAL)
    Path("dwh.cfg").chmod(0o640)
    cluster.setup("--write-config", "--allow-from", "198.51.100.7")
    loaded, found = config.load(), outputs(config.load())
    assert (loaded.cluster.host, loaded.cluster.db_name, loaded.cluster.db_port) == (found.host, "sparkifydb", 5439)
    assert (loaded.iam_role_arn, loaded.stage, loaded.log_data) == (found.role_arn, found.stage, "logs")
    assert (loaded.dwh.region, loaded.dwh.allow_from) == ("us-east-1", "198.51.100.7/32")
    text = Path("dwh.cfg").read_text()
    assert "# ours\n" in text
    assert "; the role\n" in text
    assert found.secret_arn not in text
    assert Path("dwh.cfg").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[CLUSTER]\n    HOST =\n    DB_USER =\n[S3]\n    STAGE =\n    LOG_DATA = logs\n",
        "[S3]\n  LOG_DATA = logs\n\n[CLUSTER]\n",
        "[s3]\r\nstage: ''\r\n[S3]\r\nLOG_DATA = logs",
    ],
)
def test_config_of_any_form_can_be_filled_in(tmp_path: Path, text: str) -> None:
    """The keys can be written into a dwh.cfg of any layout."""
    file = tmp_path / "dwh.cfg"
    file.write_text(text)
    dwh_cfg.write(file, {("S3", "STAGE"): "s3://b/stage", ("CLUSTER", "HOST"): "host", ("DWH", "REGION"): "r"})
    loaded = config.load(file, environ={})
    assert (loaded.stage, loaded.cluster.host, loaded.dwh.region) == ("s3://b/stage", "host", "r")
    assert loaded.log_data == ("logs" if "logs" in text else "data/log_data")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("fault", [OSError(errno.EBUSY, "Device or resource busy"), KeyboardInterrupt()], ids=str)
def test_config_that_cannot_be_replaced_leaves_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    """A dwh.cfg that cannot be replaced is unchanged, and no copy with its secrets is left."""
    file = tmp_path / "dwh.cfg"
    file.write_text("[AWS]\nSECRET = hunter2\n")

    def refuse(*_: object) -> None:
        raise fault

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises((ConfigError, KeyboardInterrupt)) as raised:
        dwh_cfg.write(file, {("S3", "STAGE"): "s3://b/stage"})
    if isinstance(fault, OSError):
        assert f"{file}: the file cannot be replaced (Device or resource busy), and is unchanged." in str(raised.value)
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(file, "[AWS]\nSECRET = hunter2\n")]


@pytest.mark.ci
def test_written_config_calls_for_no_change(cluster: Cluster) -> None:
    """After --write-config, the next setup finds nothing to change."""
    cluster.setup("--write-config", "--allow-from", "198.51.100.7")
    assert cluster.setup().out.startswith("Nothing to change")


def test_written_config_is_emptied_by_teardown(cluster: Cluster) -> None:
    """A teardown removes the deleted warehouse from dwh.cfg."""
    Path("dwh.cfg").write_text(ORIGINAL)
    cluster.setup("--write-config")
    assert "Removed the deleted warehouse from dwh.cfg." in cluster("teardown", "--yes").err
    loaded = config.load()
    assert (loaded.cluster.host, loaded.iam_role_arn, loaded.stage, loaded.log_data) == ("", "", "", "logs")
    cluster.setup()


@pytest.mark.ci
def test_other_folder_of_the_stacks_own_stage_keeps_the_bucket(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder in the stack's bucket keeps the bucket, and the role may use it."""
    stage = re.search(r"stage +(s3://\S+)/stage\n", cluster.setup().out)
    assert stage
    monkeypatch.setenv("SPARKIFY_S3_STAGE", f"{stage[1]}/area")
    ended = cluster.setup()
    assert "remove" not in ended.err
    assert f"{stage[1]}/area\n" in ended.out
    assert [f"s3://{b['Name']}" for b in cluster.cloud.client("s3").list_buckets()["Buckets"]] == [stage[1]]
    (role,) = cluster.cloud.client("iam").list_roles(PathPrefix="/sparkify/")["Roles"]
    policy = cluster.cloud.client("iam").get_role_policy(RoleName=role["RoleName"], PolicyName="use-stage")
    assert f"{stage[1].removeprefix('s3://')}/area/*" in str(policy["PolicyDocument"])
    assert cluster.setup().out.startswith("Nothing to change")


@pytest.mark.parametrize("exists", [False, True])
def test_stage_in_a_missing_bucket_is_wrong_usage(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    """A stage in a missing bucket, which anyone could create, is wrong usage."""
    if exists:
        cluster.setup()
    before = cluster.cloud.everything()
    monkeypatch.setenv("SPARKIFY_S3_STAGE", "s3://nobody-has-made-this/stage")
    ended = cluster("setup", "--yes")
    assert ended.code == 2
    assert "[S3] STAGE: there is no bucket nobody-has-made-this," in ended.err
    assert cluster.cloud.everything() == before


@pytest.mark.ci
def test_stage_of_the_user_replaces_that_of_the_stack(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own stage replaces the stack's bucket, even a full one."""
    cluster.setup()
    s3 = cluster.cloud.client("s3")
    cluster.cloud.fill_stage()
    s3.create_bucket(Bucket=f"ours-{cluster.cloud.account}")
    monkeypatch.setenv("SPARKIFY_S3_STAGE", f"s3://ours-{cluster.cloud.account}/stage")
    assert "  remove  Stage" in cluster.setup().err
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == [f"ours-{cluster.cloud.account}"]
    assert outputs(config.load()).stage == f"s3://ours-{cluster.cloud.account}/stage"
