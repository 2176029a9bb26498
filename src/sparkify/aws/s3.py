"""Objects in S3: list, read, write and delete them.

boto3 finds the credentials, the endpoint and the region, as its users expect (profiles, SSO, roles,
AWS_ENDPOINT_URL); obstore transfers the bytes. Every error raised here is a SourceError that names the s3:// URL.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sparkify.aws import s3_errors
from sparkify.aws.event_loop import next_or_none, wait
from sparkify.aws.session import LOG_IN, require_clients, session, translate_boto3_errors
from sparkify.config import Aws
from sparkify.errors import BadFile, SourceChanged, SourceError, SourceUnreachable

if TYPE_CHECKING:
    import boto3
    from obstore import GetOptions, ObjectMeta
    from obstore.store import S3Store

CONNECT_WITHIN = timedelta(seconds=10)

RETRIES = 6
FIRST_WAIT = timedelta(milliseconds=200)
LONGEST_WAIT = timedelta(seconds=10)
RETRY_FOR = timedelta(minutes=3)
"""Waits double from the first, with jitter, as AWS asks of clients that receive SlowDown. After five minutes the
signature of a repeated request can have expired (obstore, RetryConfig)."""

_CREDENTIALS_FOR = timedelta(minutes=10)
"""How long obstore can keep credentials: boto3 renews those that expire sooner ("mandatory refresh")."""

_IDLE = "128"  # connections kept open for the next objects
_PAGE = 1000  # the most keys that S3 lists at once
_CHUNK = 8 << 20  # bytes written to disk at once
_INVALID = re.compile(r'(?:invalid path: Path|Error parsing Path) "(.*?)"(?::| contained)', re.DOTALL)
_BROKEN_LIST = "Error getting list response body"
_ODD_KEY = "S3 clients do not support empty or dotted folder names and control characters. Rename the object."


def is_s3(root: str) -> bool:
    """Return whether a folder or file is in S3."""
    return root[:5].lower() == "s3://"


def split(url: str) -> tuple[str, str]:
    """Return the bucket and the key or prefix of an s3:// URL, without slashes around it."""
    name, _, key = url[5:].partition("/")
    if not name:
        raise SourceError(f"{url}: the URL names no bucket. Write it like s3://bucket/folder.")
    return name, key.strip("/")


@cache
def bucket(name: str, aws: Aws) -> Bucket:
    """Return a bucket, located by a request to S3."""
    return Bucket(name, aws)


class Bucket:
    """An existing bucket, accessed in its own region."""

    def __init__(self, name: str, aws: Aws) -> None:
        self.name = name
        self._is_anonymous = aws.anonymous
        self._url = f"s3://{name}"
        with require_clients(self._url):
            from obstore.auth.boto3 import Boto3CredentialProvider
            from obstore.exceptions import BaseError
            from obstore.store import S3Store
        boto3_session = session(aws)
        self._errors = (BaseError, FileNotFoundError, ValueError)
        with translate_boto3_errors(self._url):
            if not aws.anonymous:
                credentials = boto3_session.get_credentials()
                if credentials is None:
                    raise SourceUnreachable(
                        f"{self._url}: no AWS credentials were found. {LOG_IN} A public bucket needs none, with"
                        " --no-sign-request."
                    )
                credentials.get_frozen_credentials()  # loaded here, where an error still has its reason
            self.region, endpoint = self._locate(boto3_session)
            authority = os.environ.get("AWS_CA_BUNDLE")
            certificates = Path(authority).read_bytes() if authority else None
        address, is_virtual = _address(name, endpoint)
        options: dict[str, Any] = {
            "connect_timeout": CONNECT_WITHIN,
            "read_timeout": s3_errors.STALLED_AFTER,
            "timeout": timedelta(days=1),  # of a whole request, which is long for a large object
            "allow_http": endpoint.startswith("http://"),
            "pool_max_idle_per_host": _IDLE,
        }
        if certificates:
            options["root_certificate"] = certificates
        self._store: S3Store = S3Store(
            name,
            config={
                "endpoint": address,
                "region": self.region,
                "virtual_hosted_style_request": is_virtual,
                # The credentials are boto3's or none, whatever obstore finds in the environment.
                "skip_signature": aws.anonymous,
            },
            client_options=options,  # type: ignore[arg-type]
            retry_config={
                "max_retries": RETRIES,
                "retry_timeout": RETRY_FOR,
                "backoff": {"init_backoff": FIRST_WAIT, "max_backoff": LONGEST_WAIT, "base": 2},
            },
            credential_provider=None if aws.anonymous else Boto3CredentialProvider(boto3_session, ttl=_CREDENTIALS_FOR),
        )

    def _locate(self, boto3_session: boto3.Session) -> tuple[str, str]:
        """Return the bucket's region and the URL of its endpoint."""
        from botocore import UNSIGNED
        from botocore.config import Config
        from botocore.exceptions import ClientError

        client = boto3_session.client("s3", config=Config(signature_version=UNSIGNED) if self._is_anonymous else None)
        region = client.meta.region_name
        try:
            response: Any = client.head_bucket(Bucket=self.name)
        except ClientError as error:
            # Every response names the region, even one that denies access (HeadBucket, S3 API Reference).
            response = error.response
            status = response["ResponseMetadata"].get("HTTPStatusCode")
            if status == 404:
                raise SourceUnreachable(f"{self._url}: {s3_errors.NO_BUCKET}") from error
            if status not in (301, 307, 400, 403):  # the first use of the bucket reports these with their reasons
                raise SourceUnreachable(f"{self._url}: S3 returned {status}. Run again later.") from error
        region = response["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region") or region
        if region in (None, "", "aws-global"):
            region = "us-east-1"
        return region, boto3_session.client("s3", region_name=region).meta.endpoint_url

    def url(self, key: str) -> str:
        """Return the URL of an object."""
        return f"{self._url}/{key}"

    def list(self, prefix: str) -> Iterator[tuple[str, str, int]]:
        """Yield key, version and size in bytes of each object in the folder `prefix`, in any order.

        Keys are listed a thousand at a time, so memory does not grow with their number.
        """
        last, tries = None, 0
        stream = self._store.list(prefix or None, chunk_size=_PAGE)
        while True:
            try:
                page = wait(next_or_none(stream))
            except self._errors as error:
                # obstore retries every request except a listing that breaks off in the middle of a page.
                if _BROKEN_LIST not in str(error) or tries == RETRIES:
                    raise self._translate(prefix, "s3:ListBucket", error) from error
                time.sleep(min(FIRST_WAIT * 2**tries, LONGEST_WAIT).total_seconds())
                tries += 1
                stream = self._store.list(prefix or None, offset=last, chunk_size=_PAGE)
                continue
            if page is None:
                return
            for listed in page:
                last = listed["path"]
                yield last, _version(listed), listed["size"]
            tries = 0

    def head(self, key: str) -> tuple[str, int] | None:
        """Return version and size in bytes of an object, or None if it is missing or access to it is denied."""
        try:
            with self._translate_errors(key, "s3:GetObject"):
                meta = wait(self._store.head_async(key))
        except SourceError:  # the response to HEAD has no body with a reason, but that of a listing has
            return None
        return _version(meta), meta["size"]

    def get(self, key: str, version: str | None = None) -> bytes:
        """Return the bytes of an object; raise SourceChanged if a version is given and the object has another."""
        return wait(self.read(key, version))

    def download(self, key: str, version: str | None, path: Path) -> None:
        """Write an object to a file on disk, a few megabytes at a time; for the version, see `get`."""
        wait(self.copy(key, version, path))

    def put(self, key: str, content: bytes | Path) -> None:
        """Write an object, in parts if it is large."""
        with self._translate_errors(key, "s3:PutObject"):
            wait(self._store.put_async(key, content))

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; a missing one is not an error."""
        with self._translate_errors(keys[0] if len(keys) == 1 else "", "s3:DeleteObject"):
            if keys:
                wait(self._store.delete_async(list(keys)))

    async def read(self, key: str, version: str | None, size: int | None = None) -> bytes:
        """Read an object into memory; raise SourceError unless it has the size that was listed."""
        try:  # `with self._translate_errors` would cost a tenth of the whole read
            response = await self._store.get_async(key, options=_condition(version))
            content = (await response.bytes_async()).to_bytes()
        except self._errors as error:
            raise self._translate(key, "s3:GetObject", error) from error
        self._check_version(key, version, response.meta)
        self._check_length(key, len(content), response.meta["size"] if size is None else size)
        return content

    async def copy(self, key: str, version: str | None, path: Path, size: int | None = None) -> None:
        """Copy an object to disk; raise SourceError unless it has the size that was listed."""
        with self._translate_errors(key, "s3:GetObject"):
            response = await self._store.get_async(key, options=_condition(version))
        stream, length = response.stream(min_chunk_size=_CHUNK), 0
        with path.open("wb") as file:
            while True:
                with self._translate_errors(key, "s3:GetObject"):
                    chunk = await next_or_none(stream)
                if chunk is None:
                    break
                length += file.write(chunk)
        self._check_version(key, version, response.meta)
        self._check_length(key, length, response.meta["size"] if size is None else size)

    def _check_version(self, key: str, version: str | None, meta: ObjectMeta) -> None:
        if version and not _condition(version) and version != _size_and_time(meta):
            raise SourceChanged(f"{self.url(key)}: {s3_errors.CHANGED}")

    def _check_length(self, key: str, length: int, size: int) -> None:
        if length != size:
            raise SourceError(f"{self.url(key)}: {length:,} bytes arrived, but {size:,} were announced. Run again.")

    @contextmanager
    def _translate_errors(self, key: str, action: str) -> Iterator[None]:
        """Translate errors of S3 and the network into a SourceError that names the object and a remedy."""
        try:
            yield
        except self._errors as error:
            raise self._translate(key, action, error) from error

    def _translate(self, key: str, action: str, error: Exception) -> SourceError:
        text = str(error)
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in text:
            return BadFile(f"{self.url(key)}: the object was deleted after it was listed", "Run again")
        if isinstance(error, ValueError):  # obstore rejects the key before any request
            return SourceError(f"{self.url(key)!r}: the object cannot be requested. {_ODD_KEY}")
        if odd := _INVALID.search(text):
            return SourceError(f"{self.url(odd[1])!r}: the object cannot be listed. {_ODD_KEY}")
        return s3_errors.translate(self.name, key, action, text, is_anonymous=self._is_anonymous)


def _version(meta: ObjectMeta) -> str:
    """Return the ETag of an object, without quotes; in a store without ETags, its size and last modification."""
    return (meta["e_tag"] or "").strip('"') or _size_and_time(meta)


def _size_and_time(meta: ObjectMeta) -> str:
    """Return size and time, with a blank between them, which no ETag has (RFC 9110, section 8.8.3).

    A listing can have fractions of a second that the response to a read lacks.
    """
    return f"{meta['size']} {meta['last_modified']:%Y-%m-%dT%H:%M:%SZ}"


def _condition(version: str | None) -> GetOptions:
    """Return the condition under which S3 sends an object: that its ETag is the listed one, if it has an ETag."""
    return {"if_match": f'"{version}"'} if version and " " not in version else {}


def _address(name: str, endpoint: str) -> tuple[str, bool]:
    """Return the URL of a bucket, and whether its name is part of the host, as AWS requires.

    For other services the name is part of the path. So is a name with dots, because no certificate covers such a host
    ("Virtual hosting of buckets", S3 User Guide).
    """
    parts = urlsplit(endpoint)
    if ".amazonaws." in (parts.hostname or "") and "." not in name:
        return f"{parts.scheme}://{name}.{parts.netloc}", True
    return endpoint.rstrip("/"), False
