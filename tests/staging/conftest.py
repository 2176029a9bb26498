"""Fixtures of the tests that read the same logs on both paths."""

from __future__ import annotations

import pytest

from sparkify.staging import fast_path

FAST, EXACT = 0, 1 << 40  # the size from which a log is read on the fast path, in bytes


@pytest.fixture(params=[pytest.param(FAST, id="fast"), pytest.param(EXACT, id="exact")])
def either_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read logs of any size on the fast path first, or all of them on the exact path."""
    monkeypatch.setattr(fast_path, "MIN_SIZE", request.param)
