"""Translate the responses of S3 into errors that state a remedy."""

import re
from datetime import timedelta

from sparkify.aws.session import LOG_IN, LOGIN_IN_URL
from sparkify.errors import BadFile, SourceChanged, SourceError, SourceUnreachable

STALLED_AFTER = timedelta(seconds=20)
"""A connection that receives no data for this long is closed; a slow one that receives some is not."""
_CODE = re.compile(r"<Code>([^<]+)</Code>")
_STATUS = re.compile(r"status code: (\d+)")
_PROVIDER = "credential provider: "
_MESSAGE = re.compile(r"<Message>([^<]+)</Message>")
CHANGED = "the object changed after it was listed. The next run loads it."
NO_BUCKET = "there is no such bucket. Check its name, and AWS_ENDPOINT_URL if it is set."
_EXPIRED = "the AWS login has expired. Log in again (`aws sso login`, or new temporary keys), then run again."
_UNKNOWN_KEYS = f"AWS does not accept these credentials ({{code}}). {LOG_IN}"
_ELSEWHERE = "the bucket is in another region, which S3 does not name ({code}). Set AWS_DEFAULT_REGION to that region."
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
"""Error code → message ("Error responses", S3 API Reference). None of these is the fault of a single object."""


def translate(name: str, key: str, action: str, text: str, *, is_anonymous: bool = False) -> SourceError:
    """Return the error to raise for the text of an obstore error, which quotes the response of S3.

    It is a SourceChanged for an object that changed, a SourceError where the object itself is at fault, and otherwise
    a SourceUnreachable.
    """
    url = f"s3://{name}/{key}" if key else f"s3://{name}"
    if _PROVIDER in text:
        reason = LOGIN_IN_URL.sub(r"\1", text.partition(_PROVIDER)[2].partition("\n")[0])
        return SourceUnreachable(f"{url}: the AWS credentials cannot be renewed ({reason}). Log in, then run again.")
    codes, statuses = _CODE.findall(text), _STATUS.findall(text)
    code, status = (codes or [""])[0], (statuses or [""])[0]
    if status == "412":
        return SourceChanged(f"{url}: {CHANGED}")
    if code == "InvalidObjectState":
        return BadFile(f"{url}: the object is archived (S3 Glacier)", "Restore it with `aws s3api restore-object`")
    if code in _REASONS:
        return SourceUnreachable(f"{url}: {_REASONS[code].format(code=code)}")
    if "incorrectly configured region" in text:
        return SourceUnreachable(f"{url}: {_ELSEWHERE.format(code='a redirect')}")
    if status in ("401", "403"):
        resource = f"arn:aws:s3:::{name}" + ("" if action == "s3:ListBucket" else f"/{key or '*'}")
        reason = f": {_MESSAGE.findall(text)[0]}" if "not authorized" in text else ""
        error_type = SourceError if action == "s3:GetObject" else SourceUnreachable
        remedy = f"Allow {action} on {resource}"
        if is_anonymous:
            remedy += " to everybody, or use credentials: leave out --no-sign-request and [S3] ANONYMOUS"
        return error_type(f"{url}: S3 denies access ({code or status}{reason}). {remedy}.")
    if status:
        return SourceUnreachable(f"{url}: S3 returned {status} {code}".rstrip() + f"{_retries(text)}. Run again later.")
    if "Timeout" in text or "timed out" in text:
        stalled = f"every attempt stalled for {STALLED_AFTER.total_seconds():g} seconds"
        return SourceUnreachable(f"{url}: {stalled}. Check the network, then run again.")
    lost = "the connection was lost on every attempt"
    return SourceUnreachable(f"{url}: {lost}. Check the network and AWS_ENDPOINT_URL, then run again.")


def _retries(text: str) -> str:
    retries = re.search(r"after (\d+) retries", text)
    return f", also on each of {retries[1]} retries" if retries else ""
