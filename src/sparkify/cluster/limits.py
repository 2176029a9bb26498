"""The limit of what a Serverless workgroup may use up in a month.

CloudFormation has no such resource for Serverless (AWS::Redshift::UsageLimit is for clusters), so the limit is made
by the API as soon as the workgroup stands.
"""

from __future__ import annotations

from typing import Any

from sparkify.cluster.account import Account

COMPUTE = "serverless-compute"
STOP = "deactivate"  # what happens at a limit; by default its breach is only logged


def limits(account: Account, workgroup: str) -> list[dict[str, Any]]:
    """Return the monthly limits of a workgroup's compute; none where there is no such workgroup."""
    client = account.client("redshift-serverless")
    try:
        arn = client.get_workgroup(workgroupName=workgroup)["workgroup"]["workgroupArn"]
    except client.exceptions.ResourceNotFoundException:
        return []
    pages = client.get_paginator("list_usage_limits").paginate(resourceArn=arn, usageType=COMPUTE)
    return [limit for page in pages for limit in page["usageLimits"] if limit["period"] == "monthly"]


def in_force(account: Account, workgroup: str) -> int:
    """Return the RPU-hours a month after which a workgroup runs no more queries; 0 where it would run on."""
    return min((limit["amount"] for limit in limits(account, workgroup) if _stops(limit)), default=0)


def _stops(limit: dict[str, Any]) -> bool:
    """Whether queries are refused at a limit; at others its breach is only told."""
    return bool(limit["breachAction"] == STOP)


def nearest(account: Account, workgroup: str, rpu_hours: int) -> dict[str, Any] | None:
    """Return the limit that setting one would set: one that stops queries before one that only tells."""
    found = limits(account, workgroup)
    return min(found, key=lambda limit: (not _stops(limit), limit["amount"] != rpu_hours), default=None)


def set_limit(account: Account, workgroup: str, rpu_hours: int) -> str:
    """Let a workgroup use so many RPU-hours a month, and then run no more queries; return what was done, or ""."""
    client = account.client("redshift-serverless")
    wanted = {"amount": rpu_hours, "breachAction": STOP}
    if limit := nearest(account, workgroup, rpu_hours):
        if {key: limit[key] for key in wanted} == wanted:
            return ""
        client.update_usage_limit(usageLimitId=limit["usageLimitId"], **wanted)
        before = f"{limit['amount']:,}" + ("" if _stops(limit) else ", and stopped nothing")
        return f"The limit is now {rpu_hours:,} RPU-hours a month; it was {before}."
    arn = client.get_workgroup(workgroupName=workgroup)["workgroup"]["workgroupArn"]
    client.create_usage_limit(resourceArn=arn, usageType=COMPUTE, period="monthly", **wanted)
    return f"Set the limit: {rpu_hours:,} RPU-hours a month, then no query runs until the next month."
