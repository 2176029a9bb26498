"""Promise 3: a run that fails publishes nothing of the batch that failed."""

from __future__ import annotations

import pytest
from tests.promises import deliveries
from tests.support.killing import (
    arguments,
    everything,
    spoil,
)
from tests.support.sandbox import Sandbox

from sparkify.cli.main import main
from sparkify.config import Limit
from sparkify.errors import CheckFailed, SourceError


def test_run_that_fails_a_check_changes_nothing(waiting: Sandbox) -> None:
    """A bad row leaves every table and the ledger unchanged, even if the rest of its delivery is good."""
    spoil(waiting, "check")
    before = everything(waiting)
    with pytest.raises(CheckFailed):
        waiting.etl()
    assert everything(waiting) == before


def test_failed_check_is_named_with_its_rows(loaded: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the check and its rows, and the exit code is that of a failed check."""
    spoil(loaded, "check")
    assert main(arguments(loaded)) == 3
    narration = capsys.readouterr().err
    assert "user ids are unique" in narration
    assert "user_id = null, times = 1" in narration
    assert "Traceback" not in narration


def test_batches_before_a_failed_one_stay(waiting: Sandbox) -> None:
    """The batches before a failed one stay published, and only the failed one waits for the next run."""
    spoil(waiting, "file")
    with pytest.raises(SourceError):
        waiting.etl(batch_size=1)
    assert waiting.failed_checks() == []
    (waiting.log_data / "4.json.gz").unlink()
    deliveries.write(waiting.log_data / "4.json", deliveries.play(130))
    assert waiting.etl().run.counts.files == 1


def test_run_that_rejects_too_much_changes_nothing(waiting: Sandbox) -> None:
    """More rejected records than allowed fail a run before anything is published."""
    deliveries.write(waiting.log_data / "4.json", "{", "{", deliveries.view(130))
    before = everything(waiting)
    with pytest.raises(SourceError, match="rejected"):
        waiting.etl(max_rejected=Limit(0.02, is_share=True))
    assert everything(waiting) == before
