"""Setting up: from nothing, twice, changed, failing at each resource, interrupted; unchanged boto3 against a server."""

from __future__ import annotations

import errno
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cloud import Cloud
from tests.cloud.commands import Cluster
from tests.realdata import REPOSITORY

from sparkify import config
from sparkify.cluster import dwh_cfg, outputs, template
from sparkify.engines import redshift_login
from sparkify.errors import ClusterError, ConfigError

REASON = "Resource handler returned message: The service is busy (Service: Any, Status Code: 500)"
RESOURCES = [(kind, name) for kind in ("serverless", "provisioned") for name in template.parse(kind)["Resources"]]


def asked(cluster: Cluster, what: str) -> int:
    """Return how often something was asked of AWS."""
    return cluster.cloud.calls.count(what)


@pytest.mark.usefixtures("kind")
def test_setup_makes_every_resource_and_carries_the_tag(cluster: Cluster) -> None:
    """All of the template stands afterwards, tagged with the project; every resource was named while it was made."""
    said = cluster.setup("--allow-from", "198.51.100.7")
    (stack,) = cluster.cloud.formation.stacks.values()
    assert stack.status == "CREATE_COMPLETE"
    assert {"Key": "sparkify:project", "Value": "sparkify"} in stack.tags
    for name in stack.template["Resources"]:
        assert f"  making    {name}\n" in said.err
        assert f"  made      {name}\n" in said.err
    assert said.out.startswith("The warehouse sparkify is ready.")


def test_serverless_is_limited_in_what_it_may_spend(cluster: Cluster) -> None:
    """When setup has ended there is a limit for the month, at which queries are refused."""
    cluster.setup()
    (limit,) = cluster.cloud.serverless.limits.values()
    assert (limit["amount"], limit["period"], limit["breachAction"]) == (106, "monthly", "deactivate")
    assert limit["resourceArn"] == cluster.cloud.serverless.workgroups["sparkify"]["workgroupArn"]


def test_changed_limit_is_changed_in_aws(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new MONTHLY_LIMIT replaces the old one: there is never a second."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_MONTHLY_LIMIT", "80")
    assert "The limit is now 213 RPU-hours a month; it was 106." in cluster.setup().err
    assert [limit["amount"] for limit in cluster.cloud.serverless.limits.values()] == [213]


def test_limit_that_somebody_took_away_is_set_again(cluster: Cluster) -> None:
    """A stack without its limit, as an interruption leaves it, has it after the next setup."""
    cluster.setup()
    cluster.cloud.serverless.limits.clear()
    cluster.setup()
    assert len(cluster.cloud.serverless.limits) == 1


def test_missing_limit_is_told_loudly(cluster: Cluster) -> None:
    """A warehouse that stands without a limit of its spend is a failure, and says so."""
    cluster.cloud.denied["redshift-serverless:CreateUsageLimit"] = ""
    said = cluster("setup", "--yes")
    assert said.code == 1
    assert "sparkify: stands, but nothing limits what it costs." in said.err
    cluster.cloud.denied.clear()
    cluster.setup()
    assert len(cluster.cloud.serverless.limits) == 1


def test_changed_limit_is_asked_for(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be spent is shown and asked about like any other change: the answer no leaves the limit as it was."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_MONTHLY_LIMIT", "100000")
    for answer, amount in (("n\n", 106), ("y\n", 266_666)):
        said = cluster("setup", answer=answer)
        assert said.code == 0
        shown, _, _ = said.err.partition("Change this? [y/N]")
        assert "  change  UsageLimit (266,666 RPU-hours a month; now 106)" in shown
        assert [limit["amount"] for limit in cluster.cloud.serverless.limits.values()] == [amount]


@pytest.mark.parametrize("action", ["log", "emit-metric"])
def test_limit_that_stops_nothing_is_none(cluster: Cluster, action: str) -> None:
    """A limit that only tells of its breach does not limit the spend: setup makes it one that does."""
    cluster.setup()
    (limit,) = cluster.cloud.serverless.limits.values()
    limit |= {"breachAction": action, "amount": 50}
    assert "The limit is now 106 RPU-hours a month; it was 50, and stopped nothing." in cluster.setup().err
    assert (limit["amount"], limit["breachAction"]) == (106, "deactivate")


@pytest.mark.parametrize("action", ["log", "deactivate"])
def test_limit_of_the_users_own_stays(cluster: Cluster, action: str) -> None:
    """Beside the limit that dwh.cfg calls for there may be one that warns, or stops, before: setup leaves it as is."""
    cluster.setup()
    (limit,) = cluster.cloud.serverless.limits.values()
    theirs = {**limit, "usageLimitId": "theirs", "breachAction": action, "amount": 80}
    cluster.cloud.serverless.limits = {"theirs": theirs, limit["usageLimitId"]: limit}
    assert cluster.setup().out.startswith("Nothing to change")
    assert (theirs["amount"], theirs["breachAction"]) == (80, action)


@pytest.mark.usefixtures("kind")
def test_second_setup_changes_nothing(cluster: Cluster) -> None:
    """Set up twice, the account is the same after the second time, and no update was begun."""
    cluster.setup("--allow-from", "198.51.100.7")
    before = cluster.cloud.everything()
    said = cluster.setup("--allow-from", "198.51.100.7")
    assert said.out.startswith("Nothing to change")
    assert cluster.cloud.everything() == before
    assert asked(cluster, "cloudformation:ExecuteChangeSet") == 0
    assert not next(iter(cluster.cloud.formation.stacks.values())).change_sets


def test_changed_dwh_cfg_shows_its_changes_first(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an update will do is shown before the question; the answer no leaves everything as it is."""
    cluster.setup()
    before = cluster.cloud.everything()
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    said = cluster("setup", "--allow-from", "198.51.100.7", answer="n\n")
    assert said.code == 0
    shown, _, rest = said.err.partition("Change this? [y/N]")
    assert "  add     AllowedAddresses" in shown
    assert "  change  Workgroup (BaseCapacity, PubliclyAccessible)" in shown
    assert "Nothing was changed." in rest
    assert cluster.cloud.everything() == before
    assert asked(cluster, "cloudformation:ExecuteChangeSet") == 0


def test_agreed_change_is_made(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """After yes, the warehouse is what dwh.cfg says, and the rest is the same as before."""
    cluster.setup()
    before = set(cluster.cloud.everything())
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    said = cluster("setup", "--allow-from", "198.51.100.7", answer="y\n")
    assert said.code == 0, said.err
    workgroup = cluster.cloud.serverless.workgroups["sparkify"]
    assert (workgroup["baseCapacity"], workgroup["publiclyAccessible"]) == (8, True)
    added = set(cluster.cloud.everything()) - before
    assert len(added) == 1
    assert next(iter(added)).startswith("sgr-")


def test_setup_asks_before_it_makes_anything(cluster: Cluster) -> None:
    """Without a yes nothing is made; without a terminal to ask at, that is wrong usage."""
    before = cluster.cloud.everything()
    assert cluster("setup", answer="n\n").code == 0
    said = cluster("setup")
    assert said.code == 2
    assert "Set this up? Pass --yes to say so." in said.err
    assert cluster.cloud.everything() == before
    assert asked(cluster, "cloudformation:CreateStack") == 0


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("provisioned", "DWH_DB", "another"),
        ("provisioned", "DWH_DB_USER", "another"),
        ("serverless", "DWH_DB", "another"),
    ],
)
def test_change_that_would_lose_the_data_is_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, kind: str, key: str, value: str
) -> None:
    """An update for which CloudFormation would make a new cluster and delete the old one is not begun."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", kind)
    cluster.setup()
    before = cluster.cloud.everything()
    monkeypatch.setenv(f"SPARKIFY_DWH_{key}", value)
    said = cluster("setup", "--yes")
    assert said.code == 1
    assert re.search(
        "cannot be changed without a new (cluster|namespace), and the data would go with the old one", said.err
    )
    assert cluster.cloud.everything() == before


def test_other_kind_is_not_made_of_what_is_there(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Serverless warehouse does not become a cluster: that would be another warehouse, without the data."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    said = cluster("setup", "--yes")
    assert said.code == 1
    assert "is serverless, and dwh.cfg now calls for provisioned" in said.err


def test_stack_of_somebody_else_is_left_alone(cluster: Cluster) -> None:
    """A stack of the same name without the project's tag is neither changed nor deleted."""
    text = template.text("serverless")
    values = {"Name": "theirs", "Zones": "us-east-1a,us-east-1b,us-east-1c", "DatabaseName": "d", "AdminUser": "a"}
    values |= {"Port": "5439", "BaseCapacity": "8"}
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    client = cluster.cloud.client("cloudformation")
    client.create_stack(StackName="sparkify", TemplateBody=text, Parameters=given, Tags=[])
    cluster.cloud.formation.finish()
    before = cluster.cloud.everything()
    for command in ("setup", "teardown"):
        said = cluster(command, "--yes")
        assert said.code == 1
        assert "is a stack of somebody else's" in said.err
    assert cluster.cloud.everything() == before


# Failing


@pytest.mark.parametrize(("kind", "resource"), RESOURCES, ids=str)
def test_failure_at_any_resource_is_rolled_back_and_told(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, kind: str, resource: str
) -> None:
    """Whatever cannot be made is named, with AWS's words; nothing is left, and the next setup goes through."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", kind)
    cloud = cluster.cloud
    before = cloud.everything()
    cloud.formation.fails["create", resource] = REASON
    said = cluster("setup", "--yes", "--allow-from", "198.51.100.7")
    assert said.code == 1
    assert f"{resource} (AWS::" in said.err
    assert REASON in said.err
    assert "was rolled back; nothing is left" in said.err
    assert "cancelled" not in said.err
    assert cloud.everything() == before
    cloud.formation.fails.clear()
    cluster.setup("--allow-from", "198.51.100.7")


def test_rollback_that_fails_leads_to_teardown(cluster: Cluster) -> None:
    """If even the rollback fails, the message says so; a second setup says the same, and teardown clears up."""
    before = cluster.cloud.everything()
    cluster.cloud.formation.fails |= {("create", "Workgroup"): REASON, ("delete", "Role"): REASON}
    assert "could not be rolled back (ROLLBACK_FAILED)" in cluster("setup", "--yes").err
    cluster.cloud.formation.fails.clear()
    said = cluster("setup", "--yes")
    assert said.code == 1
    assert "Run `sparkify cluster teardown`" in said.err
    assert cluster("teardown", "--yes").code == 0
    assert cluster.cloud.everything() == before


def test_update_that_fails_leaves_the_warehouse_as_it_was(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that AWS cannot make is undone, told with the resource and AWS's words, and can be tried again."""
    cluster.setup()
    before = cluster.cloud.everything()
    cluster.cloud.formation.fails["update", "Workgroup"] = REASON
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    said = cluster("setup", "--yes", "--allow-from", "198.51.100.7")
    assert said.code == 1
    assert "could not be changed, and is as it was before" in said.err
    assert f"Workgroup (AWS::RedshiftServerless::Workgroup): {REASON}" in said.err
    assert cluster.cloud.everything() == before
    assert cluster.cloud.serverless.workgroups["sparkify"]["baseCapacity"] == 4
    cluster.cloud.formation.fails.clear()
    cluster.setup("--allow-from", "198.51.100.7")
    assert cluster.cloud.serverless.workgroups["sparkify"]["baseCapacity"] == 8


def test_update_that_could_not_be_undone_is_picked_up(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack stuck in UPDATE_ROLLBACK_FAILED is told of, and the next setup takes the rollback up again."""
    cluster.setup()
    cluster.cloud.formation.fails |= {("update", "Workgroup"): REASON, ("rollback", ""): REASON}
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    assert "could not be rolled back (UPDATE_ROLLBACK_FAILED)" in cluster("setup", "--yes").err
    cluster.cloud.formation.fails.clear()
    assert "could not be undone. Trying again." in cluster.setup().err
    assert cluster.cloud.serverless.workgroups["sparkify"]["baseCapacity"] == 8


def test_throttled_calls_are_made_again(cluster: Cluster) -> None:
    """AWS asking for slower calls fails nothing."""
    cluster.cloud.throttled["cloudformation:DescribeStackEvents"] = 2
    cluster.cloud.throttled["redshift-serverless:CreateUsageLimit"] = 1
    cluster.setup()
    assert cluster.cloud.throttled.total() == 0


# Interrupted


@pytest.mark.parametrize("after", [1, 2, 11, 22, 33])
@pytest.mark.usefixtures("kind")
def test_interrupted_setup_is_picked_up_by_the_next(cluster: Cluster, after: int) -> None:
    """Ctrl-C leaves AWS at work and says so; the next setup waits for it and ends as if nothing had been."""
    said = cluster.interrupted(after, "setup", "--yes")
    assert said.code == 130
    assert "AWS goes on with the stack sparkify" in said.err
    assert "cluster teardown" in said.err
    said = cluster.setup()
    assert "AWS is at work on sparkify (CREATE_IN_PROGRESS)" in said.err
    assert asked(cluster, "cloudformation:CreateStack") == 1
    before = cluster.cloud.everything()
    assert cluster.setup().out.startswith("Nothing to change")
    assert cluster.cloud.everything() == before


@pytest.mark.parametrize("after", [1, 2, 11, 22, 33])
@pytest.mark.usefixtures("kind")
def test_interrupted_setup_is_cleared_away_by_teardown(cluster: Cluster, after: int) -> None:
    """Whenever it was interrupted, a teardown leaves nothing of it."""
    before = cluster.cloud.everything()
    assert cluster.interrupted(after, "setup", "--yes").code == 130
    said = cluster("teardown", "--yes", "--no-snapshot")
    assert (said.code, said.out) == (0, "Nothing is left of sparkify.\n")
    assert cluster.cloud.everything() == before


def test_interrupted_setup_says_that_nothing_limits_the_cost(cluster: Cluster) -> None:
    """Serverless has its limit only when a setup has ended: who stops one earlier reads so, and again."""
    for _ in range(2):
        said = cluster.interrupted(2, "setup", "--yes")
        assert "Nothing limits what it may cost until a setup has ended: that sets the limit." in said.err
    cluster.setup()
    assert len(cluster.cloud.serverless.limits) == 1


@pytest.mark.parametrize("after", [2, 33])
def test_limit_is_set_even_if_a_change_is_declined_or_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Whatever becomes of a change, a warehouse that stands without a limit has one after the next setup."""
    cluster.interrupted(after, "setup", "--yes", "--allow-from", "198.51.100.7")
    said = cluster("setup", answer="n\n")
    assert said.code == 0
    assert "Set the limit: 106 RPU-hours a month" in said.err
    assert len(cluster.cloud.serverless.limits) == 1
    cluster.cloud.serverless.limits.clear()
    monkeypatch.setenv("SPARKIFY_DWH_DWH_DB", "another")
    said = cluster("setup", "--yes", "--allow-from", "198.51.100.7")
    assert said.code == 1
    assert "the data would go with the old one" in said.err
    assert len(cluster.cloud.serverless.limits) == 1


def test_warehouse_of_another_kind_without_a_limit_is_told(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where dwh.cfg calls for a cluster, setup has no limit to set on what stands, and says that there is none."""
    cluster.setup()
    cluster.cloud.serverless.limits.clear()
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    assert "Nothing limits what sparkify costs." in cluster("setup", "--yes").err


def test_what_to_run_after_ctrl_c_keeps_the_door_open(cluster: Cluster) -> None:
    """The command that the message gives goes on with the same setup: who was let in on the command line stays in."""
    for _ in range(2):
        said = cluster.interrupted(2, "setup", "--yes", "--allow-from", "198.51.100.7")
        assert "Run `sparkify cluster setup --allow-from 198.51.100.7/32` to go on" in said.err
    assert cluster.setup("--allow-from", "198.51.100.7/32").out.startswith("The warehouse sparkify is ready.")
    assert asked(cluster, "cloudformation:ExecuteChangeSet") == 0


def test_interrupted_setup_of_a_cluster_speaks_of_no_limit(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster never has a limit, and nothing is said of one."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", "provisioned")
    assert "limits" not in cluster.interrupted(2, "setup", "--yes").err


def test_failure_that_nobody_watched_is_told_by_the_next_setup(cluster: Cluster) -> None:
    """Interrupted, then failed in AWS: the next setup says what failed if it sees it, and can always be repeated."""
    cluster.cloud.formation.fails["create", "Workgroup"] = REASON
    cluster.interrupted(4, "setup", "--yes")
    assert REASON in cluster("setup", "--yes").err
    cluster.interrupted(4, "setup", "--yes")
    cluster.cloud.formation.finish()
    cluster.cloud.formation.fails.clear()
    assert "An earlier setup of sparkify failed and was rolled back. Beginning anew." in cluster.setup().err


def test_interrupted_change_is_picked_up(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of an update: the next setup waits for its end, and finds nothing more to change."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    assert cluster.interrupted(1, "setup", "--yes").code == 130
    assert cluster.setup().out.startswith("Nothing to change")
    assert cluster.cloud.serverless.workgroups["sparkify"]["baseCapacity"] == 8


def test_ctrl_c_on_a_real_process_says_what_to_run(cloud: Cloud, tmp_path: Path) -> None:
    """A signal ends the process with 130 and a sentence, not with a traceback."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    command = [sys.executable, "-m", "sparkify", "cluster", "setup", "--yes"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as process:
        while not cloud.formation.stacks:
            time.sleep(0.05)
            assert process.poll() is None
        assert process.stderr
        while not process.stderr.readline().startswith("  making"):
            pass
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "AWS goes on with the stack sparkify" in rest
    assert "Traceback" not in rest


# Afterwards


def test_etl_finds_the_warehouse_by_the_name_of_its_stack(cluster: Cluster, kind: str) -> None:
    """Endpoint, role, stage and secret come from the stack; nothing is copied by hand."""
    cluster.setup()
    found = outputs(config.load())
    assert (found.stack, found.kind, found.name, found.db) == ("sparkify", kind, "sparkify", "sparkifydb")
    service = "redshift-serverless" if kind == "serverless" else "redshift"
    assert re.fullmatch(rf"sparkify\.\w+\.us-east-1\.{service}\.amazonaws\.com", found.host)
    assert found.port == 5439
    assert re.fullmatch(rf"arn:aws:iam::{cluster.cloud.account}:role/sparkify/sparkify/[\w-]+", found.role_arn)
    assert re.fullmatch(r"s3://sparkify-stage-\w+/stage", found.stage)
    assert found.secret_arn.startswith("arn:aws:secretsmanager:")
    assert found.user is None
    assert found.url == f"redshift://{found.host}:5439/sparkifydb"


def test_role_and_stage_of_dwh_cfg_come_before_those_of_the_stack(cluster: Cluster) -> None:
    """What dwh.cfg names itself is what a run uses; the stack serves where it names nothing."""
    cluster.setup()
    of_the_stack = outputs(config.load())
    _, used, _ = redshift_login.found("redshift://", config.load(environ={}))
    assert (used.iam_role_arn, used.stage) == (of_the_stack.role_arn, of_the_stack.stage)
    Path("dwh.cfg").write_text("[IAM_ROLE]\nARN = arn:aws:iam::123456789012:role/mine\n[S3]\nSTAGE = s3://mine/stage\n")
    _, used, _ = redshift_login.found("redshift://", config.load(environ={}))
    assert (used.iam_role_arn, used.stage) == ("arn:aws:iam::123456789012:role/mine", "s3://mine/stage")


def test_missing_stack_is_told_with_what_to_run(cluster: Cluster) -> None:
    """Who loads before setting up reads what to run; who set up half a stack as well."""
    with pytest.raises(ClusterError, match=r"sparkify: there is no stack of this name in us-east-1\. Run `sparkify cl"):
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
    """Endpoint, role and stage stand in dwh.cfg afterwards; comments and other keys are as they were; no secret."""
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
    """Whatever dwh.cfg looks like, the keys are in it afterwards, and the file can still be read."""
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
    """A file that is mounted by itself cannot be replaced: it stays as it is, and no copy of its secrets is left."""
    file = tmp_path / "dwh.cfg"
    file.write_text("[AWS]\nSECRET = hunter2\n")

    def refuse(*_: object) -> None:
        raise fault

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises((ConfigError, KeyboardInterrupt)) as raised:
        dwh_cfg.write(file, {("S3", "STAGE"): "s3://b/stage"})
    if isinstance(fault, OSError):
        assert f"{file}: cannot be replaced (Device or resource busy), and is as it was." in str(raised.value)
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(file, "[AWS]\nSECRET = hunter2\n")]


def test_written_config_calls_for_no_change(cluster: Cluster) -> None:
    """The stage that dwh.cfg now names is still the stack's own: the next setup does not take it for the user's."""
    cluster.setup("--write-config", "--allow-from", "198.51.100.7")
    assert cluster.setup().out.startswith("Nothing to change")


def test_written_config_is_emptied_by_teardown(cluster: Cluster) -> None:
    """Nothing names a warehouse that is gone, so that the next setup and the next load begin afresh."""
    Path("dwh.cfg").write_text(ORIGINAL)
    cluster.setup("--write-config")
    assert "Took what named the warehouse out of dwh.cfg." in cluster("teardown", "--yes").err
    loaded = config.load()
    assert (loaded.cluster.host, loaded.iam_role_arn, loaded.stage, loaded.log_data) == ("", "", "", "logs")
    cluster.setup()


def test_other_folder_of_the_stacks_own_stage_keeps_the_bucket(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder in the bucket that the stack made is no bucket of the user's: it stays, and the role uses it."""
    stage = re.search(r"stage +(s3://\S+)/stage\n", cluster.setup().out)
    assert stage
    monkeypatch.setenv("SPARKIFY_S3_STAGE", f"{stage[1]}/area")
    said = cluster.setup()
    assert "remove" not in said.err
    assert f"{stage[1]}/area\n" in said.out
    assert [f"s3://{b['Name']}" for b in cluster.cloud.client("s3").list_buckets()["Buckets"]] == [stage[1]]
    (role,) = cluster.cloud.client("iam").list_roles()["Roles"]
    policy = cluster.cloud.client("iam").get_role_policy(RoleName=role["RoleName"], PolicyName="use-stage")
    assert f"{stage[1].removeprefix('s3://')}/area/*" in str(policy["PolicyDocument"])
    assert cluster.setup().out.startswith("Nothing to change")


@pytest.mark.parametrize("stands", [False, True])
def test_stage_in_a_bucket_that_is_not_there_is_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, stands: bool
) -> None:
    """Whoever makes that bucket could read what is staged: no role gets rights on a name that is free."""
    if stands:
        cluster.setup()
    before = cluster.cloud.everything()
    monkeypatch.setenv("SPARKIFY_S3_STAGE", "s3://nobody-has-made-this/stage")
    said = cluster("setup", "--yes")
    assert said.code == 2
    assert "[S3] STAGE: there is no bucket nobody-has-made-this," in said.err
    assert cluster.cloud.everything() == before


def test_stage_of_the_users_own_takes_the_stacks_place(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Naming a stage afterwards removes the stack's bucket, full or not, and the role uses the new place."""
    cluster.setup()
    s3 = cluster.cloud.client("s3")
    cluster.cloud.fill_stage()
    s3.create_bucket(Bucket=f"ours-{cluster.cloud.account}")
    monkeypatch.setenv("SPARKIFY_S3_STAGE", f"s3://ours-{cluster.cloud.account}/stage")
    assert "  remove  Stage" in cluster.setup().err
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == [f"ours-{cluster.cloud.account}"]
    assert outputs(config.load()).stage == f"s3://ours-{cluster.cloud.account}/stage"


def test_doors_of_the_original_set_up_and_tear_down(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python redshift_cluster_setup.py`, then `python redshift_cluster_teardown.py`, as the original's README says."""
    before = cluster.cloud.everything()
    for door, result in (("setup", 1), ("teardown", 0)):
        monkeypatch.setattr(sys, "argv", [f"redshift_cluster_{door}.py", "--yes"])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPOSITORY / f"redshift_cluster_{door}.py"), run_name="__main__")
        assert ended.value.code == 0
        assert len(cluster.cloud.serverless.workgroups) == result
    assert cluster.cloud.everything() == before
