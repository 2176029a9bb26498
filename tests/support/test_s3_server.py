"""The tests' S3 server answers like moto's server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import obstore
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer
from obstore.exceptions import BaseError
from obstore.store import S3Store
from tests.support.s3 import S3

KEYS = ["a b.json", "a+b.json", "100%.json", "Zoë.json", "x/1.json", "x/2.json", "x/y/3.json", "x2/4.json", "&<>.json"]
KEPT = ("x-amz-bucket-region", "etag", "content-range", "content-length")


@pytest.fixture
def moto(s3: S3) -> Iterator[str]:  # noqa: ARG001 (it provides the credentials)
    """Start moto's server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def answer_of_boto3(call: Callable[..., Any], **options: Any) -> Any:
    """Return the parts of an answer that do not depend on server, time or request."""
    try:
        answer = call(**options)
    except ClientError as error:
        answer = error.response
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    described: dict[str, Any] = {"status": answer["ResponseMetadata"]["HTTPStatusCode"]}
    described |= {name: headers[name] for name in KEPT if name in headers and "Error" not in answer}
    if call.__name__ not in ("get_object", "head_object"):
        described.pop("content-length", None)
    if "Error" in answer:
        described["code"] = answer["Error"]["Code"]
    if "Body" in answer:
        with answer["Body"] as body:
            described["body"] = body.read()
    described["keys"] = [(found["Key"], found["ETag"], found["Size"]) for found in answer.get("Contents", ())]
    described["folders"] = [found["Prefix"] for found in answer.get("CommonPrefixes", ())]
    described |= {name: answer[name] for name in ("IsTruncated", "KeyCount") if name in answer}
    described["deleted"] = sorted(found["Key"] for found in answer.get("Deleted", ()))
    return described


def with_boto3(endpoint: str, folder: Path) -> list[Any]:
    """Make every call that the tests' server supports; return the answers."""
    session = boto3.Session()
    client: Any = session.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    try:
        answers = [answer_of_boto3(client.head_bucket, Bucket="bucket")]
        client.create_bucket(Bucket="bucket")
        answers += [answer_of_boto3(client.put_object, Bucket="bucket", Key=key, Body=key.encode() * 9) for key in KEYS]
        large = folder / "large"
        large.write_bytes(b"0123456789abcdef" * 700_000)
        client.upload_file(str(large), "bucket", "large", Config=TransferConfig(multipart_threshold=1 << 20))

        def get(**options: Any) -> Any:
            return answer_of_boto3(client.get_object, Bucket="bucket", **options)

        def listed(**options: Any) -> Any:
            return answer_of_boto3(client.list_objects_v2, Bucket="bucket", **options)

        etag = client.head_object(Bucket="bucket", Key="a b.json")["ETag"]
        answers += [
            answer_of_boto3(client.head_bucket, Bucket="bucket"),
            answer_of_boto3(client.head_object, Bucket="bucket", Key="large"),
            answer_of_boto3(client.head_object, Bucket="bucket", Key="none"),
            *(get(Key=key) for key in [*KEYS, "none"]),
            get(Key="a b.json", IfMatch=etag),
            get(Key="a b.json", IfMatch='"0"'),
            *(get(Key="a b.json", Range=f"bytes={given}") for given in ("0-4", "10-", "-7", "5-1000", "5000-")),
            listed(),
            listed(Prefix="x/"),
            listed(Prefix="x", Delimiter="/"),
            listed(Delimiter="/"),
            listed(MaxKeys=3),
            listed(StartAfter="a+b.json"),
            listed(Prefix="none"),
            answer_of_boto3(client.list_objects_v2, Bucket="nowhere"),
        ]
        pages = client.get_paginator("list_objects_v2").paginate(Bucket="bucket", PaginationConfig={"PageSize": 2})
        answers.append([found["Key"] for page in pages for found in page["Contents"]])
        many = {"Objects": [{"Key": key} for key in ("x/1.json", "x/2.json", "none")]}
        answers += [
            answer_of_boto3(client.delete_objects, Bucket="bucket", Delete=many),
            answer_of_boto3(client.delete_object, Bucket="bucket", Key="x2/4.json"),
            answer_of_boto3(client.delete_object, Bucket="bucket", Key="none"),
            listed(),
        ]
    finally:
        client.close()
    return answers


def with_obstore(endpoint: str) -> list[Any]:
    """Make the calls of obstore that the pipeline makes; return the answers."""
    address: Any = {"endpoint": endpoint, "region": "us-east-1", "virtual_hosted_style_request": False}
    quick: Any = {"max_retries": 0, "retry_timeout": timedelta(seconds=5)}
    store = S3Store("bucket", config=address, client_options={"allow_http": True}, retry_config=quick)
    answers: list[Any] = []

    def record(call: Callable[[], Any]) -> None:
        try:
            answers.append(call())
        except (BaseError, FileNotFoundError) as error:
            answers.append((type(error).__name__, re.findall(r"code: (\d+)|<Code>(\w+)", str(error))))

    def listed(prefix: str | None = None, offset: str | None = None) -> list[Any]:
        pages = obstore.list(store, prefix, offset=offset, chunk_size=2)
        return [(found["path"], found["e_tag"], found["size"]) for page in pages for found in page]

    record(lambda: obstore.put(store, "small.json", b"{}")["e_tag"])
    record(lambda: obstore.put(store, "parts", b"x" * 11_000_000, chunk_size=5 << 20)["e_tag"])
    record(listed)
    record(lambda: listed("x"))
    record(lambda: listed(None, "a b.json"))
    record(lambda: obstore.get(store, "small.json").bytes().to_bytes())
    etag = str(obstore.head(store, "small.json")["e_tag"])
    record(lambda: obstore.get(store, "small.json", options={"if_match": etag}).bytes().to_bytes())
    record(lambda: obstore.get(store, "small.json", options={"if_match": '"0"'}))
    record(lambda: obstore.get(store, "none"))
    record(lambda: obstore.head(store, "none"))
    record(lambda: obstore.delete(store, ["small.json", "parts"]))
    record(listed)
    return answers


@pytest.mark.ci
def test_server_of_the_tests_answers_as_moto_does(s3: S3, moto: str, tmp_path: Path) -> None:
    """Every call of boto3 and obstore has the same answer from both servers, errors included."""
    for ours, theirs in zip(with_boto3(s3.url, tmp_path), with_boto3(moto, tmp_path), strict=True):
        assert ours == theirs
    for ours, theirs in zip(with_obstore(s3.url), with_obstore(moto), strict=True):
        assert ours == theirs
