"""A small S3 server on a loopback port that answers like S3, and fails on request.

It supports path-style addresses, pages of keys, conditions, ranges, uploads in parts and S3's errors. It checks the
region of a signature, and not the signature. `test_s3_server.py` compares its answers with those of moto's server,
which is more faithful and much slower.

    python -m tests.support.s3 --folder data --bucket songs --latency 20

prints its URL, and serves a folder until its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.utils import formatdate
from hashlib import md5
from pathlib import Path
from socket import IPPROTO_TCP, SO_LINGER, SOL_SOCKET, TCP_NODELAY
from ssl import SSLContext
from struct import pack
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.s3_answers import OPERATIONS, REGION, Answer, Bucket, Object, Request, S3Error, error_answer

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-tests"}
_MOMENT = 1_541_105_830  # seconds since 1970: when every object was last modified
_READS = ("HeadBucket", "ListObjectsV2", "GetObject", "HeadObject")
_REGION_SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/([^/]+)/")


@dataclass
class Fault:
    """A fault of an operation, on one key or on all, some number of times or always."""

    operation: str
    key: str | None
    times: float
    answer: Callable[[Request, Answer], Answer]


class S3:
    """A running server: its buckets, its faults, and the requests that it received."""

    def __init__(self, *, secured: bool = False) -> None:
        self.buckets: dict[str, Bucket] = {}
        self.requests: list[Request] = []
        self.latency = 0.0  # seconds before each answer
        self.has_etags = True
        self.port = 0
        self._scheme = "https" if secured else "http"
        self._faults: list[Fault] = []
        self._connections: set[_Connection] = set()

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    # Content

    def add_bucket(self, name: str, region: str = REGION, *, is_public: bool = False) -> Bucket:
        """Create a bucket, or return the existing one."""
        return self.buckets.setdefault(name, Bucket(region, is_public))

    def put(self, url: str, content: bytes | str | Path, *, etag: str = "", storage_class: str = "STANDARD") -> str:
        """Put an object under an s3:// URL, and create its bucket; return its ETag, by default the MD5."""
        name, _, key = url.removeprefix("s3://").partition("/")
        content = content.encode() if isinstance(content, str) else content
        raw = content.read_bytes() if isinstance(content, Path) else content
        etag = etag or md5(raw, usedforsecurity=False).hexdigest()
        self.add_bucket(name).set(key, Object(content, etag, storage_class))
        return etag

    def add_folder(self, url: str, folder: Path) -> None:
        """Put the files of a folder under an s3:// URL; they are read from disk when requested."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{url.rstrip('/')}/{path.relative_to(folder).as_posix()}", path)

    def get(self, url: str) -> bytes:
        """Return the content of an s3:// URL."""
        name, _, key = url.removeprefix("s3://").partition("/")
        return self.buckets[name].objects[key].read()

    def remove(self, url: str) -> None:
        """Delete an object."""
        name, _, key = url.removeprefix("s3://").partition("/")
        self.buckets[name].set(key, None)

    # Faults. An operation is named as in S3's API: GetObject, ListObjectsV2, HeadBucket, PutObject, …

    def refuse(
        self, operation: str, key: str | None = None, *, status: int, code: str, times: float = float("inf")
    ) -> None:
        """Answer with an error of S3."""
        self._fault(operation, key, times, lambda request, _: error_answer(request, S3Error(status, code)))

    def reset(self, operation: str, key: str | None = None, *, times: float = float("inf")) -> None:
        """Reset the connection instead of answering."""
        self._fault(operation, key, times, lambda _, answer: _broken(answer, 0, "reset"))

    def truncate(self, operation: str, key: str | None = None, *, times: float = float("inf")) -> None:
        """Close the connection in the middle of the body."""
        self._fault(operation, key, times, lambda _, answer: _broken(answer, 0.5, "close"))

    def stall(self, operation: str, key: str | None = None, *, times: float = float("inf"), sent: float = 0.5) -> None:
        """Stop sending in the middle of the body, and keep the connection open."""
        self._fault(operation, key, times, lambda _, answer: _broken(answer, sent, "stall"))

    def when(self, operation: str, key: str | None, happen: Callable[[], object]) -> None:
        """Run a function once, when a request arrives and before it is answered."""
        self._fault(operation, key, 1, lambda request, _: (happen(), self._answered(request))[1])

    def heal(self) -> None:
        """Delete every fault."""
        self._faults = []

    def asked(self, operation: str) -> list[str]:
        """Return the keys that were requested with an operation, in order; or the buckets, if it has no key."""
        return [request.key or request.bucket for request in self.requests if request.operation == operation]

    def _fault(self, operation: str, key: str | None, times: float, answer: Callable[..., Answer]) -> None:
        self._faults.append(Fault(operation, key, times, answer))

    # Answers

    def answer(self, request: Request) -> Answer:
        """Answer a request, or fail as configured."""
        self.requests.append(request)
        for fault in self._faults:
            if fault.times > 0 and fault.operation == request.operation and fault.key in (None, request.key):
                fault.times -= 1
                broken = request.operation.startswith(("Get", "List"))  # Only operations that change nothing are run.
                return fault.answer(request, self._answered(request) if broken else Answer())
        return self._answered(request)

    def _answered(self, request: Request) -> Answer:
        try:
            answer = self._done(request)
        except S3Error as error:
            return error_answer(request, error)
        if self.has_etags or request.operation == "PutObject":  # clients need the ETag of what they write
            return answer
        headers = {name: value for name, value in answer.headers.items() if name != "ETag"}
        return replace(answer, headers=headers, body=re.sub(rb"<ETag>.*?</ETag>", b"", answer.body))

    def _done(self, request: Request) -> Answer:
        region = _REGION_SIGNED_FOR.search(request.headers.get("authorization", ""))
        bucket = self.buckets.get(request.bucket)
        if bucket and bucket.is_public and "authorization" not in request.headers and request.operation in _READS:
            return OPERATIONS[request.operation](bucket, request)
        if not region:
            raise S3Error(403, "AccessDenied", "Access Denied")
        if request.operation == "CreateBucket":
            self.add_bucket(request.bucket, region[1])
            return Answer(headers={"Location": f"/{request.bucket}"})
        if not bucket:
            raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist")
        if region[1] != bucket.region:
            wrong = "The bucket you are attempting to access must be addressed using the specified endpoint."
            raise S3Error(301, "PermanentRedirect", wrong, **{"x-amz-bucket-region": bucket.region})
        return OPERATIONS[request.operation](bucket, request)


def _broken(answer: Answer, sent: float, then: Literal["close", "reset", "stall"]) -> Answer:
    return Answer(answer.status, answer.headers, answer.body, sent, then)


def _operation(method: str, key: str, query: dict[str, str]) -> str:
    """Return the name of an operation in S3's API."""
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
    """One connection, which is kept open for several requests."""

    def __init__(self, server: S3, connections: set[_Connection]) -> None:
        self._server = server
        self._connections = connections
        self._read = bytearray()
        self._head: tuple[str, str, dict[str, str], int] | None = None  # set until the body is complete
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Disable the delay of small answers."""
        self.transport = transport
        self.transport.get_extra_info("socket").setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the connection."""
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer a request once it is complete; clients send the next one after the answer."""
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
    """Yield the parts of a body that is sent in signed chunks, as AWS's clients may do."""
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
    """Run a server on a free port of 127.0.0.1, with or without TLS, and close all its connections at the end."""
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
    """Serve a folder in a process of its own."""
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
