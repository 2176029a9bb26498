"""Before anything is made: the templates, the role's policy, who may connect, what it costs. No account, no network."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml
from cfnlint import api
from cfnlint.config import ManualArgs
from tests.support.cloud.commands import Cluster
from tests.support.cloud.intrinsics import Scope
from tests.support.cloud.resources import Made

from sparkify import config
from sparkify.aws.account import Account
from sparkify.aws.cluster import prices, template
from sparkify.aws.cluster.plan import Plan, plan
from sparkify.aws.cluster.validation import PROVISIONED, SERVERLESS
from sparkify.cli.main import main, parser
from sparkify.errors import ConfigError

KINDS = (SERVERLESS, PROVISIONED)

Settings = dict[str, str]
Planned = Callable[..., Plan]


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Planned:
    """Return a function that plans from keys of dwh.cfg, by section and key."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)

    def made(**keys: str) -> Plan:
        return plan(config.load(environ={f"SPARKIFY_{name}": value for name, value in keys.items()}))

    return made


def resolved(planned: Plan) -> dict[str, Any]:
    """Return the resources of a plan's template with every function in it called."""
    parsed = template.parse(planned.kind)
    values = {name: str(of.get("Default", "")) for name, of in parsed["Parameters"].items()}
    pseudo = {
        "AWS::Partition": "aws",
        "AWS::Region": "eu-west-1",
        "AWS::AccountId": "123456789012",
        "AWS::StackName": planned.stack,
    }
    values |= {**planned.parameters, "Zones": "a,b,c", **pseudo}
    made = {name: Made(f"id-of-{name}", _Attributes(name)) for name in parsed["Resources"]}
    scope = Scope(parsed, values, made)
    return {r.name: scope.resolve(parsed["Resources"][r.name].get("Properties", {})) for r in planned.resources}


class _Attributes(dict[str, Any]):
    """Attributes of a resource, whatever is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __missing__(self, key: str) -> str:
        return f"{self._name}.{key}"


# The templates


@pytest.mark.parametrize("kind", KINDS)
def test_template_has_no_warning(kind: str) -> None:
    """cfn-lint has nothing to say about the templates, warnings and its IAM rules included."""
    found = api.lint(template.text(kind), config=ManualArgs(regions=["us-east-1", "eu-west-1", "us-west-1"]))
    assert [str(match) for match in found] == []


def test_linter_sees_what_is_wrong() -> None:
    """The linter is at work: a template with a property that is none does not pass."""
    broken = template.text(SERVERLESS).replace("ManageAdminPassword", "ManageAdminPasword")
    assert api.lint(broken, config=ManualArgs(regions=["us-east-1"]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("allow_from", ["", "198.51.100.7/32"])
def test_warehouse_is_safe_by_default(planned: Planned, kind: str, allow_from: str) -> None:
    """Encrypted, TLS only, the password with Secrets Manager, and public only for those who are named."""
    made = resolved(planned(DWH_KIND=kind, DWH_ALLOW_FROM=allow_from))
    assert "UserPassword" not in json.dumps(made)
    if kind == SERVERLESS:  # a namespace is always encrypted: by a key of AWS's unless another is named
        warehouse, namespace = made["Workgroup"], made["Namespace"]
        assert {"ParameterKey": "require_ssl", "ParameterValue": "true"} in warehouse["ConfigParameters"]
        assert namespace["ManageAdminPassword"] is True
    else:
        warehouse = made["Cluster"]
        assert warehouse["Encrypted"] is True
        assert warehouse["ManageMasterPassword"] is True
        assert {"ParameterName": "require_ssl", "ParameterValue": "true"} in made["TlsOnly"]["Parameters"]
    assert warehouse["PubliclyAccessible"] is bool(allow_from)
    assert [rule["CidrIp"] for name, rule in made.items() if "Allowed" in name] == ([allow_from] if allow_from else [])


@pytest.mark.parametrize("kind", KINDS)
def test_stage_bucket_lets_nobody_in(planned: Planned, kind: str) -> None:
    """The stack's own bucket is encrypted, closed to the public and to plain HTTP, and drops what was left in it."""
    made = resolved(planned(DWH_KIND=kind))
    bucket = made["Stage"]
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["BucketEncryption"]
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 7
    (statement,) = made["StagePolicy"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


# The role


def allowed(made: dict[str, Any]) -> dict[str, set[str]]:
    """Return what the role's policies allow: resource → actions, with the condition of a listing."""
    found: dict[str, set[str]] = {}
    for policy in made["Role"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            resource = statement["Resource"]
            if "Condition" in statement:
                resource += f" {statement['Condition']['StringLike']['s3:prefix']}"
            found.setdefault(resource, set()).update(actions)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_role_reads_what_was_named_and_uses_the_stage_and_nothing_else(planned: Planned, kind: str) -> None:
    """Logs and songs may be read, the stage read and written, each by its prefix; no other action, no other place."""
    keys = {
        "S3_LOG_DATA": "s3://theirs/log_data",
        "S3_SONG_DATA": "s3://theirs/songs/2018/",
        "S3_STAGE": "s3://ours/a/stage",
    }
    assert allowed(resolved(planned(DWH_KIND=kind, **keys))) == {
        "arn:aws:s3:::theirs/log_data/*": {"s3:GetObject"},
        "arn:aws:s3:::theirs log_data/*": {"s3:ListBucket"},
        "arn:aws:s3:::theirs/songs/2018/*": {"s3:GetObject"},
        "arn:aws:s3:::theirs songs/2018/*": {"s3:ListBucket"},
        "arn:aws:s3:::ours/a/stage/*": {"s3:GetObject", "s3:PutObject"},
        "arn:aws:s3:::ours a/stage/*": {"s3:ListBucket"},
    }


@pytest.mark.parametrize("kind", KINDS)
def test_role_of_local_files_sees_the_stage_only(planned: Planned, kind: str) -> None:
    """Files on disk are no reason to read any bucket but the stack's own."""
    assert allowed(resolved(planned(DWH_KIND=kind))) == {
        "arn:aws:s3:::id-of-Stage/stage/*": {"s3:GetObject", "s3:PutObject"},
        "arn:aws:s3:::id-of-Stage stage/*": {"s3:ListBucket"},
    }


def trust(made: Plan) -> dict[str, Any]:
    """Return the one statement on who may take the role."""
    (statement,) = resolved(made)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    return dict(statement)


USERS = "arn:aws:redshift:eu-west-1:123456789012:dbuser"


def test_role_of_a_cluster_is_for_its_users_only(planned: Planned) -> None:
    """A cluster's users are known by its name: no other cluster's, and no Serverless workgroup's."""
    assert trust(planned(DWH_KIND=PROVISIONED))["Condition"] == {
        "StringLike": {"sts:ExternalId": f"{USERS}:sparkify/*"}
    }


def test_role_of_serverless_knows_its_users_by_either_of_their_names(planned: Planned) -> None:
    """The Redshift guide writes a workgroup by its name, or by account and an id that is not known beforehand."""
    names = [f"{USERS}:sparkify/*", f"{USERS}:serverless-123456789012-*/*"]
    assert trust(planned(DWH_KIND=SERVERLESS))["Condition"] == {"StringLike": {"sts:ExternalId": names}}


@pytest.mark.parametrize("kind", KINDS)
def test_role_is_for_redshift_only(planned: Planned, kind: str) -> None:
    """Only Redshift may take the role, which is called as dwh.cfg says."""
    made = planned(DWH_KIND=kind, DWH_DWH_IAM_ROLE_NAME="dwhRole")
    assert trust(made)["Principal"] == {"Service": ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]}
    assert resolved(made)["Role"]["RoleName"] == "dwhRole"


@pytest.mark.parametrize("kind", KINDS)
def test_policy_in_words_names_every_place_of_the_policy(planned: Planned, kind: str) -> None:
    """What is shown before set-up are the same places as in the policy that is then made."""
    made = planned(DWH_KIND=kind, S3_LOG_DATA="s3://theirs/logs", S3_STAGE="s3://ours/stage")
    shown = {words.split("s3://")[1] for words in made.policy if "s3://" in words}
    places = {place.split(":::")[1].removesuffix("*") for place in allowed(resolved(made)) if "/*" in place.split()[0]}
    assert shown == places
    assert made.policy[-1] == "nothing else"


@pytest.mark.parametrize("url", ["s3://b*/logs", "s3://bucket/lo*gs", "s3://bucket/${aws:username}", "s3://B/x"])
def test_folder_that_would_widen_the_policy_is_refused(planned: Planned, url: str) -> None:
    """A wildcard or a variable in a folder's name would let the role see more than one folder."""
    with pytest.raises(ConfigError, match=r"\[S3\] LOG_DATA: a role cannot be limited to this folder"):
        planned(S3_LOG_DATA=url)


# Keys


def test_keys_of_the_original_dwh_cfg_are_honoured(planned: Planned) -> None:
    """Who has the original's file gets the cluster that it describes, its password left out."""
    made = planned(
        DWH_DWH_CLUSTER_TYPE="multi-node",
        DWH_DWH_NUM_NODES="4",
        DWH_DWH_NODE_TYPE="ra3.large",
        DWH_DWH_IAM_ROLE_NAME="dwhRole",
        DWH_DWH_CLUSTER_IDENTIFIER="dwhCluster",
        DWH_DWH_DB="dwh",
        DWH_DWH_DB_USER="dwhuser",
        DWH_DWH_DB_PASSWORD="hunter2",
        DWH_DWH_PORT="5440",
    )
    cluster, role = resolved(made)["Cluster"], resolved(made)["Role"]
    wanted = {
        "ClusterIdentifier": "dwhcluster",
        "ClusterType": "multi-node",
        "NumberOfNodes": "4",
        "NodeType": "ra3.large",
        "DBName": "dwh",
        "MasterUsername": "dwhuser",
        "Port": "5440",
    }
    assert {key: cluster[key] for key in wanted} == wanted
    assert role["RoleName"] == "dwhRole"
    assert "hunter2" not in json.dumps([made.parameters, resolved(made)])


def test_serverless_is_the_default(planned: Planned) -> None:
    """Nothing named is Serverless of 4 RPU; any of the original's cluster keys is a cluster."""
    assert planned().kind == SERVERLESS
    assert planned().parameters["BaseCapacity"] == "4"
    assert planned(DWH_DWH_NODE_TYPE="ra3.xlplus").kind == PROVISIONED
    assert planned(DWH_DWH_NODE_TYPE="ra3.xlplus", DWH_KIND="serverless").kind == SERVERLESS
    assert (planned(DWH_KIND="provisioned").node_type, planned(DWH_KIND="provisioned").nodes) == ("ra3.large", 1)


@pytest.mark.parametrize("capacity", ["4", "8", "504", "512", "544", "1024"])
def test_every_capacity_that_aws_offers_can_be_had(planned: Planned, capacity: str) -> None:
    """Up to 512 RPU in steps of 8, and up to 1,024 in steps of 32, though not in every region: AWS then says so."""
    assert planned(DWH_BASE_CAPACITY=capacity).parameters["BaseCapacity"] == capacity


def test_planned_region_is_the_one_that_is_used(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown and priced before set-up is the region that boto3 will take."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert planned().region == Account(config.load()).region == "us-west-2"
    assert planned(DWH_REGION="eu-central-1").region == "eu-central-1"


@pytest.mark.parametrize("node_type", ["dc2.large", "dc2.8xlarge", "DC1.large", "ds2.xlarge"])
def test_retired_nodes_are_told_with_what_there_is_today(planned: Planned, node_type: str) -> None:
    """The node types of the original's tutorials cannot be had any more; the error names those that can."""
    with pytest.raises(ConfigError, match=r"is retired.*Choose one of ra3\.large, ra3\.xlplus.*Serverless"):
        planned(DWH_DWH_NODE_TYPE=node_type)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"DWH_KIND": "big"}, "[DWH] KIND: the value is not a kind of warehouse. Write serverless or provisioned."),
        ({"DWH_DWH_NODE_TYPE": "ra4.huge"}, "[DWH] DWH_NODE_TYPE: the value is not a Redshift node type."),
        ({"DWH_DWH_CLUSTER_TYPE": "single"}, "[DWH] DWH_CLUSTER_TYPE: the value is not a cluster type."),
        (
            {"DWH_DWH_CLUSTER_TYPE": "single-node", "DWH_DWH_NUM_NODES": "4"},
            "[DWH] DWH_NUM_NODES: 4 does not match single-node.",
        ),
        (
            {"DWH_DWH_CLUSTER_TYPE": "multi-node", "DWH_DWH_NUM_NODES": "1"},
            "[DWH] DWH_NUM_NODES: 1 does not match multi-node.",
        ),
        ({"DWH_DWH_NUM_NODES": "0"}, "[DWH] DWH_NUM_NODES: 0 does not match single-node."),
        ({"DWH_BASE_CAPACITY": "6"}, "[DWH] BASE_CAPACITY: 6 RPU is not available."),
        ({"DWH_BASE_CAPACITY": "520"}, "[DWH] BASE_CAPACITY: 520 RPU is not available."),
        ({"DWH_BASE_CAPACITY": "1056"}, "[DWH] BASE_CAPACITY: 1056 RPU is not available."),
        ({"DWH_MONTHLY_LIMIT": "0"}, "[DWH] MONTHLY_LIMIT: 0 dollars are less than the price of one RPU-hour."),
        ({"DWH_STACK": "Mine"}, "[DWH] STACK: the value is not a valid stack name."),
        ({"DWH_STACK": "a--b"}, "[DWH] STACK: the value is not a valid stack name."),
        ({"DWH_DWH_DB": "My-DB"}, "[DWH] DWH_DB: the value is not a valid name in Redshift."),
        ({"DWH_DWH_DB_USER": "1st"}, "[DWH] DWH_DB_USER: the value is not a valid name in Redshift."),
        ({"DWH_DWH_DB": "user"}, "[DWH] DWH_DB: user is reserved by Redshift."),
        ({"DWH_DWH_DB": "template1"}, "[DWH] DWH_DB: template1 is reserved by Redshift."),
        ({"DWH_DWH_DB": "padb_harvest"}, "[DWH] DWH_DB: padb_harvest is reserved by Redshift."),
        ({"DWH_DWH_DB_USER": "user"}, "[DWH] DWH_DB_USER: user is reserved by Redshift."),
        ({"DWH_DWH_DB_USER": "public"}, "[DWH] DWH_DB_USER: public is reserved by Redshift."),
        ({"DWH_DWH_PORT": "80"}, "[DWH] DWH_PORT: 80 is not available."),
        ({"DWH_DWH_IAM_ROLE_NAME": "a role"}, "[DWH] DWH_IAM_ROLE_NAME: the value is not a valid role name."),
        (
            {"DWH_KIND": "provisioned", "DWH_DWH_CLUSTER_IDENTIFIER": "a--b"},
            "[DWH] DWH_CLUSTER_IDENTIFIER: the value is not a valid cluster name.",
        ),
        ({"S3_STAGE": "stage"}, "[S3] STAGE: the folder is not in S3, from which COPY loads."),
        ({"S3_STAGE": "s3://bucket"}, "[S3] STAGE: the value is a whole bucket."),
        ({"DWH_PRICES": "nowhere.toml"}, "[DWH] PRICES: nowhere.toml cannot be read"),
    ],
    ids=str,
)
def test_what_cannot_be_had_is_refused_before_aws_is_asked(planned: Planned, keys: Settings, message: str) -> None:
    """A wrong key is told by its name, with what to write instead."""
    with pytest.raises(ConfigError) as caught:
        planned(**keys)
    assert str(caught.value).startswith(message)


# What it costs


def test_serverless_costs_what_its_prices_say(planned: Planned) -> None:
    """An hour of 4 RPU, a day without a query, a month up to the limit: computed by hand from the shipped prices."""
    made = planned()
    secret = 0.40 / 730
    assert made.rpu_hours == 106  # of 0.375 dollars: 39.75 of the 40
    assert made.cost.hour == pytest.approx(4 * 0.375 + secret)
    assert made.cost.day_idle == pytest.approx(24 * secret)
    assert made.cost.month == pytest.approx(106 * 0.375 + 0.40)
    assert made.cost.storage == pytest.approx(2.40)
    public = planned(DWH_ALLOW_FROM="198.51.100.7")
    assert public.cost.day_idle == pytest.approx(24 * (secret + 0.005))


def test_cluster_costs_by_the_hour_whether_it_works_or_not(planned: Planned) -> None:
    """Two nodes cost twice their price, day and night."""
    cost = planned(DWH_DWH_NODE_TYPE="ra3.large", DWH_DWH_NUM_NODES="2").cost
    assert cost.hour == pytest.approx(2 * 0.543 + 0.40 / 730)
    assert cost.day_idle == pytest.approx(24 * cost.hour)
    assert cost.month == pytest.approx(730 * cost.hour)


def test_prices_can_be_updated_by_the_user(planned: Planned, tmp_path: Path) -> None:
    """A corrected copy of prices.toml, with a region of its own, is what the cost is reckoned from."""
    mine = tmp_path / "mine.toml"
    shipped = (files("sparkify.aws.cluster") / "prices.toml").read_text("utf-8")
    mine.write_text(
        f"{shipped}\n[regions.eu-west-1]\nserverless_rpu_hour = 0.5\nstorage_gb_month = 1\nsecret_month = 0\n"
    )
    made = planned(DWH_PRICES=str(mine), DWH_REGION="eu-west-1")
    assert (made.prices.region, made.cost.hour, made.cost.storage) == ("eu-west-1", 2.0, 100.0)
    assert planned(DWH_REGION="eu-west-1").prices.region == "us-east-1"


@pytest.mark.parametrize(
    "text", ["", "as_of = 1", "[regions]", "as_of = 2026-01-01\nsource = ''\n[regions.us-east-1]\na = 'b'", "="]
)
def test_file_of_another_form_is_no_prices(tmp_path: Path, text: str) -> None:
    """A file that is not of the form is refused, not half read."""
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(ConfigError, match="does not have the form"):
        prices.load("us-east-1", str(tmp_path / "prices.toml"))


def test_missing_price_is_asked_for(planned: Planned) -> None:
    """A node type that the prices do not know is neither planned nor shown as free."""
    with pytest.raises(ConfigError, match=r"rg\.large has no price"):
        planned(DWH_DWH_NODE_TYPE="rg.large")


def test_nodes_are_offered_once_they_have_a_price(planned: Planned, tmp_path: Path) -> None:
    """A type that only the user's prices know is offered and planned with these, and not named without them."""
    mine = tmp_path / "mine.toml"
    shipped = (files("sparkify.aws.cluster") / "prices.toml").read_text("utf-8")
    mine.write_text(f'{shipped}\n"rg.large" = 1\n')
    assert planned(DWH_DWH_NODE_TYPE="rg.large", DWH_PRICES=str(mine)).node_type == "rg.large"
    for prices_file, offered in ((str(mine), True), ("", False)):
        with pytest.raises(ConfigError) as caught:
            planned(DWH_DWH_NODE_TYPE="dc2.large", DWH_PRICES=prices_file)
        assert ("rg.large" in str(caught.value)) is offered


@pytest.mark.parametrize(
    ("node_type", "fewest", "most"),
    [("ra3.large", 1, 16), ("ra3.xlplus", 1, 16), ("ra3.4xlarge", 2, 32), ("ra3.16xlarge", 2, 100)],
)
def test_each_type_has_its_range_of_nodes(planned: Planned, node_type: str, fewest: int, most: int) -> None:
    """Without a number the fewest are planned; the most can be had, and one more or one less is told with the range."""
    assert planned(DWH_DWH_NODE_TYPE=node_type).nodes == fewest
    assert planned(DWH_DWH_NODE_TYPE=node_type, DWH_DWH_NUM_NODES=str(most)).nodes == most
    for nodes in {most + 1, fewest - 1} - {0}:
        with pytest.raises(
            ConfigError, match=rf"cannot have {nodes} nodes of {node_type}\. Write {fewest} to {most}\."
        ):
            planned(DWH_DWH_NODE_TYPE=node_type, DWH_DWH_NUM_NODES=str(nodes))


@pytest.mark.usefixtures("offline")
def test_dry_run_without_a_price_shows_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it costs is known before the first line is shown: there is no half a plan."""
    monkeypatch.setenv("SPARKIFY_DWH_DWH_NODE_TYPE", "rg.large")
    assert main(["cluster", "setup", "--dry-run"]) == 2
    assert capsys.readouterr().out == ""


# The dry run


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without AWS's variables, on a machine whose network is not there."""
    import os

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("somebody asked the network")

    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("AWS_", "SPARKIFY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_dry_run_shows_resources_policy_and_cost_without_an_account(
    offline: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """Every resource, the policy in words, the cost an hour, a day and a month, and the prices' date and source."""
    monkeypatch.setenv("SPARKIFY_DWH_KIND", kind)
    monkeypatch.setenv("SPARKIFY_DWH_ALLOW_FROM", "198.51.100.0/24")
    assert main(["cluster", "setup", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    declared = yaml.safe_load(template.text(kind))["Resources"]
    for name, of in declared.items():
        assert f"  {name} " in shown
        assert of["Type"].removeprefix("AWS::") in shown
    for words in (
        "nothing else",
        "198.51.100.0/24",
        "an hour",
        "a day idle",
        "a month",
        "2026-10-07",
        "aws.amazon.com",
    ):
        assert words in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert list(offline.iterdir()) == []


@pytest.mark.usefixtures("offline")
def test_dry_run_says_that_a_password_is_not_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The original's password key is read by nobody, and who has set it is told."""
    monkeypatch.setenv("SPARKIFY_DWH_DWH_DB_PASSWORD", "hunter2")
    assert main(["cluster", "setup", "--dry-run"]) == 0
    said = capsys.readouterr()
    assert "DWH_DB_PASSWORD is not used" in said.out
    assert "hunter2" not in said.out + said.err


@pytest.mark.parametrize("command", ["setup", "status", "pause", "resume", "teardown"])
def test_help_of_a_command_ends_with_an_example_that_parses(cluster: Cluster, command: str) -> None:
    """Every command of the cluster says what it does, and shows a call that it would take."""
    said = cluster(command, "--help")
    assert said.code == 0
    example = " ".join(said.out.split()).rpartition("example: sparkify ")[2]
    assert parser().parse_args(example.split()).command


def test_dry_run_asks_nothing_of_an_account(cluster: Cluster) -> None:
    """Even where an account is at hand, a dry run makes no call."""
    assert cluster("setup", "--dry-run").code == 0
    assert cluster.cloud.calls == []
