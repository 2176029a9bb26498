"""What teardown keeps, and how setup restores it."""

from __future__ import annotations

import pytest
from tests.support.cloud.commands import Cluster

REASON = "Resource handler returned message: The network interface is in use (Service: Ec2, Status Code: 400)"


def snapshot(cluster: Cluster) -> str:
    """Return the name of the only snapshot in the account."""
    (name,) = [thing.split()[1] for thing in cluster.cloud.everything() if thing.startswith("snapshot ")]
    return name


@pytest.mark.usefixtures("kind")
def test_kept_snapshot_is_restored(cluster: Cluster) -> None:
    """Teardown says how to restore its snapshot, a new warehouse begins with it, and later setups change nothing."""
    cluster.setup()
    ended = cluster("teardown", "--yes", "--snapshot")
    name = snapshot(cluster)
    assert f"sparkify cluster setup --from-snapshot {name}\n" in ended.err
    shown = cluster("setup", "--from-snapshot", name, answer="n\n").err
    assert f"with the content of the snapshot {name}" in shown
    cluster.setup("--from-snapshot", name)
    assert cluster.cloud.restored == {"sparkify": name}
    assert cluster.setup().out.startswith("Nothing to change")


def test_unknown_snapshot_is_refused_before_anything_is_created(cluster: Cluster, kind: str) -> None:
    """A snapshot that does not exist is an error, and nothing is created."""
    before = cluster.cloud.everything()
    ended = cluster("setup", "--yes", "--from-snapshot", "nowhere")
    assert ended.code == 1
    assert f"nowhere: the snapshot of a {kind} warehouse is missing in us-east-1." in ended.err
    assert cluster.cloud.everything() == before


@pytest.mark.ci
def test_snapshot_does_not_replace_a_warehouse(cluster: Cluster) -> None:
    """A snapshot is not restored over an existing warehouse."""
    cluster.setup()
    before = cluster.cloud.everything()
    ended = cluster("setup", "--yes", "--from-snapshot", "any")
    assert ended.code == 1
    assert "a snapshot can only fill a new one" in ended.err
    assert cluster.cloud.everything() == before


@pytest.mark.ci
def test_second_teardown_keeps_the_snapshot_of_the_first(cluster: Cluster) -> None:
    """A teardown that continues without a workgroup keeps the snapshot that the first one took, and takes no other."""
    cluster.setup()
    cluster.cloud.formation.fails["delete", "Namespace"] = REASON
    assert cluster("teardown", "--yes", "--snapshot").code == 1
    name = snapshot(cluster)
    cluster.cloud.formation.fails.clear()
    ended = cluster("teardown", "--yes", "--snapshot")
    assert ended.code == 0, ended.err
    assert "Kept on purpose: " in ended.out
    assert snapshot(cluster) == name


@pytest.mark.ci
def test_snapshot_that_is_no_longer_possible_stops_the_deletion(cluster: Cluster) -> None:
    """Without its workgroup, a namespace cannot be kept in a snapshot, so teardown stops and names the choices."""
    cluster.setup()
    cluster.cloud.formation.fails["delete", "Namespace"] = REASON
    assert cluster("teardown", "--yes").code == 1
    cluster.cloud.formation.fails.clear()
    ended = cluster("teardown", "--yes", "--snapshot")
    assert ended.code == 1
    assert "a snapshot of a namespace needs its workgroup" in ended.err
    assert "--no-snapshot" in ended.err
    assert "namespace sparkify" in cluster.cloud.everything()
    assert cluster("teardown", "--yes", "--no-snapshot").code == 0
