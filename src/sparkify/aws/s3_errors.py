"""Translate the answers of S3 into errors that say what to do."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from sparkify.errors import BadFile, SourceChanged, SourceError, SourceUnreachable

if TYPE_CHECKING:
    pass
from sparkify.aws.session import LOG_IN, LOGIN_IN_URL

STALLED_AFTER = timedelta(seconds=20)
"""A connection on which nothing arrives for so long is given up. A slow one that goes on is not."""
_CODE = re.compile(r"<Code>([^<]+)</Code>")
_STATUS = re.compile(r"status code: (\d+)")
_PROVIDER = "credential provider: "
_MESSAGE = re.compile(r"<Message>([^<]+)</Message>")
NO_BUCKET = "there is no such bucket. Check its name, and AWS_ENDPOINT_URL if it is set."
_EXPIRED = "the AWS login has expired. Log in again (`aws sso login`, or new temporary keys), then run again."
_UNKNOWN_KEYS = f"AWS does not accept these credentials ({{code}}). {LOG_IN}"
_ELSEWHERE = "the bucket is in another region ({code}), which S3 does not tell us. Set AWS_DEFAULT_REGION to it."
_REASONS = {
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "InvalidToken": _UNKNOWN_KEYS,
    "InvalidAccessKeyId": _UNKNOWN_KEYS,
    "SignatureDoesNotMatch": _UNKNOWN_KEYS,
    "RequestTimeTooSkewed": "this machine's clock is wrong by more than S3 allows. Set it.",
    "NoSuchBucket": NO_BUCKET,
    "PermanentRedirect": _ELSEWHERE,
    "AuthorizationHeaderMalformed": _ELSEWHERE,
    "IllegalLocationConstraintException": _ELSEWHERE,
}
"""Error code → what to do ("Error responses", S3's API). None of these is one object's fault."""


def translate(name: str, key: str, action: str, said: str) -> SourceError:
    """Return the error to raise for what obstore said, which quotes S3's answer.

    Raise SourceChanged for an object that changed, SourceError where the object itself is at fault, else
    SourceUnreachable.
    """
    url = f"s3://{name}/{key}" if key else f"s3://{name}"
    if _PROVIDER in said:
        reason = LOGIN_IN_URL.sub(r"\1", said.partition(_PROVIDER)[2].partition("\n")[0])
        return SourceUnreachable(f"{url}: AWS gives no credentials any more ({reason}). Log in, then run again.")
    codes, statuses = _CODE.findall(said), _STATUS.findall(said)
    code, status = (codes or [""])[0], (statuses or [""])[0]
    if status == "412":
        return SourceChanged(f"{url}: changed since it was listed. It waits for the next run.")
    if code == "InvalidObjectState":
        return BadFile(f"{url}: is archived (S3 Glacier)", "Restore it with `aws s3api restore-object`")
    if code in _REASONS:
        return SourceUnreachable(f"{url}: {_REASONS[code].format(code=code)}")
    if "incorrectly configured region" in said:
        return SourceUnreachable(f"{url}: {_ELSEWHERE.format(code='a redirect')}")
    if status in ("401", "403"):
        resource = f"arn:aws:s3:::{name}" + ("" if action == "s3:ListBucket" else f"/{key or '*'}")
        reason = f": {_MESSAGE.findall(said)[0]}" if "not authorized" in said else ""
        refused = SourceError if action == "s3:GetObject" else SourceUnreachable
        return refused(f"{url}: S3 refuses access ({code or status}{reason}). Allow {action} on {resource}.")
    if status:
        return SourceUnreachable(f"{url}: S3 answers {status} {code}".rstrip() + f"{_tries(said)}. Run again later.")
    if "Timeout" in said or "timed out" in said:
        seconds = STALLED_AFTER.total_seconds()
        stalled = f"nothing came for {seconds:g} seconds, several times over"
        return SourceUnreachable(f"{url}: {stalled}. Check the network, then run again.")
    cut = "the connection breaks off, several times over"
    return SourceUnreachable(f"{url}: {cut}. Check the network and AWS_ENDPOINT_URL, then run again.")


def _tries(said: str) -> str:
    retries = re.search(r"after (\d+) retries", said)
    return f", and again on each of {retries[1]} retries" if retries else ""
