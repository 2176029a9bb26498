"""Changes of a warehouse, and failures of a setup, that AWS treats in ways of its own."""

from __future__ import annotations

import pytest
from tests.support.cloud.commands import Cluster

from sparkify.aws.cluster import stack

REASON = "Resource handler returned message: The service is busy (Service: Any, Status Code: 500)"


def test_workgroup_is_changed_one_property_at_a_time(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several changes of a workgroup are asked for once, and made one after another, as AWS demands."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    monkeypatch.setenv("SPARKIFY_DWH_DWH_PORT", "5440")
    ended = cluster("setup", "--allow-from", "198.51.100.7", answer="y\n")
    assert ended.code == 0, ended.err
    assert ended.err.count("Make these changes?") == 1
    assert "  change  Workgroup (BaseCapacity, Port, PubliclyAccessible)" in ended.err
    assert cluster.cloud.calls.count("cloudformation:ExecuteChangeSet") == 3
    (live,) = cluster.cloud.formation.stacks.values()
    properties = live.live["Workgroup"].properties
    assert [properties[key] for key in ("BaseCapacity", "Port", "PubliclyAccessible")] == ["8", "5440", True]
    assert cluster.setup("--allow-from", "198.51.100.7").out.startswith("Nothing to change")


@pytest.mark.ci
def test_changes_that_stopped_halfway_are_continued(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a later one of several updates fails, the next setup makes the rest."""
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    cluster.cloud.formation.fails["update", "AllowedAddresses"] = REASON
    assert REASON in cluster("setup", "--yes", "--allow-from", "198.51.100.7").err
    workgroup = cluster.cloud.serverless.workgroups["sparkify"]
    assert (workgroup["baseCapacity"], workgroup["publiclyAccessible"]) == (8, False)
    cluster.cloud.formation.fails.clear()
    cluster.setup("--allow-from", "198.51.100.7")
    assert (workgroup["baseCapacity"], workgroup["publiclyAccessible"]) == (8, True)


@pytest.mark.ci
def test_default_capacity_does_not_change_a_warehouse(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without BASE_CAPACITY, an existing warehouse keeps its capacity."""
    monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "16")
    cluster.setup()
    monkeypatch.delenv("SPARKIFY_DWH_BASE_CAPACITY")
    assert cluster.setup().out.startswith("Nothing to change")


@pytest.mark.ci
def test_nodes_can_be_added_to_several_but_not_to_one(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of several nodes is resized; a change to or from one node is refused, with another way."""
    monkeypatch.setenv("SPARKIFY_DWH_DWH_CLUSTER_TYPE", "multi-node")
    cluster.setup()
    monkeypatch.setenv("SPARKIFY_DWH_DWH_NUM_NODES", "4")
    cluster.setup()
    before = cluster.cloud.everything()
    monkeypatch.setenv("SPARKIFY_DWH_DWH_CLUSTER_TYPE", "single-node")
    monkeypatch.setenv("SPARKIFY_DWH_DWH_NUM_NODES", "1")
    ended = cluster("setup", "--yes")
    assert ended.code == 1
    assert "AWS cannot resize a cluster from 4 to 1 nodes" in ended.err
    assert "Undo the change; or run `sparkify cluster teardown`" in ended.err
    assert cluster.cloud.everything() == before


@pytest.mark.ci
@pytest.mark.usefixtures("kind")
def test_foreign_update_cannot_replace_the_data(cluster: Cluster) -> None:
    """The stack's policy denies an update that would replace the warehouse, whoever starts it."""
    cluster.setup()
    (live,) = cluster.cloud.formation.stacks.values()
    before = cluster.cloud.everything()
    client = cluster.cloud.client("cloudformation")
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in live.parameters.items()]
    given = [{**each, "ParameterValue": "other"} if each["ParameterKey"] == "Name" else each for each in given]
    made = client.create_change_set(
        StackName=live.id, ChangeSetName="theirs", TemplateBody=str(live.template), Parameters=given
    )
    client.execute_change_set(ChangeSetName=made["Id"], StackName=live.id)
    cluster.cloud.formation.finish()
    assert live.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "Action denied by stack policy" in str(live.events)
    assert cluster.cloud.everything() == before


@pytest.mark.ci
def test_stack_is_protected_until_teardown(cluster: Cluster) -> None:
    """Nobody can delete the stack by accident, and teardown can."""
    cluster.setup()
    client = cluster.cloud.client("cloudformation")
    with pytest.raises(client.exceptions.ClientError, match="TerminationProtection"):
        client.delete_stack(StackName="sparkify")
    assert cluster("teardown", "--yes").code == 0


# Failing


@pytest.mark.parametrize("exists", [False, True])
def test_cause_of_a_failed_validation_is_reported(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    """What AWS refuses before it creates or changes anything is reported with its cause."""
    if exists:
        cluster.setup()
        monkeypatch.setenv("SPARKIFY_DWH_BASE_CAPACITY", "8")
    before = cluster.cloud.everything()
    cluster.cloud.formation.invalid["Workgroup"] = "The port is reserved."
    ended = cluster("setup", "--yes")
    assert ended.code == 1
    assert "AWS::EarlyValidation::PropertyValidation" in ended.err
    assert "Workgroup (AWS::RedshiftServerless::Workgroup): The port is reserved. at /Resources/Workgroup" in ended.err
    assert cluster.cloud.everything() == before


@pytest.mark.ci
def test_missing_permission_for_the_cause_is_named(cluster: Cluster) -> None:
    """Without the permission to read the cause, the message names the permission, and what AWS says anyway."""
    cluster.cloud.formation.invalid["Workgroup"] = "The port is reserved."
    cluster.cloud.denied["cloudformation:DescribeEvents"] = ""
    ended = cluster("setup", "--yes")
    assert "AWS::EarlyValidation::PropertyValidation" in ended.err
    assert "You lack the permission cloudformation:DescribeEvents." in ended.err


@pytest.mark.ci
def test_capacity_that_the_region_lacks_is_reported(cluster: Cluster) -> None:
    """A capacity that AWS refuses is reported with its reason, and nothing is left."""
    before = cluster.cloud.everything()
    cluster.cloud.serverless.smallest_capacity = 8
    ended = cluster("setup", "--yes")
    assert ended.code == 1
    assert "Base capacity must be at least 8 RPUs." in ended.err
    assert cluster.cloud.everything() == before


@pytest.mark.ci
@pytest.mark.parametrize("action", ["s3:TagResource", "redshift:ResizeCluster"])
def test_denied_call_inside_the_stack_is_named(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    """A permission that CloudFormation needs for tags or a resize is named when it is missing."""
    monkeypatch.setenv("SPARKIFY_DWH_DWH_CLUSTER_TYPE", "multi-node")
    cluster.cloud.denied[action] = ""
    if action == "redshift:ResizeCluster":
        cluster.setup()
        monkeypatch.setenv("SPARKIFY_DWH_DWH_NUM_NODES", "4")
    ended = cluster("setup", "--yes")
    assert ended.code == 1
    assert f"You lack the permission {action}." in ended.err


@pytest.mark.ci
def test_rollback_that_leaves_something_is_not_called_clean(cluster: Cluster) -> None:
    """If a stack that failed cannot be deleted afterwards, setup does not say that nothing is left."""
    cluster.cloud.formation.fails["create", "Workgroup"] = REASON
    cluster.cloud.formation.fails["delete", ""] = REASON
    ended = cluster("setup", "--yes")
    assert ended.code == 1
    assert "nothing is left" not in ended.err
    assert "(DELETE_FAILED)" in ended.err


@pytest.mark.ci
def test_interrupted_computation_of_changes_shows_its_message(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while AWS computes the changes ends with exit code 130, although the change set cannot be deleted then."""
    cluster.setup()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stack, "_changes", interrupted)
    ended = cluster("setup", "--yes")
    assert ended.code == 130
    assert "Traceback" not in ended.err
