"""Tables of others in our schema stay as they are, whatever their names."""

from __future__ import annotations

import pytest
from tests.promises import deliveries
from tests.support.sandbox import Sandbox

from sparkify.warehouse.base import Warehouse
from sparkify.warehouse.connect import open_warehouse


def test_tables_with_the_names_of_our_temporary_ones_survive_a_run(
    warehouse: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run creates its temporary tables beside others' tables of the same names, and leaves none behind."""
    create, created = Warehouse.create_temporary, set[str]()

    def noted(self: Warehouse, name: str, select: str) -> None:
        created.add(name)
        create(self, name, select)

    def run() -> None:
        for deliver in (deliveries.first, deliveries.second):
            deliver(warehouse.log_data, warehouse.song_data)
            warehouse.etl()

    monkeypatch.setattr(Warehouse, "create_temporary", noted)
    run()
    expected = warehouse.contents()
    assert {"new_songs", "known_events", "decided_events", "contradicting_songs"} <= created
    with open_warehouse(warehouse.url) as engine:
        for name in created:
            engine.execute(f"create table {name} as select 'theirs' as owner")
    warehouse.etl(full_refresh=True)
    run()
    assert warehouse.contents() == expected
    for name in created:
        assert warehouse.query(f"select owner from {name}") == [("theirs",)], name
    assert warehouse.failed_checks() == []
