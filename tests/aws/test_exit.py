"""The exit code of a process is ours, also after a request to S3 that failed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.support.s3 import S3

SOURCES = ["--log-data", "s3://bucket/log_data", "--song-data", "s3://bucket/log_data"]


@pytest.mark.ci
@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (400, "ExpiredToken"), (404, "NoSuchBucket")])
def test_process_whose_listing_fails_ends_with_its_exit_code(s3: S3, tmp_path: Path, status: int, code: str) -> None:
    """A process whose listing of S3 is refused ends with exit code 1, and is never aborted while it ends."""
    s3.put("s3://bucket/log_data/a.json", "{}")
    s3.refuse("ListObjectsV2", status=status, code=code)
    command = [sys.executable, "-m", "sparkify", "etl", *SOURCES, "--warehouse", f"duckdb:///{tmp_path}/new.duckdb"]
    ended = [subprocess.run(command, capture_output=True, cwd=tmp_path, check=False) for _ in range(10)]
    assert Counter(run.returncode for run in ended) == {1: 10}
    assert all(run.stderr.startswith(b"sparkify: s3://bucket") and run.stderr.count(b"\n") == 1 for run in ended)


@pytest.mark.ci
def test_crash_after_a_request_to_s3_has_its_traceback_and_code(s3: S3, tmp_path: Path) -> None:
    """An error that is raised with --debug, after a request to S3, still prints its traceback and ends with 1."""
    s3.put("s3://bucket/log_data/a.json", "{}")
    s3.refuse("ListObjectsV2", status=403, code="AccessDenied")
    command = [sys.executable, "-m", "sparkify", "etl", "--debug", *SOURCES]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert "S3 denies access" in ended.stderr
