"""A small S3 of the tests' own: a server on a loopback port that answers as S3 does, and fails on request.

It knows path-style addresses, one page of keys after the other, conditions, ranges, uploads in parts and S3's errors;
it does not check signatures, only the region that they were made for. What it answers is held against moto's server
by `test_s3_server.py`, which is more faithful and much slower.

    python -m tests.support.s3 --folder data --bucket songs --latency 20

serves a folder until its standard input ends, and first prints its URL.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import md5
from pathlib import Path
from socket import IPPROTO_TCP, SO_LINGER, SOL_SOCKET, TCP_NODELAY
from ssl import SSLContext
from struct import pack
from typing import Any, Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-tests"}
_MOMENT = 1_541_105_830  # seconds since 1970: when every object was last modified
_REGION_SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/([^/]+)/")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True)
class Object:
    """What a key holds."""

    content: bytes | Path
    etag: str  # without its quotes
    storage_class: str = "STANDARD"

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    def read(self) -> bytes:
        """Return the content."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


@dataclass
class Bucket:
    """A bucket, and the order of its keys while they stay as they are."""

    region: str = REGION
    objects: dict[str, Object] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    order: list[str] | None = None

    def keys(self) -> list[str]:
        """Return the keys in S3's order, that of their UTF-8, which is that of their code points."""
        if self.order is None:
            self.order = sorted(self.objects)
        return self.order

    def set(self, key: str, found: Object | None) -> None:
        """Put an object, or remove it."""
        if found:
            if key not in self.objects:
                self.order = None
            self.objects[key] = found
        elif self.objects.pop(key, None):
            self.order = None


@dataclass(frozen=True)
class Request:
    """A request as it came in."""

    method: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    operation: str


@dataclass(frozen=True)
class Answer:
    """What goes back: a body that may break off, or never come."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    sent: float = 1.0  # the part of the body that is sent
    then: Literal["keep", "close", "reset", "stall"] = "keep"


@dataclass
class Fault:
    """What goes wrong with an operation, on one key or on all, some number of times or always."""

    operation: str
    key: str | None
    times: float
    answer: Callable[[Request, Answer], Answer]


class S3Error(Exception):
    """An error that S3 would answer."""

    def __init__(self, status: int, code: str, message: str = "", **headers: str) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.headers = status, code, message or code, headers


class S3:
    """A running server: fill its buckets, let it fail, and look at what it was asked."""

    def __init__(self, *, secured: bool = False) -> None:
        self.buckets: dict[str, Bucket] = {}
        self.requests: list[Request] = []
        self.latency = 0.0  # seconds before each answer
        self.port = 0
        self._scheme = "https" if secured else "http"
        self._faults: list[Fault] = []
        self._connections: set[_Connection] = set()

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    # Filling it

    def add_bucket(self, name: str, region: str = REGION) -> Bucket:
        """Make a bucket, or return the one that is there."""
        return self.buckets.setdefault(name, Bucket(region))

    def put(self, url: str, content: bytes | str | Path, *, etag: str = "", storage_class: str = "STANDARD") -> str:
        """Put an object under an s3:// URL, making the bucket too; return its ETag, the MD5 if none is given."""
        name, _, key = url.removeprefix("s3://").partition("/")
        content = content.encode() if isinstance(content, str) else content
        raw = content.read_bytes() if isinstance(content, Path) else content
        etag = etag or md5(raw, usedforsecurity=False).hexdigest()
        self.add_bucket(name).set(key, Object(content, etag, storage_class))
        return etag

    def add_folder(self, url: str, folder: Path) -> None:
        """Put the files of a folder under an s3:// URL; they are read from disk when they are asked for."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{url.rstrip('/')}/{path.relative_to(folder).as_posix()}", path)

    def get(self, url: str) -> bytes:
        """Return what an s3:// URL holds."""
        name, _, key = url.removeprefix("s3://").partition("/")
        return self.buckets[name].objects[key].read()

    def remove(self, url: str) -> None:
        """Remove an object."""
        name, _, key = url.removeprefix("s3://").partition("/")
        self.buckets[name].set(key, None)

    # Letting it fail. An operation is called as in S3's API: GetObject, ListObjectsV2, HeadBucket, PutObject, …

    def refuse(
        self, operation: str, key: str | None = None, *, status: int, code: str, times: float = float("inf")
    ) -> None:
        """Answer with an error of S3's."""
        self._fault(operation, key, times, lambda request, _: _error(request, S3Error(status, code)))

    def reset(self, operation: str, key: str | None = None, *, times: float = float("inf")) -> None:
        """Reset the connection instead of answering."""
        self._fault(operation, key, times, lambda _, answer: _broken(answer, 0, "reset"))

    def truncate(self, operation: str, key: str | None = None, *, times: float = float("inf")) -> None:
        """Close the connection in the middle of the body."""
        self._fault(operation, key, times, lambda _, answer: _broken(answer, 0.5, "close"))

    def stall(self, operation: str, key: str | None = None, *, times: float = float("inf"), sent: float = 0.5) -> None:
        """Say nothing more in the middle of the body, and keep the connection."""
        self._fault(operation, key, times, lambda _, answer: _broken(answer, sent, "stall"))

    def when(self, operation: str, key: str | None, happen: Callable[[], object]) -> None:
        """Let something happen, once, when a request comes in, before it is answered."""
        self._fault(operation, key, 1, lambda request, _: (happen(), self._answered(request))[1])

    def heal(self) -> None:
        """Let nothing fail any more."""
        self._faults = []

    def asked(self, operation: str) -> list[str]:
        """Return the keys (of a bucket's operation: the buckets) that an operation was asked for, in order."""
        return [request.key or request.bucket for request in self.requests if request.operation == operation]

    def _fault(self, operation: str, key: str | None, times: float, answer: Callable[..., Answer]) -> None:
        self._faults.append(Fault(operation, key, times, answer))

    # Answering

    def answer(self, request: Request) -> Answer:
        """Answer a request, or fail as was asked for."""
        self.requests.append(request)
        for fault in self._faults:
            if fault.times > 0 and fault.operation == request.operation and fault.key in (None, request.key):
                fault.times -= 1
                broken = request.operation.startswith(("Get", "List"))  # only what changes nothing is done
                return fault.answer(request, self._answered(request) if broken else Answer())
        return self._answered(request)

    def _answered(self, request: Request) -> Answer:
        try:
            return self._done(request)
        except S3Error as error:
            return _error(request, error)

    def _done(self, request: Request) -> Answer:
        region = _REGION_SIGNED_FOR.search(request.headers.get("authorization", ""))
        if not region:
            raise S3Error(403, "AccessDenied", "Access Denied")
        if request.operation == "CreateBucket":
            self.add_bucket(request.bucket, region[1])
            return Answer(headers={"Location": f"/{request.bucket}"})
        bucket = self.buckets.get(request.bucket)
        if not bucket:
            raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist")
        if region[1] != bucket.region:
            wrong = "The bucket you are attempting to access must be addressed using the specified endpoint."
            raise S3Error(301, "PermanentRedirect", wrong, **{"x-amz-bucket-region": bucket.region})
        return _OPERATIONS[request.operation](bucket, request)


def _error(request: Request, error: S3Error) -> Answer:
    body = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message><RequestId>1</RequestId></Error>"
    content = b"" if request.method == "HEAD" else _xml(body)
    return Answer(error.status, {"Content-Type": "application/xml", **error.headers}, content)


def _broken(answer: Answer, sent: float, then: Literal["close", "reset", "stall"]) -> Answer:
    return Answer(answer.status, answer.headers, answer.body, sent, then)


def _xml(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()


def _listed(bucket: Bucket, request: Request) -> Answer:
    """ListObjectsV2: keys in order, at most a thousand, and a token for the next page."""
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


_OPERATIONS: dict[str, Callable[[Bucket, Request], Answer]] = {
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


def _operation(method: str, key: str, query: dict[str, str]) -> str:
    """Name what is asked for as S3's API does."""
    marks = {"location", "delete", "uploads", "uploadId"} & query.keys()
    if query.get("list-type"):
        marks = {"list-type"}
    return {
        ("HEAD", False, ""): "HeadBucket",
        ("PUT", False, ""): "CreateBucket",
        ("GET", False, "list-type"): "ListObjectsV2",
        ("GET", False, "location"): "GetBucketLocation",
        ("POST", False, "delete"): "DeleteObjects",
        ("GET", True, ""): "GetObject",
        ("HEAD", True, ""): "HeadObject",
        ("PUT", True, ""): "PutObject",
        ("DELETE", True, ""): "DeleteObject",
        ("POST", True, "uploads"): "CreateMultipartUpload",
        ("PUT", True, "uploadId"): "UploadPart",
        ("POST", True, "uploadId"): "CompleteMultipartUpload",
        ("DELETE", True, "uploadId"): "AbortMultipartUpload",
    }.get((method, bool(key), next(iter(marks), "")), "Unknown")


class _Connection(asyncio.Protocol):
    """One connection: requests one after the other, on a connection that is kept."""

    def __init__(self, server: S3, connections: set[_Connection]) -> None:
        self._server = server
        self._connections = connections
        self._read = bytearray()
        self._head: tuple[str, str, dict[str, str], int] | None = None  # while the body comes in
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send small answers at once."""
        self.transport = transport
        self.transport.get_extra_info("socket").setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the connection."""
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer a request when all of it is there; clients send the next one after the answer."""
        self._read += data
        if not self._head:
            end = self._read.find(b"\r\n\r\n")
            if end < 0:
                return
            first, *lines = self._read[:end].decode("latin-1").split("\r\n")
            del self._read[: end + 4]
            method, target, _ = first.split(" ", 2)
            pairs = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            self._head = (method, target, headers, int(headers.get("content-length", "0")))
            if headers.get("expect"):
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        method, target, headers, length = self._head
        if len(self._read) < length:
            return
        body = bytes(self._read[:length])
        del self._read[:length]
        self._head = None
        answer = self._server.answer(_request(method, target, headers, body))
        if self._server.latency:
            asyncio.get_running_loop().call_later(self._server.latency, self._send, answer, method)
        else:
            self._send(answer, method)

    def _send(self, answer: Answer, method: str) -> None:
        if answer.then == "reset":
            self.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
            self.transport.abort()
            return
        headers = {"Content-Length": str(len(answer.body)), "Last-Modified": formatdate(_MOMENT, usegmt=True)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers | answer.headers).items())
        status = f"HTTP/1.1 {answer.status} -\r\nServer: AmazonS3\r\nx-amz-request-id: 1\r\n"
        body = b"" if method == "HEAD" else answer.body[: int(len(answer.body) * answer.sent)]
        if answer.then != "stall" or answer.sent:
            self.transport.write(f"{status}{lines}\r\n".encode("latin-1") + body)
        if answer.then == "close":
            self.transport.close()


def _request(method: str, target: str, headers: dict[str, str], body: bytes) -> Request:
    parts = urlsplit(f"http://_{target}")
    name, _, key = unquote(parts.path).removeprefix("/").partition("/")
    query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if (
        "aws-chunked" in headers.get("content-encoding", "")
        or headers.get("x-amz-content-sha256", "")[:9] == "STREAMING"
    ):
        body = b"".join(_unchunked(body))
    return Request(method, name, key, query, headers, body, _operation(method, key, query))


def _unchunked(body: bytes) -> Iterator[bytes]:
    """Take a body out of the chunks in which AWS's own clients may sign it."""
    place = 0
    while True:
        end = body.index(b"\r\n", place)
        size = int(body[place:end].partition(b";")[0], 16)
        if not size:
            return
        yield body[end + 2 : end + 2 + size]
        place = end + 2 + size + 2


@contextmanager
def serving(tls: SSLContext | None = None) -> Iterator[S3]:
    """Run a server on a free port of 127.0.0.1, perhaps behind TLS, and end it with all of its connections."""
    server = S3(secured=tls is not None)
    loop = asyncio.new_event_loop()
    connections: set[_Connection] = set()
    started = threading.Event()

    async def listen() -> None:
        listening = await loop.create_server(
            lambda: _Connection(server, connections), "127.0.0.1", 0, backlog=1024, ssl=tls
        )
        server.port = listening.sockets[0].getsockname()[1]
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            listening.close()
            for connection in list(connections):
                connection.transport.abort()
            await asyncio.sleep(0)

    task = loop.create_task(listen())

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    thread = threading.Thread(target=run, name="s3-server")
    thread.start()
    started.wait()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


def main() -> None:
    """Serve a folder from a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--bucket", default="bucket")
    parser.add_argument("--latency", type=float, default=0, help="milliseconds before each answer")
    options = parser.parse_args()
    with serving() as server:
        server.add_folder(f"s3://{options.bucket}", options.folder)
        server.latency = options.latency / 1000
        print(server.url, flush=True)  # noqa: T201
        sys.stdin.read()


if __name__ == "__main__":
    main()
