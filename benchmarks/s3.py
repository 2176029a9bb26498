"""Read many small objects from S3; the rival is boto3 with 16 threads.

    .venv/bin/python -m benchmarks.s3 [--objects 20000] [--latency 20] [--runs 3]

The tests' own S3 server runs in a separate process and waits 20 ms before each answer. Both sides list all keys, read
every object in the listed version, and return the bytes in the order of the keys. Prints medians and the ratio.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.support.s3 import CREDENTIALS

from sparkify.config import Aws
from sparkify.sources import listing
from sparkify.sources.cache import FileCache

THREADS = 16
RECORD = '{{"num_songs": 1, "artist_id": "AR{0}", "song_id": "SO{0}", "title": "{1}", "duration": 200.5, "year": 0}}'


def main() -> None:
    """Start the server, run both sides, print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=20_000)
    parser.add_argument("--latency", type=float, default=20, help="milliseconds before each answer")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    os.environ |= CREDENTIALS
    with tempfile.TemporaryDirectory(prefix="sparkify-bench-") as folder:
        for number in range(options.objects):
            (Path(folder) / f"{number:06}.json").write_text(RECORD.format(number, "x" * 160))
        serve = [sys.executable, "-m", "tests.support.s3", "--folder", folder, "--latency", str(options.latency)]
        with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdin
            assert server.stdout
            os.environ["AWS_ENDPOINT_URL"] = server.stdout.readline().strip()
            measure(options)
            server.stdin.close()


def measure(options: argparse.Namespace) -> None:
    """Time both sides."""
    rivals: dict[str, Callable[[], int]] = {"boto3": with_boto3, "ours": with_ours}
    times: dict[str, list[float]] = {name: [] for name in rivals}
    sizes = set()
    for _ in range(options.runs):
        for name, read in rivals.items():
            started = time.perf_counter()
            sizes.add(read())
            times[name].append(time.perf_counter() - started)
    assert len(sizes) == 1, "the sides read different numbers of bytes"
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"{options.objects:,} objects, {sizes.pop() / 1e6:.1f} MB, {options.latency:g} ms; medians of {options.runs}")
    for name, label in (("boto3", f"boto3, {THREADS} threads"), ("ours", "sparkify")):
        print(f"{label:18} {medians[name]:6.2f} s  {options.objects / medians[name]:6,.0f} objects a second")
    print(f"ratio              {medians['boto3'] / medians['ours']:6.1f}")


def with_boto3() -> int:
    """Read in the usual way for boto3: one page of keys at a time, and a thread pool with one connection per thread."""
    import boto3
    from botocore.config import Config

    client: Any = boto3.Session().client("s3", config=Config(max_pool_connections=THREADS))

    def read(found: dict[str, Any]) -> int:
        return len(client.get_object(Bucket="bucket", Key=found["Key"], IfMatch=found["ETag"])["Body"].read())

    pages = client.get_paginator("list_objects_v2").paginate(Bucket="bucket")
    keys = [found for page in pages for found in page["Contents"]]
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(read, keys))


def with_ours() -> int:
    """Read in the way of a run."""
    files = listing.list_files("songs", "s3://bucket/").files
    size = 0
    with tempfile.TemporaryDirectory(prefix="sparkify-bench-") as folder:
        cache = FileCache(Path(folder), Aws())
        for _, file in cache.prefetch(list(enumerate(files))):
            with cache.open(file) as stream:
                size += len(stream.read())
    return size


if __name__ == "__main__":
    main()
