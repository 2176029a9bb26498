"""S3, as COPY and UNLOAD reach it: who may, in which region, and the objects there.

Sources: the pages "Authorization parameters", which "UNLOAD" refers to, and "Data sources" (REGION).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tests.support.redshift.protocol import Refusal
from tests.support.redshift.tokens import Reader

_ROLE = re.compile(
    r"arn:aws(-[a-z]+)*:iam::\d{12}:role/[\w+=,.@/-]+(,arn:aws(-[a-z]+)*:iam::\d{12}:role/[\w+=,.@/-]+)*"
)
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


def text(reader: Reader) -> str:
    """Read a text in quotes."""
    return reader.take("string").value


def _role(reader: Reader) -> str:
    """IAM_ROLE default, or a role's ARN; several, separated by commas, are a chain ("Authorization parameters")."""
    if reader.skips("default"):
        return "default"
    arn = text(reader)
    if not _ROLE.fullmatch(arn):
        raise Refusal(f"Invalid IAM role ARN: {arn}", "22023")
    return arn


def _region(reader: Reader) -> str:
    region = text(reader)
    if not _REGION.fullmatch(region):
        raise Refusal(f"Invalid region: {region}", "22023")
    return region


ARGUMENTS: dict[str, Callable[[Reader], str]] = {
    "iam_role": _role, "credentials": text, "access_key_id": text, "secret_access_key": text, "session_token": text,
    "region": _region,
}  # fmt: skip
"""Option → how its argument is read."""
_AUTHORIZATIONS = ("iam_role", "credentials", "access_key_id")


def authorized(command: str, given: dict[str, str]) -> None:
    """Refuse a command without authorization, or with several kinds of it ("Authorization parameters")."""
    ways = [name for name in _AUTHORIZATIONS if name in given]
    if not ways or ("access_key_id" in given) != ("secret_access_key" in given):
        raise Refusal(
            f"{command} requires authorization: specify IAM_ROLE, or ACCESS_KEY_ID and SECRET_ACCESS_KEY", "XX000"
        )
    if len(ways) > 1 or ("session_token" in given and "access_key_id" not in given):
        raise Refusal(f"conflicting or redundant options: {', '.join(ways)}", "42601")


def listed(s3: Any, url: str) -> list[str]:
    """Return the objects whose keys begin as the path does, in order ("COPY from Amazon S3")."""
    bucket, prefix = _split(url)
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [f"s3://{bucket}/{entry['Key']}" for page in pages for entry in page.get("Contents", [])]
    except (ClientError, BotoCoreError) as error:
        raise Refusal(f"S3ServiceException: {error}: {url}", "XX000") from None


def fetched(s3: Any, url: str) -> bytes | None:
    """Return what an object holds; None if there is none."""
    bucket, key = _split(url)
    try:
        stored: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise Refusal(f"S3ServiceException: {error}: {url}", "XX000") from None
    except BotoCoreError as error:
        raise Refusal(f"S3ServiceException: {error}: {url}", "XX000") from None
    return stored


def store(s3: Any, url: str, content: bytes) -> None:
    """Write an object."""
    bucket, key = _split(url)
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    except (ClientError, BotoCoreError) as error:
        raise Refusal(f"S3ServiceException: {error}: {url}", "XX000") from None


def remove(s3: Any, url: str) -> None:
    """Remove an object."""
    bucket, key = _split(url)
    try:
        s3.delete_object(Bucket=bucket, Key=key)
    except (ClientError, BotoCoreError) as error:
        raise Refusal(f"S3ServiceException: {error}: {url}", "XX000") from None


def _split(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key
