"""Objects in S3: list, read, write and remove them. The only module that loads boto3 and obstore.

boto3 finds the credentials, the endpoint and the region, as its users expect (profiles, SSO, roles,
AWS_ENDPOINT_URL); obstore moves the bytes. Everything raised here is a SourceError that names the s3:// URL.
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

from sparkify.config import Aws
from sparkify.errors import BadFile, SourceError, SourceUnreachable

if TYPE_CHECKING:
    import boto3
    from obstore.store import S3Store
from sparkify.aws.event_loop import next_or_none, wait
from sparkify.aws.s3_errors import NO_BUCKET, STALLED_AFTER, translate
from sparkify.aws.session import LOG_IN, require_clients, session, translate_boto3_errors

CONNECT_WITHIN = timedelta(seconds=10)

RETRIES = 6
FIRST_WAIT = timedelta(milliseconds=200)
LONGEST_WAIT = timedelta(seconds=10)
RETRY_FOR = timedelta(minutes=3)
"""Waits double from the first, with jitter, as AWS asks of those who are told SlowDown. Beyond five minutes the
signature of a request that is sent again may have expired (obstore, RetryConfig)."""

_CREDENTIALS_FOR = timedelta(minutes=10)
"""How long obstore may keep credentials: boto3 renews those that are good for less ("mandatory refresh")."""

_IDLE = "128"  # connections kept for the next objects
_PAGE = 1000  # keys S3 lists at once, at most
_CHUNK = 8 << 20  # bytes written to disk at once
_INVALID = re.compile(r'(?:invalid path: Path|Error parsing Path) "(.*?)"(?::| contained)', re.DOTALL)
_BROKEN_LIST = "Error getting list response body"
_ODD_KEY = "S3 takes such a key, and its clients do not: empty or dotted folder names, control characters. Rename it."


def is_s3(root: str) -> bool:
    """Tell whether a folder or file lies in S3."""
    return root[:5].lower() == "s3://"


def split(url: str) -> tuple[str, str]:
    """Return the bucket and the key, or prefix, of an s3:// URL, without slashes around it."""
    name, _, key = url[5:].partition("/")
    if not name:
        raise SourceError(f"{url}: names no bucket. Write it like s3://bucket/folder.")
    return name, key.strip("/")


@cache
def bucket(name: str, aws: Aws) -> Bucket:
    """Return a bucket, after asking where it is."""
    return Bucket(name, aws)


class Bucket:
    """A bucket that is there, and in the region where it is."""

    def __init__(self, name: str, aws: Aws) -> None:
        self.name = name
        self._url = f"s3://{name}"
        with require_clients(self._url):
            from obstore.auth.boto3 import Boto3CredentialProvider
            from obstore.exceptions import BaseError
            from obstore.store import S3Store
        made = session(aws)
        self._errors = (BaseError, FileNotFoundError, ValueError)
        with translate_boto3_errors(self._url):
            credentials = made.get_credentials()
            if credentials is None:
                raise SourceUnreachable(f"{self._url}: there are no AWS credentials. {LOG_IN}")
            credentials.get_frozen_credentials()  # now, where it can be told what is wrong with them
            self.region, endpoint = self._found(made)
            authority = os.environ.get("AWS_CA_BUNDLE")
            certificates = Path(authority).read_bytes() if authority else None
        address, is_virtual = _address(name, endpoint)
        options: dict[str, Any] = {
            "connect_timeout": CONNECT_WITHIN,
            "read_timeout": STALLED_AFTER,
            "timeout": timedelta(days=1),  # of a whole request: a large object may take its time
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
                "skip_signature": False,  # whatever obstore finds in the environment, boto3 has decided
            },
            client_options=options,  # type: ignore[arg-type]
            retry_config={
                "max_retries": RETRIES,
                "retry_timeout": RETRY_FOR,
                "backoff": {"init_backoff": FIRST_WAIT, "max_backoff": LONGEST_WAIT, "base": 2},
            },
            credential_provider=Boto3CredentialProvider(made, ttl=_CREDENTIALS_FOR),
        )

    def _found(self, made: boto3.Session) -> tuple[str, str]:
        """Return the bucket's region and the endpoint to reach it at."""
        from botocore.exceptions import ClientError

        client = made.client("s3")
        region = client.meta.region_name
        try:
            answer: Any = client.head_bucket(Bucket=self.name)
        except ClientError as error:
            # The region stands in every answer about a bucket, also in those that refuse it (HeadBucket, S3's API).
            answer = error.response
            status = answer["ResponseMetadata"].get("HTTPStatusCode")
            if status == 404:
                raise SourceUnreachable(f"{self._url}: {NO_BUCKET}") from error
            if status not in (301, 307, 400, 403):  # these are told when the bucket is used, with their reasons
                raise SourceUnreachable(f"{self._url}: S3 answers {status}. Run again later.") from error
        found = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region") or region
        if found in (None, "", "aws-global"):
            found = "us-east-1"
        return found, made.client("s3", region_name=found).meta.endpoint_url

    def url(self, key: str) -> str:
        """Return the URL of an object."""
        return f"{self._url}/{key}"

    def list(self, prefix: str) -> Iterator[tuple[str, str, int]]:
        """Yield key, ETag (without quotes) and size in bytes of each object in the folder `prefix`, in any order.

        A thousand at a time: memory does not grow with their number.
        """
        last, tries = None, 0
        stream = self._store.list(prefix or None, chunk_size=_PAGE)
        while True:
            try:
                page = wait(next_or_none(stream))
            except self._errors as error:
                # obstore asks again for everything but a list that breaks off in its middle.
                if _BROKEN_LIST not in str(error) or tries == RETRIES:
                    raise self._told(prefix, "s3:ListBucket", error) from error
                time.sleep(min(FIRST_WAIT * 2**tries, LONGEST_WAIT).total_seconds())
                tries += 1
                stream = self._store.list(prefix or None, offset=last, chunk_size=_PAGE)
                continue
            if page is None:
                return
            for found in page:
                last = found["path"]
                yield last, (found["e_tag"] or "").strip('"'), found["size"]
            tries = 0

    def head(self, key: str) -> tuple[str, int] | None:
        """Return ETag and size in bytes of an object, or None if there is none that may be looked at."""
        try:
            with self._telling(key, "s3:GetObject"):
                found = wait(self._store.head_async(key))
        except SourceError:  # the answer to a HEAD has no body that says why: a listing tells
            return None
        return (found["e_tag"] or "").strip('"'), found["size"]

    def get(self, key: str, etag: str | None = None) -> bytes:
        """Return the bytes of an object; given an ETag, of that version, or raise SourceChanged."""
        return wait(self.read(key, etag))

    def download(self, key: str, etag: str | None, path: Path) -> None:
        """Write an object to a file on disk, a few megabytes at a time; given an ETag, that version."""
        wait(self.copy(key, etag, path))

    def put(self, key: str, content: bytes | Path) -> None:
        """Write an object, in parts if it is large."""
        with self._telling(key, "s3:PutObject"):
            wait(self._store.put_async(key, content))

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; one that is not there is no error."""
        with self._telling(keys[0] if len(keys) == 1 else "", "s3:DeleteObject"):
            if keys:
                wait(self._store.delete_async(list(keys)))

    async def read(self, key: str, etag: str | None, size: int | None = None) -> bytes:
        """Read an object into memory; it must have the size that was listed."""
        try:  # and not `with self._telling`, which costs as much as a tenth of the whole read
            found = await self._store.get_async(key, options={"if_match": f'"{etag}"'} if etag else {})
            content = (await found.bytes_async()).to_bytes()
        except self._errors as error:
            raise self._told(key, "s3:GetObject", error) from error
        self._check_length(key, len(content), found.meta["size"] if size is None else size)
        return content

    async def copy(self, key: str, etag: str | None, path: Path, size: int | None = None) -> None:
        """Copy an object to disk; it must have the size that was listed."""
        with self._telling(key, "s3:GetObject"):
            found = await self._store.get_async(key, options={"if_match": f'"{etag}"'} if etag else {})
        stream, length = found.stream(min_chunk_size=_CHUNK), 0
        with path.open("wb") as file:
            while True:
                with self._telling(key, "s3:GetObject"):
                    chunk = await next_or_none(stream)
                if chunk is None:
                    break
                length += file.write(chunk)
        self._check_length(key, length, found.meta["size"] if size is None else size)

    def _check_length(self, key: str, length: int, size: int) -> None:
        if length != size:
            raise SourceError(f"{self.url(key)}: {length:,} bytes came where {size:,} were promised. Run again.")

    @contextmanager
    def _telling(self, key: str, action: str) -> Iterator[None]:
        """Say what S3 or the network says as a SourceError that names the object and what to do."""
        try:
            yield
        except self._errors as error:
            raise self._told(key, action, error) from error

    def _told(self, key: str, action: str, error: Exception) -> SourceError:
        said = str(error)
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in said:
            return BadFile(f"{self.url(key)}: has gone since it was listed", "Run again")
        if isinstance(error, ValueError):  # obstore's own, of a key that it will not ask for
            return SourceError(f"{self.url(key)!r}: cannot be asked for. {_ODD_KEY}")
        if odd := _INVALID.search(said):  # of a key that was listed
            return SourceError(f"{self.url(odd[1])!r}: cannot be listed. {_ODD_KEY}")
        return translate(self.name, key, action, said)


def _address(name: str, endpoint: str) -> tuple[str, bool]:
    """Return the address of a bucket, and whether its name stands in the host, as AWS wants it.

    Elsewhere, and for a name with dots, whose host no certificate covers, it stands in the path ("Virtual hosting of
    buckets", S3's user guide).
    """
    parts = urlsplit(endpoint)
    if ".amazonaws." in (parts.hostname or "") and "." not in name:
        return f"{parts.scheme}://{name}.{parts.netloc}", True
    return endpoint.rstrip("/"), False
