"""Validate the settings of [DWH] and [S3] against the values that AWS accepts."""

import re

from sparkify.aws.cluster.prices import Prices
from sparkify.config import Dwh
from sparkify.errors import ConfigError

SERVERLESS, PROVISIONED = "serverless", "provisioned"

# The node types that CreateCluster accepts (NodeType, Redshift API Reference), without the retired dc2, and the fewest
# and most nodes of a new cluster ("Node type details", Redshift Management Guide). For rg, the limit is the API's.
NODE_TYPES = {
    "ra3.large": (1, 16),
    "ra3.xlplus": (1, 16),
    "ra3.4xlarge": (2, 32),
    "ra3.16xlarge": (2, 100),  # Redshift accepts 128, but CloudFormation only 100
    "rg.large": (1, 100),
    "rg.xlarge": (1, 100),
    "rg.4xlarge": (1, 100),
    "rg.12xlarge": (1, 100),
}
SMALLEST_NODE = "ra3.large"

# "Reserved words", Redshift Database Developer Guide. CreateCluster rejects them as DBName and MasterUsername.
_WORDS = """
    aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup between binary
    blanksasnull both bytedict bzip2 case cast check collate column constraint create credentials cross current_date
    current_time current_timestamp current_user current_user_id default deferrable deflate defrag delta delta32k desc
    disable distinct do else emptyasnull enable encode encrypt encryption end except explicit false for foreign freeze
    from full globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner intersect
    interval into is isnull join language leading left like limit localtime localtimestamp lun luns lzo lzop minus
    mostly16 mostly32 mostly8 natural new not notnull null nulls off offline offset oid old on only open or order outer
    overlaps parallel partition percent permissions pivot placing primary raw readratio recover references rejectlog
    resort respect restore right select session_user similar snapshot some sysdate system table tag tdes text255
    text32k then timestamp to top trailing true truncatecolumns union unique unnest unpivot user using verbose wallet
    when where with without
"""
RESERVED = frozenset(_WORDS.split())

# Every warehouse already has these: "CREATE TEMPLATE" and "CREATE USER", the same guide.
SYSTEM_DATABASES = frozenset({"template0", "template1", "padb_harvest"})
SYSTEM_USERS = frozenset({"public", "rdsdb"})

ADMIN = "sparkify_admin"
IDENTIFIER = r"[a-z](?:[a-z0-9]|-(?!-|$))"  # no double hyphen, and none at the end


def stack_name(dwh: Dwh) -> str:
    """Return the name of the stack; raise ConfigError for an invalid one."""
    if not re.fullmatch(rf"{IDENTIFIER}{{2,47}}", dwh.stack):
        raise ConfigError(
            "[DWH] STACK: the value is not a valid stack name. Write 3 to 48 lower-case letters, digits and single"
            " hyphens, a letter first."
        )
    return dwh.stack


def warehouse_kind(dwh: Dwh) -> str:
    """Return [DWH] KIND; by default, provisioned where the original's keys for nodes are set, else serverless."""
    if dwh.kind:
        if dwh.kind.lower() not in (SERVERLESS, PROVISIONED):
            raise ConfigError(f"[DWH] KIND: the value is not a kind of warehouse. Write {SERVERLESS} or {PROVISIONED}.")
        return dwh.kind.lower()
    names_nodes = dwh.cluster_type or dwh.node_type or dwh.num_nodes is not None
    return PROVISIONED if names_nodes else SERVERLESS


def warehouse_name(dwh: Dwh, kind: str) -> str:
    """Return the name of the warehouse in lower case, as Redshift stores it; raise ConfigError for an invalid one."""
    name = (dwh.cluster_identifier if kind == PROVISIONED else "").lower() or stack_name(dwh)
    if not re.fullmatch(rf"{IDENTIFIER}{{2,62}}", name):
        raise ConfigError(
            "[DWH] DWH_CLUSTER_IDENTIFIER: the value is not a valid cluster name. Write 3 to 63 letters, digits and"
            " single hyphens, a letter first."
        )
    return name


def node_choice(dwh: Dwh, known: Prices) -> tuple[str, int]:
    """Return node type and number of nodes; raise ConfigError for invalid ones, naming the types that have a price."""
    node_type = dwh.node_type.lower() or SMALLEST_NODE
    if node_type not in NODE_TYPES:
        retired = re.fullmatch(r"(?:dc|ds)[12]\.[a-z0-9]+", node_type)
        what = f"{node_type} is retired, and no longer offered" if retired else "the value is not a Redshift node type"
        raise ConfigError(
            f"[DWH] DWH_NODE_TYPE: {what}. Choose one of {', '.join(t for t in NODE_TYPES if t in known.amounts)}, or"
            " leave DWH_NODE_TYPE, DWH_CLUSTER_TYPE and DWH_NUM_NODES empty for Serverless."
        )
    fewest, most = NODE_TYPES[node_type]
    cluster_type = dwh.cluster_type.lower() or ("multi-node" if (dwh.num_nodes or fewest) > 1 else "single-node")
    if cluster_type not in ("single-node", "multi-node"):
        raise ConfigError("[DWH] DWH_CLUSTER_TYPE: the value is not a cluster type. Write single-node or multi-node.")
    default = 2 if cluster_type == "multi-node" else 1
    nodes = default if dwh.num_nodes is None else dwh.num_nodes
    if (nodes == 1) != (cluster_type == "single-node"):
        raise ConfigError(
            f"[DWH] DWH_NUM_NODES: {nodes} does not match {cluster_type}."
            " Write 1 for a single-node cluster, 2 or more for a multi-node one."
        )
    if not fewest <= nodes <= most:
        raise ConfigError(
            f"[DWH] DWH_NUM_NODES: a cluster cannot have {nodes} nodes of {node_type}. Write {fewest} to {most}."
        )
    return node_type, nodes


# The regions that are known to have 4 RPU. Others may have it too, so BASE_CAPACITY = 4 is never refused here.
SMALLEST_RPU, SMALLEST_RPU_EVERYWHERE = 4, 8
_REGIONS = """
    ap-east-1 ap-northeast-2 ca-central-1 eu-west-1 eu-west-2 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-2
"""
HAVE_SMALLEST_RPU = frozenset(_REGIONS.split())
LARGEST_RPU_EVERYWHERE = 512


def base_capacity(dwh: Dwh, region: str) -> int:
    """Return the capacity of Serverless in RPU; raise ConfigError for an invalid BASE_CAPACITY.

    The default is the smallest one that the region is known to have. Without a region, it is that of us-east-1.
    """
    if dwh.base_capacity is None:
        return SMALLEST_RPU if not region or region in HAVE_SMALLEST_RPU else SMALLEST_RPU_EVERYWHERE
    capacity = dwh.base_capacity
    # "Compute capacity for Amazon Redshift Serverless", Redshift Management Guide.
    if capacity not in (4, *range(8, 513, 8), *range(544, 1025, 32)):
        raise ConfigError(
            f"[DWH] BASE_CAPACITY: {capacity} RPU is not available."
            " Write 4, a multiple of 8 up to 512, or a multiple of 32 up to 1024."
        )
    return capacity


def check_identifier(text: str, key: str, system_names: frozenset[str]) -> str:
    """Return the name of a database or user; raise ConfigError for an invalid or reserved one."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", text):
        raise ConfigError(
            f"[DWH] {key}: the value is not a valid name in Redshift. Write lower-case letters, digits and underscores,"
            " a letter first."
        )
    if text in RESERVED | system_names:
        raise ConfigError(f"[DWH] {key}: {text} is reserved by Redshift. Write another name, such as sparkify.")
    return text


def check_port(port: int) -> int:
    """Return the port; raise ConfigError for one outside the ranges that Redshift offers."""
    if not (5431 <= port <= 5455 or 8191 <= port <= 8215):
        raise ConfigError(f"[DWH] DWH_PORT: {port} is not available. Write 5431 to 5455, or 8191 to 8215.")
    return port


def check_role_name(text: str) -> str:
    """Return the name of the role, "" for none; raise ConfigError for an invalid one."""
    if text and not re.fullmatch(r"[\w+=,.@-]{1,64}", text, re.ASCII):
        raise ConfigError(
            "[DWH] DWH_IAM_ROLE_NAME: the value is not a valid role name. Write at most 64 letters, digits and"
            " characters of _+=,.@- only."
        )
    return text


def check_permissions_boundary(text: str) -> str:
    """Return the ARN of the role's permissions boundary, "" for none; raise ConfigError for another value."""
    if text and not re.fullmatch(r"arn:[\w-]+:iam::(\d{12}|aws):policy/[\w+=,.@/-]+", text, re.ASCII):
        raise ConfigError(
            "[DWH] PERMISSIONS_BOUNDARY: the value is not the ARN of a policy. Write it like"
            " arn:aws:iam::123456789012:policy/boundary."
        )
    return text


def folder_parameters(name: str, url: str, key: str) -> dict[str, str]:
    """Return the bucket and prefix of a folder in S3 as parameters, both empty for a folder on disk."""
    scheme, _, path = url.partition("://")
    if scheme != "s3" or not path:
        return {f"{name}Bucket": "", f"{name}Prefix": ""}
    bucket, _, prefix = path.partition("/")
    # In a policy, * and ? are wildcards, and $ begins a variable: the role could read other folders.
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket) or re.search(r"[*?$]", prefix):
        raise ConfigError(
            f"[S3] {key}: a role cannot be limited to this folder. Write s3://bucket/folder, without *, ? and $."
        )
    prefix = prefix.strip("/")
    return {f"{name}Bucket": bucket, f"{name}Prefix": f"{prefix}/" if prefix else ""}


def stage_parameters(url: str) -> dict[str, str]:
    """Return the parameters of [S3] STAGE, which is empty for the stack's own bucket, or a folder in S3."""
    if url and not url.startswith("s3://"):
        raise ConfigError(
            "[S3] STAGE: the folder is not in S3, from which COPY loads. Write s3://bucket/folder, or leave it empty."
        )
    own = folder_parameters("", url, "STAGE")
    if own["Bucket"] and not own["Prefix"]:
        raise ConfigError("[S3] STAGE: the value is a whole bucket. Name a folder in it: s3://bucket/folder.")
    return {"OwnStageBucket": own["Bucket"], "StagePrefix": own["Prefix"] or "stage/"}
