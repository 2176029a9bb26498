"""Check the settings of [DWH] against what AWS accepts."""

from __future__ import annotations

import re

from sparkify.aws.cluster.prices import Prices
from sparkify.config import Dwh
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


def stack_name(dwh: Dwh) -> str:
    """Return the name of the stack; raise ConfigError where it is none."""
    if not re.fullmatch(rf"{IDENTIFIER}{{2,47}}", dwh.stack):
        raise ConfigError(
            "[DWH] STACK: is no name for a stack. Write 3 to 48 small letters, digits and single hyphens, a letter"
            " first."
        )
    return dwh.stack


def warehouse_kind(dwh: Dwh) -> str:
    """Return the kind that is named, or else the one that the keys of the original dwh.cfg speak of."""
    if dwh.kind:
        if dwh.kind.lower() not in (SERVERLESS, PROVISIONED):
            raise ConfigError(f"[DWH] KIND: is no kind of warehouse. Write {SERVERLESS} or {PROVISIONED}.")
        return dwh.kind.lower()
    names_nodes = dwh.cluster_type or dwh.node_type or dwh.num_nodes is not None
    return PROVISIONED if names_nodes else SERVERLESS


def warehouse_name(dwh: Dwh, kind: str) -> str:
    """Return what the warehouse is called; Redshift makes the letters of an identifier small."""
    name = (dwh.cluster_identifier if kind == PROVISIONED else "").lower() or stack_name(dwh)
    if not re.fullmatch(rf"{IDENTIFIER}{{2,62}}", name):
        raise ConfigError(
            "[DWH] DWH_CLUSTER_IDENTIFIER: is no name for a cluster. Write 3 to 63 letters, digits and single hyphens,"
            " a letter first."
        )
    return name


def node_choice(dwh: Dwh, known: Prices) -> tuple[str, int]:
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


def capacity_parameters(dwh: Dwh, kind: str, node_type: str, nodes: int) -> dict[str, str]:
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


def check_identifier(text: str, key: str, taken: frozenset[str]) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", text):
        raise ConfigError(
            f"[DWH] {key}: is no name that Redshift takes. Write small letters, digits and underscores, a letter first."
        )
    if text in taken:
        raise ConfigError(f"[DWH] {key}: {text} is reserved by Redshift. Write another name, such as sparkify.")
    return text


def check_port(port: int) -> int:
    if not (5431 <= port <= 5455 or 8191 <= port <= 8215):
        raise ConfigError(f"[DWH] DWH_PORT: {port} cannot be had. Choose 5431 to 5455, or 8191 to 8215.")
    return port


def check_role_name(text: str) -> str:
    if text and not re.fullmatch(r"[\w+=,.@-]{1,64}", text, re.ASCII):
        raise ConfigError("[DWH] DWH_IAM_ROLE_NAME: is no name for a role. Write letters, digits and any of _+=,.@-")
    return text


def place_parameters(what: str, url: str, key: str) -> dict[str, str]:
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


def stage_parameters(url: str) -> dict[str, str]:
    if url and not url.startswith("s3://"):
        raise ConfigError("[S3] STAGE: is not in S3, where COPY looks. Write s3://bucket/folder, or leave it empty.")
    own = place_parameters("", url, "STAGE")
    if own["Bucket"] and not own["Prefix"]:
        raise ConfigError("[S3] STAGE: is a whole bucket. Name a folder in it: s3://bucket/folder.")
    return {"OwnStageBucket": own["Bucket"], "StagePrefix": own["Prefix"] or "stage/"}
