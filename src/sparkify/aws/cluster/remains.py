"""What is left of a stack in AWS: nothing, or a list.

Four witnesses are heard, since each alone may err. The Resource Groups Tagging API knows every tagged thing, but lists
some for a while after they are gone, others late, and IAM roles never. CloudFormation knows what it deleted and what it
could not. What costs money or opens a door (warehouse, role, secret) is asked for by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from sparkify.aws.account import KEPT, PROJECT, Account, code, told
from sparkify.aws.cluster import stack
from sparkify.aws.cluster.stack import GONE, Member

T = TypeVar("T")

LOOKS = 12  # at the Tagging API, which lags: a minute
REMEMBERED = 3  # deleted stacks of the name: what older ones left, their own teardown has told


@dataclass(frozen=True)
class Remains:
    """What still stands, what was kept on purpose, both by ARN or by type and id; what is gone, what was not told."""

    left: tuple[str, ...]
    kept: tuple[str, ...]
    unknown: tuple[str, ...]
    gone: tuple[Member, ...] = ()  # with the last stacks of the name


def find_remains(account: Account, name: str, secret: str = "", kept: str = "") -> Remains:
    """Return what is left of a stack, live or deleted; `secret` is asked for as well, `kept` is on purpose.

    A witness that may not be asked does not silence the others.
    """
    unknown: list[str] = []

    def ask(witness: Callable[[], list[T]]) -> list[T]:
        from botocore.exceptions import ClientError

        try:
            return witness()
        except ClientError as error:
            unknown.append(str(told(error)))
            return []

    left = [
        *ask(lambda: _standing(account, name)),
        *ask(lambda: _warehouses(account, name)),
        *ask(lambda: _roles(account, name)),
        *ask(lambda: [secret] if secret and _secret_stands(account, secret) else []),
    ]
    gone = ask(lambda: _gone(account, name))
    kept_too: list[str] = []
    tagged = ask(lambda: _tagged(account, name, {member.id for member in gone}, kept_too))
    return Remains(
        left=tuple(dict.fromkeys([*left, *(arn for arn in tagged if not _told(arn, left))])),
        kept=tuple(dict.fromkeys([*([kept] if kept else []), *kept_too])),
        unknown=tuple(dict.fromkeys(unknown)),
        gone=tuple(gone),
    )


def _standing(account: Account, name: str) -> list[str]:
    """Return the stack and its resources, where it is still there."""
    live = stack.find(account, name)
    if live is None:
        return []
    standing = [member for member in stack.members(account, live.id) if member.status != GONE and member.id]
    return [f"AWS::CloudFormation::Stack {name}", *(f"{member.type} {member.id}" for member in standing)]


def _gone(account: Account, name: str) -> list[Member]:
    """Return what CloudFormation has deleted with the last stacks of the name."""
    return [
        member
        for stack_id in stack.deleted(account, name)[:REMEMBERED]
        for member in stack.members(account, stack_id)
        if member.status == GONE
    ]


def _told(arn: str, left: Iterable[str]) -> bool:
    """Whether a thing stands in the list already, by its id."""
    return any(line == arn or line.endswith(f" {_id(arn)}") for line in left)


def _id(arn: str) -> str:
    return arn.rpartition(":")[2].rpartition("/")[2]


def _tagged(account: Account, name: str, gone: set[str], kept: list[str]) -> list[str]:
    """Return what carries the project's tag and is not known to be gone; note what carries it and is to be kept."""
    left: list[str] = []
    for _ in islice(account.looks("the tags"), LOOKS):
        pages = account.client("resourcegroupstaggingapi").get_paginator("get_resources")
        found = [
            resource
            for page in pages.paginate(TagFilters=[{"Key": PROJECT, "Values": [name]}])
            for resource in page["ResourceTagMappingList"]
        ]
        kept[:] = [r["ResourceARN"] for r in found if any(tag["Key"] == KEPT for tag in r["Tags"])]
        left = [r["ResourceARN"] for r in found if r["ResourceARN"] not in kept and _id(r["ResourceARN"]) not in gone]
        left = [arn for arn in left if ":redshift-serverless:" not in arn or _serverless_stands(account, arn)]
        if not left:
            break
    return left


def _serverless_stands(account: Account, arn: str) -> bool:
    """Whether a thing of Redshift Serverless stands: CloudFormation knows these by name, their ARNs do not say it."""
    client = account.client("redshift-serverless")
    for listing, things, key in (
        ("list_workgroups", "workgroups", "workgroupArn"),
        ("list_namespaces", "namespaces", "namespaceArn"),
        ("list_snapshots", "snapshots", "snapshotArn"),
    ):
        if any(thing[key] == arn for page in client.get_paginator(listing).paginate() for thing in page[things]):
            return True
    return False


def _warehouses(account: Account, name: str) -> list[str]:
    """Return the workgroups, namespaces and clusters that carry the project's tag, by asking Redshift itself."""
    serverless = account.client("redshift-serverless")
    found = []
    for listing, things, kind in (
        ("list_workgroups", "workgroups", "workgroup"),
        ("list_namespaces", "namespaces", "namespace"),
    ):
        for page in serverless.get_paginator(listing).paginate():
            for thing in page[things]:
                tags = serverless.list_tags_for_resource(resourceArn=thing[f"{kind}Arn"])["tags"]
                if {"key": PROJECT, "value": name} in tags:
                    found.append(f"AWS::RedshiftServerless::{kind.capitalize()} {thing[f'{kind}Name']}")
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


def _secret_stands(account: Account, arn: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        return "DeletedDate" not in account.client("secretsmanager").describe_secret(SecretId=arn)
    except ClientError as error:
        if code(error) == "ResourceNotFoundException":
            return False
        raise
