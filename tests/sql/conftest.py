"""Warehouses that the tests of views and comments share."""

from __future__ import annotations

import pytest
from tests.support.listening import deliver
from tests.support.sandbox import Sandbox, Warehouses


@pytest.fixture
def fortnight(make_warehouse: Warehouses) -> Sandbox:
    """Return a warehouse that holds the fortnight, for tests that only read it."""
    return make_warehouse.shared(deliver)
