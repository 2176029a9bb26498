"""Before anything is created: the templates, the role's policy, the costs and the dry run, without network."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml
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
    """Return the resources of a plan's template with every function evaluated."""
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
    """Attributes of a resource, with any name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __missing__(self, key: str) -> str:
        return f"{self._name}.{key}"


# The templates


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("allow_from", ["", "198.51.100.7/32"])
def test_warehouse_is_safe_by_default(planned: Planned, kind: str, allow_from: str) -> None:
    """A warehouse is encrypted, TLS only, has a generated password, and is public only if addresses are named."""
    made = resolved(planned(DWH_KIND=kind, DWH_ALLOW_FROM=allow_from))
    assert "UserPassword" not in json.dumps(made)
    if kind == SERVERLESS:  # A namespace is always encrypted, by default with a key of AWS.
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
def test_stage_bucket_is_closed(planned: Planned, kind: str) -> None:
    """The stack's bucket is encrypted, closed to the public and to plain HTTP, and deletes old objects of the stage."""
    made = resolved(planned(DWH_KIND=kind))
    bucket = made["Stage"]
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["BucketEncryption"]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["Prefix"], rule["ExpirationInDays"]) == ("stage/", 7)
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
    """The role may read logs and songs, and read and write the stage, each by its prefix, and nothing else."""
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
    """With local files, the role may access the stage only."""
    assert allowed(resolved(planned(DWH_KIND=kind))) == {
        "arn:aws:s3:::id-of-Stage/stage/*": {"s3:GetObject", "s3:PutObject"},
        "arn:aws:s3:::id-of-Stage stage/*": {"s3:ListBucket"},
    }


def trust(made: Plan) -> dict[str, Any]:
    """Return the statement on who may assume the role."""
    (statement,) = resolved(made)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    return dict(statement)


USERS = "arn:aws:redshift:eu-west-1:123456789012:dbuser"


def test_role_of_a_cluster_is_for_its_users_only(planned: Planned) -> None:
    """Only users of the cluster may assume its role."""
    assert trust(planned(DWH_KIND=PROVISIONED))["Condition"] == {
        "StringLike": {"sts:ExternalId": f"{USERS}:sparkify/*"}
    }


def test_role_of_serverless_knows_its_users_by_either_of_their_names(planned: Planned) -> None:
    """The Redshift guide identifies a workgroup by name, or by account and an unknown id; the role accepts both."""
    names = [f"{USERS}:sparkify/*", f"{USERS}:serverless-123456789012-*/*"]
    assert trust(planned(DWH_KIND=SERVERLESS))["Condition"] == {"StringLike": {"sts:ExternalId": names}}


@pytest.mark.parametrize("kind", KINDS)
def test_role_is_for_redshift_only(planned: Planned, kind: str) -> None:
    """Only Redshift may assume the role, which has the name in dwh.cfg."""
    made = planned(DWH_KIND=kind, DWH_DWH_IAM_ROLE_NAME="dwhRole")
    assert trust(made)["Principal"] == {"Service": ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]}
    assert resolved(made)["Role"]["RoleName"] == "dwhRole"


@pytest.mark.parametrize("kind", KINDS)
def test_policy_in_words_names_every_place_of_the_policy(planned: Planned, kind: str) -> None:
    """The policy shown before setup names the same places as the policy that setup creates."""
    made = planned(DWH_KIND=kind, S3_LOG_DATA="s3://theirs/logs", S3_STAGE="s3://ours/stage")
    shown = {words.split("s3://")[1] for words in made.policy if "s3://" in words}
    places = {place.split(":::")[1].removesuffix("*") for place in allowed(resolved(made)) if "/*" in place.split()[0]}
    assert shown == places
    assert made.policy[-1] == "nothing else"


@pytest.mark.parametrize("url", ["s3://b*/logs", "s3://bucket/lo*gs", "s3://bucket/${aws:username}", "s3://B/x"])
def test_folder_that_would_widen_the_policy_is_refused(planned: Planned, url: str) -> None:
    """A folder with a wildcard or a variable, which would widen the role's policy, is wrong usage."""
    with pytest.raises(ConfigError, match=r"\[S3\] LOG_DATA: a role cannot be limited to this folder"):
        planned(S3_LOG_DATA=url)


# Keys


def test_keys_of_the_original_dwh_cfg_are_honoured(planned: Planned) -> None:
    """The original design's dwh.cfg gives the cluster that it describes, without its password."""
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
    expected = {
        "ClusterIdentifier": "dwhcluster",
        "ClusterType": "multi-node",
        "NumberOfNodes": "4",
        "NodeType": "ra3.large",
        "DBName": "dwh",
        "MasterUsername": "dwhuser",
        "Port": "5440",
    }
    assert {key: cluster[key] for key in expected} == expected
    assert role["RoleName"] == "dwhRole"
    assert "hunter2" not in json.dumps([made.parameters, resolved(made)])


def test_serverless_is_the_default(planned: Planned) -> None:
    """The default is Serverless, with 4 RPU where the region has it; the original's cluster keys make it a cluster."""
    assert planned().kind == SERVERLESS
    for region, capacity in (("", "4"), ("us-east-1", "4"), ("eu-central-1", "8")):
        assert planned(DWH_REGION=region).parameters["BaseCapacity"] == capacity
    assert planned(DWH_DWH_NODE_TYPE="ra3.xlplus").kind == PROVISIONED
    assert planned(DWH_DWH_NODE_TYPE="ra3.xlplus", DWH_KIND="serverless").kind == SERVERLESS
    assert (planned(DWH_KIND="provisioned").node_type, planned(DWH_KIND="provisioned").nodes) == ("ra3.large", 1)


@pytest.mark.parametrize("capacity", ["4", "8", "504", "512", "544", "1024"])
def test_every_capacity_that_aws_offers_is_valid(planned: Planned, capacity: str) -> None:
    """A capacity is a multiple of 8 RPU up to 512, and of 32 RPU up to 1,024."""
    assert planned(DWH_BASE_CAPACITY=capacity).parameters["BaseCapacity"] == capacity


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        ({"DWH_REGION": "us-east-1"}, ""),
        ({"DWH_REGION": "eu-central-1", "DWH_BASE_CAPACITY": "16"}, ""),
        ({"DWH_REGION": "eu-central-1"}, "8 RPU is the least that eu-central-1 is known to have."),
        ({"DWH_REGION": "eu-central-1", "DWH_BASE_CAPACITY": "4"}, "eu-central-1 is not known to have 4 RPU."),
        ({"DWH_REGION": "us-east-1", "DWH_BASE_CAPACITY": "1024"}, "Not every region has more than 512 RPU."),
    ],
    ids=str,
)
def test_plan_says_which_capacity_a_region_may_lack(planned: Planned, keys: Settings, note: str) -> None:
    """The plan has a note about a capacity that AWS does not offer in every region."""
    assert planned(**keys).notes == ([note] if note else [])


def test_role_has_the_permissions_boundary_of_the_organisation(planned: Planned) -> None:
    """The role has the permissions boundary of dwh.cfg, and by default none."""
    arn = "arn:aws:iam::123456789012:policy/boundary"
    assert resolved(planned(DWH_PERMISSIONS_BOUNDARY=arn))["Role"]["PermissionsBoundary"] == arn
    assert "PermissionsBoundary" not in resolved(planned())["Role"]


def test_planned_region_is_the_one_that_is_used(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    """The region that a plan shows is the one that boto3 uses."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert planned().region == Account(config.load()).region == "us-west-2"
    assert planned(DWH_REGION="eu-central-1").region == "eu-central-1"


@pytest.mark.parametrize("node_type", ["dc2.large", "dc2.8xlarge", "DC1.large", "ds2.xlarge"])
def test_retired_node_types_are_reported_with_current_ones(planned: Planned, node_type: str) -> None:
    """A retired node type is wrong usage, and the message names the current ones."""
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
        ({"DWH_PERMISSIONS_BOUNDARY": "boundary"}, "[DWH] PERMISSIONS_BOUNDARY: the value is not the ARN of a policy."),
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
def test_impossible_value_is_wrong_usage(planned: Planned, keys: Settings, message: str) -> None:
    """A wrong value is reported by its key, before any call of AWS."""
    with pytest.raises(ConfigError) as caught:
        planned(**keys)
    assert str(caught.value).startswith(message)


# Costs


def amounts(made: Plan) -> list[float]:
    """Return the costs of an hour, a day idle, a month, and a month of storage."""
    return [amount for amount, _ in made.costs.values()]


def test_serverless_costs_what_its_prices_say(planned: Planned) -> None:
    """The costs of Serverless follow from the shipped prices."""
    made = planned()
    secret = 0.40 / 730
    assert made.rpu_hours == 106  # at 0.375 dollars each: 39.75 of 40
    assert amounts(made) == pytest.approx([4 * 0.375 + secret, 24 * secret, 106 * 0.375 + 0.40, 2.40])
    public = planned(DWH_ALLOW_FROM="198.51.100.7")
    assert amounts(public)[1] == pytest.approx(24 * (secret + 2 * 0.005))  # an address in each of two subnets


def test_cluster_costs_by_the_hour_whether_it_works_or_not(planned: Planned) -> None:
    """A cluster costs the price of its nodes every hour, whether it works or not."""
    made = planned(DWH_DWH_NODE_TYPE="ra3.large", DWH_DWH_NUM_NODES="2")
    hour = 2 * 0.543 + 0.40 / 730
    assert amounts(made)[:3] == pytest.approx([hour, 24 * hour, 730 * hour])


def test_prices_can_be_updated_by_the_user(planned: Planned, tmp_path: Path) -> None:
    """The user's own copy of prices.toml takes the place of the shipped one."""
    mine = tmp_path / "mine.toml"
    shipped = (files("sparkify.aws.cluster") / "prices.toml").read_text("utf-8")
    mine.write_text(
        f"{shipped}\n[regions.eu-west-1]\nserverless_rpu_hour = 0.5\nstorage_gb_month = 1\nsecret_month = 0\n"
    )
    made = planned(DWH_PRICES=str(mine), DWH_REGION="eu-west-1")
    assert made.prices.region == "eu-west-1"
    assert (amounts(made)[0], amounts(made)[3]) == (2.0, 100.0)
    assert planned(DWH_REGION="eu-west-1").prices.region == "us-east-1"


@pytest.mark.parametrize(
    "text", ["", "as_of = 1", "[regions]", "as_of = 2026-01-01\nsource = ''\n[regions.us-east-1]\na = 'b'", "="]
)
def test_prices_of_another_form_are_wrong_usage(tmp_path: Path, text: str) -> None:
    """A prices file of another form is wrong usage."""
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(ConfigError, match="does not have the form"):
        prices.load("us-east-1", str(tmp_path / "prices.toml"))


def test_missing_price_is_reported(planned: Planned) -> None:
    """A node type without a price is neither planned nor free."""
    with pytest.raises(ConfigError, match=r"rg\.large has no price"):
        planned(DWH_DWH_NODE_TYPE="rg.large")


def test_nodes_are_offered_once_they_have_a_price(planned: Planned, tmp_path: Path) -> None:
    """A node type is offered once the user's prices contain it."""
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
    """Each node type has a range of node numbers, and the smallest one is the default."""
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
    """A dry run without a price shows nothing."""
    monkeypatch.setenv("SPARKIFY_DWH_DWH_NODE_TYPE", "rg.large")
    assert main(["cluster", "setup", "--dry-run"]) == 2
    assert capsys.readouterr().out == ""


# The dry run


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without AWS's variables and without a network."""
    import os

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("the network was used")

    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("AWS_", "SPARKIFY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_dry_run_shows_resources_policy_and_cost_without_an_account(
    offline: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """A dry run shows every resource, the policy, the costs, and date and source of the prices."""
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
    """The original's password is not used, and a dry run says so."""
    monkeypatch.setenv("SPARKIFY_DWH_DWH_DB_PASSWORD", "hunter2")
    assert main(["cluster", "setup", "--dry-run"]) == 0
    ended = capsys.readouterr()
    assert "DWH_DB_PASSWORD is not used" in ended.out
    assert "hunter2" not in ended.out + ended.err


@pytest.mark.parametrize("command", ["setup", "status", "pause", "resume", "teardown"])
def test_help_of_a_command_ends_with_an_example_that_parses(cluster: Cluster, command: str) -> None:
    """The help of every cluster command ends with a valid example."""
    ended = cluster(command, "--help")
    assert ended.code == 0
    example = " ".join(ended.out.split()).rpartition("example: sparkify ")[2]
    assert parser().parse_args(example.split()).command


def test_dry_run_calls_no_account(cluster: Cluster) -> None:
    """A dry run makes no call, even with an account."""
    assert cluster("setup", "--dry-run").code == 0
    assert cluster.cloud.calls == []
