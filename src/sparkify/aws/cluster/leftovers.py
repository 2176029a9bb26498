"""The leftovers of a stack in AWS: empty, or a list.

Four sources are combined, because each of them can be wrong. The Resource Groups Tagging API knows every tagged
resource except IAM roles, but lists some only later, and others still after their deletion. CloudFormation knows what
it deleted and what it failed to delete. Redshift, IAM and Secrets Manager are queried directly for the warehouse, role
and secret, which cost money or grant access.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from sparkify.aws.account import KEPT, PROJECT, Account, translate
from sparkify.aws.cluster import stack
from sparkify.aws.cluster.stack import DELETED, Member

T = TypeVar("T")

TAG_POLLS = 12  # a minute, since the Tagging API lags
LAST_STACKS = 3  # deleted stacks of the name that are considered; earlier teardowns have reported the older ones


@dataclass(frozen=True)
class Leftovers:
    """The resources that still exist, by ARN or by type and id, and what is known about the others."""

    left: tuple[str, ...]
    kept: tuple[str, ...]  # on purpose
    unknown: tuple[str, ...]  # errors of sources that failed
    deleted: tuple[Member, ...] = ()  # with the last stacks of the name


def find_leftovers(account: Account, name: str, secret: str = "", kept: str = "") -> Leftovers:
    """Return the leftovers of an existing or deleted stack.

    `secret` and `kept` are the ARNs of the administrator's secret and of the final snapshot. An error of one source
    does not stop the others.
    """
    unknown: list[str] = []

    def ask(source: Callable[[], list[T]]) -> list[T]:
        try:
            return source()
        except account.refusal as error:
            unknown.append(str(translate(error)))
            return []

    left = [
        *ask(lambda: _stack_resources(account, name)),
        *ask(lambda: _warehouses(account, name)),
        *ask(lambda: _roles(account, name)),
        *ask(lambda: [secret] if secret and _secret_exists(account, secret) else []),
    ]
    deleted = ask(lambda: _deleted(account, name))
    tagged_as_kept: list[str] = []
    tagged = ask(lambda: _tagged(account, name, {member.id for member in deleted}, tagged_as_kept))
    return Leftovers(
        left=tuple(dict.fromkeys([*left, *(arn for arn in tagged if not _is_listed(arn, left))])),
        kept=tuple(dict.fromkeys([*([kept] if kept else []), *tagged_as_kept])),
        unknown=tuple(dict.fromkeys(unknown)),
        deleted=tuple(deleted),
    )


def _stack_resources(account: Account, name: str) -> list[str]:
    """Return the stack and its resources, if it still exists."""
    live = stack.find(account, name)
    if live is None:
        return []
    members = [member for member in stack.members(account, live.id) if member.status != DELETED and member.id]
    return [f"AWS::CloudFormation::Stack {name}", *(f"{member.type} {member.id}" for member in members)]


def _deleted(account: Account, name: str) -> list[Member]:
    """Return the resources that CloudFormation deleted with the last stacks of the name."""
    return [
        member
        for stack_id in stack.deleted(account, name)[:LAST_STACKS]
        for member in stack.members(account, stack_id)
        if member.status == DELETED
    ]


def _is_listed(arn: str, left: Iterable[str]) -> bool:
    return any(line == arn or line.endswith(f" {_id(arn)}") for line in left)


def _id(arn: str) -> str:
    return arn.rpartition(":")[2].rpartition("/")[2]


def _tagged(account: Account, name: str, deleted: set[str], kept: list[str]) -> list[str]:
    """Return the ARNs with the project's tag that are not known to be deleted; set `kept` to those kept on purpose."""
    left: list[str] = []
    for _ in islice(account.polls("the tags"), TAG_POLLS):
        pages = account.client("resourcegroupstaggingapi").get_paginator("get_resources")
        found = [
            resource
            for page in pages.paginate(TagFilters=[{"Key": PROJECT, "Values": [name]}])
            for resource in page["ResourceTagMappingList"]
        ]
        kept[:] = [r["ResourceARN"] for r in found if any(tag["Key"] == KEPT for tag in r["Tags"])]
        left = [arn for r in found if (arn := r["ResourceARN"]) not in kept and _id(arn) not in deleted]
        left = [arn for arn in left if ":redshift-serverless:" not in arn or _serverless_exists(account, arn)]
        if not left:
            break
    return left


def _serverless_exists(account: Account, arn: str) -> bool:
    """Return whether a Redshift Serverless resource exists: its ARN lacks the name by which CloudFormation knows it."""
    found = _serverless(account, "workgroup", "namespace", "snapshot")
    return any(resource[f"{kind}Arn"] == arn for kind, resource in found)


def _serverless(account: Account, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each Redshift Serverless resource of some kinds, after its kind."""
    for kind in kinds:
        for page in account.client("redshift-serverless").get_paginator(f"list_{kind}s").paginate():
            for resource in page[f"{kind}s"]:
                yield kind, resource


def _warehouses(account: Account, name: str) -> list[str]:
    """Return the workgroups, namespaces and clusters that have the project's tag according to Redshift."""
    client = account.client("redshift-serverless")
    found = [
        f"AWS::RedshiftServerless::{kind.capitalize()} {resource[f'{kind}Name']}"
        for kind, resource in _serverless(account, "workgroup", "namespace")
        if {"key": PROJECT, "value": name} in client.list_tags_for_resource(resourceArn=resource[f"{kind}Arn"])["tags"]
    ]
    for page in account.client("redshift").get_paginator("describe_clusters").paginate():
        found += [
            f"AWS::Redshift::Cluster {cluster['ClusterIdentifier']}"
            for cluster in page["Clusters"]
            if {"Key": PROJECT, "Value": name} in cluster["Tags"]
        ]
    return found


def _roles(account: Account, name: str) -> list[str]:
    pages = account.client("iam").get_paginator("list_roles").paginate(PathPrefix=f"/sparkify/{name}/")
    return [f"AWS::IAM::Role {role['RoleName']}" for page in pages for role in page["Roles"]]


def _secret_exists(account: Account, arn: str) -> bool:
    client = account.client("secretsmanager")
    try:
        return "DeletedDate" not in client.describe_secret(SecretId=arn)
    except client.exceptions.ResourceNotFoundException:
        return False
