"""The answers of the tests' S3 server: one function for each operation of S3's API."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from typing import Literal
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

REGION = "us-east-1"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True)
class Object:
    """The content of a key."""

    content: bytes | Path
    etag: str  # without quotes
    storage_class: str = "STANDARD"

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    def read(self) -> bytes:
        """Return the content."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


@dataclass
class Bucket:
    """A bucket, and the order of its keys until they change."""

    region: str = REGION
    is_public: bool = False  # to read and list without a signature
    objects: dict[str, Object] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    order: list[str] | None = None

    def keys(self) -> list[str]:
        """Return the keys in S3's order, which is that of their code points."""
        if self.order is None:
            self.order = sorted(self.objects)
        return self.order

    def set(self, key: str, found: Object | None) -> None:
        """Put an object, or delete it."""
        if found:
            if key not in self.objects:
                self.order = None
            self.objects[key] = found
        elif self.objects.pop(key, None):
            self.order = None


@dataclass(frozen=True)
class Request:
    """A received request."""

    method: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    operation: str


@dataclass(frozen=True)
class Answer:
    """An answer, whose body may be incomplete."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    sent: float = 1.0  # the part of the body that is sent
    then: Literal["keep", "close", "reset", "stall"] = "keep"


class S3Error(Exception):
    """An error of S3."""

    def __init__(self, status: int, code: str, message: str = "", **headers: str) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.headers = status, code, message or code, headers


def error_answer(request: Request, error: S3Error) -> Answer:
    """Return the answer to a request that failed."""
    body = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message><RequestId>1</RequestId></Error>"
    content = b"" if request.method == "HEAD" else _xml(body)
    return Answer(error.status, {"Content-Type": "application/xml", **error.headers}, content)


def _xml(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()


def _listed(bucket: Bucket, request: Request) -> Answer:
    """Return a page of ListObjectsV2: at most a thousand keys in order, and a token for the next page."""
    query = request.query
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    most = min(int(query.get("max-keys", "1000")), 1000)
    keys = bucket.keys()
    after = query.get("continuation-token", query.get("start-after", ""))
    place = max(bisect_right(keys, after) if after else 0, bisect_right(keys, prefix) - (prefix in bucket.objects))
    spelt: Callable[[str], str] = quote if query.get("encoding-type") == "url" else escape
    contents: list[str] = []
    folders: dict[str, None] = {}
    last = ""
    while place < len(keys) and keys[place].startswith(prefix) and len(contents) + len(folders) < most:
        last = key = keys[place]
        place += 1
        folder, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        if found:
            folders[prefix + folder + delimiter] = None
            while place < len(keys) and keys[place].startswith(prefix + folder + delimiter):
                last = keys[place]
                place += 1
            continue
        what = bucket.objects[key]
        contents.append(
            f"<Contents><Key>{spelt(key)}</Key><LastModified>2018-11-01T20:57:10.000Z</LastModified>"
            f"<ETag>&quot;{what.etag}&quot;</ETag><Size>{what.size}</Size>"
            f"<StorageClass>{what.storage_class}</StorageClass></Contents>"
        )
    more = place < len(keys) and keys[place].startswith(prefix) and most > 0
    token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
    encoding = "<EncodingType>url</EncodingType>" if query.get("encoding-type") == "url" else ""
    common = "".join(f"<CommonPrefixes><Prefix>{spelt(folder)}</Prefix></CommonPrefixes>" for folder in folders)
    body = (
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{request.bucket}</Name><Prefix>{spelt(prefix)}</Prefix><MaxKeys>{most}</MaxKeys>"
        f"<KeyCount>{len(contents) + len(folders)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{encoding}{token}{''.join(contents)}{common}</ListBucketResult>"
    )
    return Answer(headers={"Content-Type": "application/xml"}, body=_xml(body))


def _headed_bucket(bucket: Bucket, _: Request) -> Answer:
    return Answer(headers={"x-amz-bucket-region": bucket.region})


def _located(bucket: Bucket, _: Request) -> Answer:
    region = "" if bucket.region == "us-east-1" else bucket.region
    return Answer(body=_xml(f"<LocationConstraint>{region}</LocationConstraint>"))


def _got(bucket: Bucket, request: Request) -> Answer:
    found = bucket.objects.get(request.key)
    if not found:
        raise S3Error(404, "NoSuchKey", "The specified key does not exist.")
    wanted = request.headers.get("if-match")
    if wanted not in (None, "*", f'"{found.etag}"', found.etag):
        raise S3Error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    headers = {"ETag": f'"{found.etag}"', "Accept-Ranges": "bytes", "Content-Type": "binary/octet-stream"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Answer(304, headers)
    if request.method == "HEAD":
        return Answer(headers=headers | {"Content-Length": str(found.size)})
    if found.storage_class in ("GLACIER", "DEEP_ARCHIVE"):
        raise S3Error(403, "InvalidObjectState", "The operation is not valid for the object's storage class")
    content = found.read()
    if not (given := _RANGE.fullmatch(request.headers.get("range", ""))):
        return Answer(headers=headers, body=content)
    first, last = given.groups()
    start = int(first) if first else max(len(content) - int(last), 0)
    end = min(int(last), len(content) - 1) if first and last else len(content) - 1
    if start > end:
        raise S3Error(416, "InvalidRange", "The requested range is not satisfiable")
    headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
    return Answer(206, headers, content[start : end + 1])


def _put(bucket: Bucket, request: Request) -> Answer:
    etag = md5(request.body, usedforsecurity=False).hexdigest()
    bucket.set(request.key, Object(request.body, etag))
    return Answer(headers={"ETag": f'"{etag}"'})


def _deleted(bucket: Bucket, request: Request) -> Answer:
    bucket.set(request.key, None)
    return Answer(204)


def _deleted_many(bucket: Bucket, request: Request) -> Answer:
    keys = [element.text or "" for element in ElementTree.fromstring(request.body).iterfind(".//{*}Key")]
    for key in keys:
        bucket.set(key, None)
    deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
    body = f'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{deleted}</DeleteResult>'
    return Answer(headers={"Content-Type": "application/xml"}, body=_xml(body))


def _begun(bucket: Bucket, request: Request) -> Answer:
    upload = f"upload-{len(bucket.uploads)}"
    bucket.uploads[upload] = {}
    named = f"<Bucket>{request.bucket}</Bucket><Key>{escape(request.key)}</Key><UploadId>{upload}</UploadId>"
    return Answer(body=_xml(f"<InitiateMultipartUploadResult>{named}</InitiateMultipartUploadResult>"))


def _put_part(bucket: Bucket, request: Request) -> Answer:
    _upload(bucket, request)[int(request.query["partNumber"])] = request.body
    return Answer(headers={"ETag": f'"{md5(request.body, usedforsecurity=False).hexdigest()}"'})


def _completed(bucket: Bucket, request: Request) -> Answer:
    parts = [content for _, content in sorted(_upload(bucket, request).items())]
    del bucket.uploads[request.query["uploadId"]]
    digests = b"".join(md5(part, usedforsecurity=False).digest() for part in parts)
    etag = f"{md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
    bucket.set(request.key, Object(b"".join(parts), etag))
    named = f"<Bucket>{request.bucket}</Bucket><Key>{escape(request.key)}</Key><ETag>&quot;{etag}&quot;</ETag>"
    return Answer(body=_xml(f"<CompleteMultipartUploadResult>{named}</CompleteMultipartUploadResult>"))


def _aborted(bucket: Bucket, request: Request) -> Answer:
    _upload(bucket, request)
    del bucket.uploads[request.query["uploadId"]]
    return Answer(204)


def _upload(bucket: Bucket, request: Request) -> dict[int, bytes]:
    if request.query["uploadId"] not in bucket.uploads:
        raise S3Error(404, "NoSuchUpload", "The specified upload does not exist.")
    return bucket.uploads[request.query["uploadId"]]


def _unknown(_: Bucket, request: Request) -> Answer:
    raise S3Error(501, "NotImplemented", f"The tests' S3 knows no {request.method} with {sorted(request.query)}")


OPERATIONS: dict[str, Callable[[Bucket, Request], Answer]] = {
    "ListObjectsV2": _listed,
    "HeadBucket": _headed_bucket,
    "GetBucketLocation": _located,
    "GetObject": _got,
    "HeadObject": _got,
    "PutObject": _put,
    "DeleteObject": _deleted,
    "DeleteObjects": _deleted_many,
    "CreateMultipartUpload": _begun,
    "UploadPart": _put_part,
    "CompleteMultipartUpload": _completed,
    "AbortMultipartUpload": _aborted,
    "Unknown": _unknown,
}
