"""What is to be there: dwh.cfg, checked, as the parameters of a template. Asks nobody, and changes nothing."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from sparkify.cluster import addresses, prices, template
from sparkify.cluster.prices import Cost, Prices
from sparkify.cluster.reserved import RESERVED, SYSTEM_DATABASES, SYSTEM_USERS
from sparkify.cluster.template import Resource
from sparkify.config import Config, Dwh
from sparkify.errors import ConfigError

SERVERLESS, PROVISIONED = "serverless", "provisioned"

# What CreateCluster takes (Redshift API Reference, NodeType) and can still be had: dc2 cannot. With the fewest and the
# most nodes that a new cluster has of it: "Node type details", Redshift Management Guide. For rg it is the API's limit.
NODE_TYPES = {
    "ra3.large": (1, 16),
    "ra3.xlplus": (1, 16),
    "ra3.4xlarge": (2, 32),
    "ra3.16xlarge": (2, 100),  # of which Redshift takes 128, and CloudFormation 100
    "rg.large": (1, 100),
    "rg.xlarge": (1, 100),
    "rg.4xlarge": (1, 100),
    "rg.12xlarge": (1, 100),
}
SMALLEST_NODE = "ra3.large"

ADMIN = "sparkify_admin"
IDENTIFIER = r"[a-z](?:[a-z0-9]|-(?!-|$))"  # hyphens neither doubled nor at the end


@dataclass(frozen=True)
class Plan:
    """A warehouse as dwh.cfg describes it."""

    stack: str
    kind: str
    name: str  # of the workgroup and namespace, or of the cluster
    region: str  # "" for the one of the AWS profile
    parameters: dict[str, str]  # of the template, but for Zones: only AWS knows them
    base_capacity: int  # RPU; Serverless only
    limit: int  # US dollars a month; Serverless only
    node_type: str
    nodes: int
    prices: Prices
    password_is_ignored: bool

    @property
    def allow_from(self) -> str:
        """The addresses that may connect, or ""."""
        return self.parameters["AllowFrom"]

    @property
    def rpu_hours(self) -> int:
        """The RPU-hours of a month after which Serverless runs no more queries; 0 for a cluster, which has no limit."""
        return prices.rpu_hours(self.prices, self.limit) if self.kind == SERVERLESS else 0

    @property
    def command(self) -> str:
        """The command that sets this up, or goes on with it."""
        return "sparkify cluster setup" + (f" --allow-from {self.allow_from}" if self.allow_from else "")

    @property
    def capacity(self) -> str:
        """What does the work, in words."""
        if self.kind == SERVERLESS:
            return f"{self.base_capacity} RPU, Serverless"
        return f"{self.nodes} x {self.node_type}"

    @property
    def cost(self) -> Cost:
        """What it costs; raise ConfigError where the prices do not say."""
        public = bool(self.allow_from)
        if self.kind == SERVERLESS:
            return prices.serverless(self.prices, self.base_capacity, self.limit, public=public)
        return prices.provisioned(self.prices, self.node_type, self.nodes, public=public)

    @property
    def hour_in_words(self) -> str:
        """What an hour's cost is made of."""
        if self.kind == SERVERLESS:
            price = self.prices.of("serverless_rpu_hour")
            return f"{self.base_capacity} RPU x {price}; billed by the second, from 60 on"
        return f"{self.nodes} x {self.prices.of(self.node_type)}, worked or not"

    @property
    def idle_in_words(self) -> str:
        """What a day without a query costs, and why."""
        if self.kind == SERVERLESS:
            return "no compute; the secret" + (", a public address" if self.allow_from else "")
        return "as any other day; paused: storage only"

    @property
    def month_in_words(self) -> str:
        """What bounds a month's cost."""
        if self.kind == SERVERLESS:
            return f"at most: {self.rpu_hours:,} RPU-hours, then queries are refused"
        return f"{prices.HOURS_A_MONTH} hours, never paused"

    @property
    def priced(self) -> set[str]:
        """What the cost is reckoned from, as the prices call it."""
        compute = "serverless_rpu_hour" if self.kind == SERVERLESS else self.node_type
        return {compute, "storage_gb_month", "secret_month"} | ({"public_address_hour"} if self.allow_from else set())

    @property
    def resources(self) -> list[Resource]:
        """Every resource that the stack makes."""
        return template.resources(self.kind, self.parameters)

    @property
    def policy(self) -> list[str]:
        """What the warehouse's role may do, in words, a line each."""
        lines = [
            f"read             s3://{self.parameters[f'{what}Bucket']}/{self.parameters[f'{what}Prefix']}"
            for what in ("Log", "Song")
            if self.parameters[f"{what}Bucket"]
        ]
        own = self.parameters["OwnStageBucket"]
        stage = f"s3://{own}" if own else "the stack's own bucket, "
        return [
            *lines,
            f"read and write   {stage}/{self.parameters['StagePrefix']}".replace(", /", ", "),
            "nothing else",
        ]


def plan(config: Config, allow_from: str | None = None) -> Plan:
    """Return what dwh.cfg calls for; a range of addresses given beside it overrules it.

    Raise ConfigError for what cannot be had.
    """
    dwh = config.dwh
    kind = _kind(dwh)
    region = dwh.region or os.environ.get("AWS_DEFAULT_REGION") or ""  # as boto3 does, to which AWS_REGION says nothing
    known = prices.load(region, dwh.prices)
    node_type, nodes = _nodes(dwh, known) if kind == PROVISIONED else ("", 0)
    name = _name(dwh, kind)
    made = Plan(
        stack=stack_name(dwh),
        kind=kind,
        name=name,
        region=region,
        parameters={
            "Name": name,
            "DatabaseName": _word(dwh.db, "DWH_DB", RESERVED | SYSTEM_DATABASES),
            "AdminUser": _word(dwh.db_user or ADMIN, "DWH_DB_USER", RESERVED | SYSTEM_USERS),
            "Port": str(_port(dwh.port)),
            "AllowFrom": addresses.allowed(dwh.allow_from if allow_from is None else allow_from),
            "RoleName": _role_name(dwh.iam_role_name),
            **_place("Log", config.log_data, "LOG_DATA"),
            **_place("Song", config.song_data, "SONG_DATA"),
            **_stage(config.stage),
            **_capacity_parameters(dwh, kind, node_type, nodes),
        },
        base_capacity=dwh.base_capacity,
        limit=dwh.monthly_limit,
        node_type=node_type,
        nodes=nodes,
        prices=known,
        password_is_ignored=bool(dwh.db_password),
    )
    return priced(made)


def priced(made: Plan) -> Plan:
    """Return a plan; raise ConfigError where the prices do not say what it costs, or its limit pays for nothing."""
    _ = made.cost
    if made.kind == SERVERLESS and made.rpu_hours < 1:
        raise ConfigError(
            f"[DWH] MONTHLY_LIMIT: {made.limit} dollars pay for no RPU-hour at all."
            f" Raise it to {int(made.prices.of('serverless_rpu_hour')) + 1} or more."
        )
    return made


def stack_name(dwh: Dwh) -> str:
    """Return the name of the stack; raise ConfigError where it is none."""
    if not re.fullmatch(rf"{IDENTIFIER}{{2,47}}", dwh.stack):
        raise ConfigError(
            "[DWH] STACK: is no name for a stack. Write 3 to 48 small letters, digits and single hyphens, a letter"
            " first."
        )
    return dwh.stack


def _kind(dwh: Dwh) -> str:
    """Return the kind that is named, or else the one that the keys of the original dwh.cfg speak of."""
    if dwh.kind:
        if dwh.kind.lower() not in (SERVERLESS, PROVISIONED):
            raise ConfigError(f"[DWH] KIND: is no kind of warehouse. Write {SERVERLESS} or {PROVISIONED}.")
        return dwh.kind.lower()
    names_nodes = dwh.cluster_type or dwh.node_type or dwh.num_nodes is not None
    return PROVISIONED if names_nodes else SERVERLESS


def _name(dwh: Dwh, kind: str) -> str:
    """Return what the warehouse is called; Redshift makes the letters of an identifier small."""
    name = (dwh.cluster_identifier if kind == PROVISIONED else "").lower() or stack_name(dwh)
    if not re.fullmatch(rf"{IDENTIFIER}{{2,62}}", name):
        raise ConfigError(
            "[DWH] DWH_CLUSTER_IDENTIFIER: is no name for a cluster. Write 3 to 63 letters, digits and single hyphens,"
            " a letter first."
        )
    return name


def _nodes(dwh: Dwh, known: Prices) -> tuple[str, int]:
    """Return node type and number of nodes; only types that have a price are offered."""
    node_type = dwh.node_type.lower() or SMALLEST_NODE
    if node_type not in NODE_TYPES:
        retired = re.fullmatch(r"(?:dc|ds)[12]\.[a-z0-9]+", node_type)
        what = f"{node_type} is retired: AWS makes no such node any more" if retired else "is no node type of Redshift"
        raise ConfigError(
            f"[DWH] DWH_NODE_TYPE: {what}. Choose one of {', '.join(t for t in NODE_TYPES if t in known.amounts)}, or"
            " leave DWH_NODE_TYPE, DWH_CLUSTER_TYPE and DWH_NUM_NODES empty for Serverless."
        )
    fewest, most = NODE_TYPES[node_type]
    cluster_type = dwh.cluster_type.lower() or ("multi-node" if (dwh.num_nodes or fewest) > 1 else "single-node")
    if cluster_type not in ("single-node", "multi-node"):
        raise ConfigError("[DWH] DWH_CLUSTER_TYPE: is no type of cluster. Write single-node or multi-node.")
    usual = 2 if cluster_type == "multi-node" else 1
    nodes = usual if dwh.num_nodes is None else dwh.num_nodes
    if (nodes == 1) != (cluster_type == "single-node"):
        raise ConfigError(
            f"[DWH] DWH_NUM_NODES: {nodes} does not go with {cluster_type}."
            " A single-node cluster has 1, a multi-node one 2 or more."
        )
    if not fewest <= nodes <= most:
        raise ConfigError(
            f"[DWH] DWH_NUM_NODES: {nodes} of {node_type} cannot be had. A cluster has {fewest} to {most} of them."
        )
    return node_type, nodes


def _capacity_parameters(dwh: Dwh, kind: str, node_type: str, nodes: int) -> dict[str, str]:
    if kind == PROVISIONED:
        return {"NodeType": node_type, "NumberOfNodes": str(nodes)}
    capacity = dwh.base_capacity
    # "Compute capacity for Amazon Redshift Serverless", Redshift Management Guide; above 512 not in every region.
    if capacity not in (4, *range(8, 513, 8), *range(544, 1025, 32)):
        raise ConfigError(
            f"[DWH] BASE_CAPACITY: {capacity} RPU cannot be had."
            " Write 4, a multiple of 8 up to 512, or a multiple of 32 up to 1024."
        )
    return {"BaseCapacity": str(capacity)}


def _word(text: str, key: str, taken: frozenset[str]) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", text):
        raise ConfigError(
            f"[DWH] {key}: is no name that Redshift takes. Write small letters, digits and underscores, a letter first."
        )
    if text in taken:
        raise ConfigError(f"[DWH] {key}: {text} is reserved by Redshift. Write another name, such as sparkify.")
    return text


def _port(port: int) -> int:
    if not (5431 <= port <= 5455 or 8191 <= port <= 8215):
        raise ConfigError(f"[DWH] DWH_PORT: {port} cannot be had. Choose 5431 to 5455, or 8191 to 8215.")
    return port


def _role_name(text: str) -> str:
    if text and not re.fullmatch(r"[\w+=,.@-]{1,64}", text, re.ASCII):
        raise ConfigError("[DWH] DWH_IAM_ROLE_NAME: is no name for a role. Write letters, digits and any of _+=,.@-")
    return text


def _place(what: str, url: str, key: str) -> dict[str, str]:
    """Return bucket and prefix of a folder in S3, both empty for a folder on disk."""
    scheme, _, place = url.partition("://")
    if scheme != "s3" or not place:
        return {f"{what}Bucket": "", f"{what}Prefix": ""}
    bucket, _, prefix = place.partition("/")
    # In a policy * and ? stand for anything, and $ begins a variable: the role would see more than was named.
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket) or re.search(r"[*?$]", prefix):
        raise ConfigError(f"[S3] {key}: is no folder that a role can be limited to. Write s3://bucket/folder.")
    prefix = prefix.strip("/")
    return {f"{what}Bucket": bucket, f"{what}Prefix": f"{prefix}/" if prefix else ""}


def _stage(url: str) -> dict[str, str]:
    if url and not url.startswith("s3://"):
        raise ConfigError("[S3] STAGE: is not in S3, where COPY looks. Write s3://bucket/folder, or leave it empty.")
    own = _place("", url, "STAGE")
    if own["Bucket"] and not own["Prefix"]:
        raise ConfigError("[S3] STAGE: is a whole bucket. Name a folder in it: s3://bucket/folder.")
    return {"OwnStageBucket": own["Bucket"], "StagePrefix": own["Prefix"] or "stage/"}
