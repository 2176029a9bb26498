"""The commands of `sparkify cluster`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sparkify import formatting
from sparkify.cli.options import Commands, as_json, configuration, path
from sparkify.cli.output import confirmed, print_json, say

if TYPE_CHECKING:
    from sparkify.aws.cluster.leftovers import Leftovers
    from sparkify.aws.cluster.plan import Plan
    from sparkify.aws.cluster.stack import Change
    from sparkify.aws.cluster.status import ClusterStatus
    from sparkify.aws.cluster.teardown import Deletion
    from sparkify.config import Config


Print = Callable[[str], None]


def setup(options: argparse.Namespace) -> None:
    """Create the warehouse in AWS, or change it to match dwh.cfg."""
    from sparkify.aws.cluster import dwh_cfg, setup
    from sparkify.aws.cluster.plan import plan

    config = configuration(options)
    planned = plan(config, _allow_from(options, config), snapshot=options.from_snapshot)
    if options.dry_run:
        _show_plan(planned, print)
        say("No AWS account was used, and nothing was changed.")
        return

    def agree(planned: Plan, changes: Sequence[Change] | None) -> bool:
        if changes is None:
            _show_plan(planned, say)
            return confirmed("Set this up?", yes=options.yes)
        say(f"The stack {planned.stack} exists. Changes to match dwh.cfg:")
        for change in changes:
            say(_change(change))
        _show_cost(planned, say)
        return confirmed("Make these changes?", yes=options.yes)

    result = setup.setup(config, planned, say, agree)
    if result is None:
        return
    outputs = result.outputs
    ready = f"The warehouse {outputs.stack} is ready."
    print(ready if result.changed else f"Nothing to change: the warehouse {outputs.stack} matches dwh.cfg.")
    print(f"host      {outputs.host}\nport      {outputs.port}\ndatabase  {outputs.db}\nrole      {outputs.role_arn}")
    print(f"stage     {outputs.stage}\npassword  {outputs.secret_arn}")
    if options.write_config:
        path = config.path or Path("dwh.cfg")
        dwh_cfg.write_outputs(path, outputs, planned.allow_from)
        say(f"Filled in {path}: [CLUSTER], [IAM_ROLE] ARN, [S3] STAGE, [DWH] REGION and ALLOW_FROM.")
    if not planned.allow_from:
        say("Only hosts in its network can connect. `--allow-from me` lets you in.")
    say("Next: sparkify create-tables --warehouse redshift://\n      sparkify etl --warehouse redshift://")


def status(options: argparse.Namespace) -> None:
    """Show state, endpoint, capacity, age, cost so far and addresses that can connect."""
    from sparkify.aws.cluster import status

    found = status.read_status(configuration(options))
    if found.unlimited:
        unlimited = f"nothing limits the cost of {found.outputs.stack}"
        say(f"sparkify: {unlimited}. Run `sparkify cluster setup` to set the limit.")
    return print_json(asdict(found)) if options.json else _show_status(found)


def pause(options: argparse.Namespace) -> None:
    """Pause a provisioned cluster, so that its nodes cost nothing."""
    from sparkify.aws.cluster import status

    print(status.pause(configuration(options), say))


def resume(options: argparse.Namespace) -> None:
    """Resume a paused cluster."""
    from sparkify.aws.cluster import status

    print(status.resume(configuration(options), say))


def teardown(options: argparse.Namespace) -> int:
    """Delete everything that setup created, and list the leftovers."""
    from sparkify.aws.cluster import dwh_cfg, teardown
    from sparkify.aws.cluster.validation import stack_name

    config = configuration(options)

    def agree(deletion: Deletion) -> bool:
        if deletion.has_begun and not options.dry_run:
            return True
        _show_deletion(deletion)
        if options.dry_run:
            say("Nothing was changed.")
            return False
        return confirmed("Delete all of this?", yes=options.yes)

    result = teardown.teardown(config, say, agree, options.snapshot)
    if result is None:
        return 0
    for problem in result.problems:
        say(f"sparkify: {problem}")
    if not options.dry_run and dwh_cfg.clear(config.path, result.deleted):
        say(f"Removed the deleted warehouse from {config.path}.")
    _show_leftovers(stack_name(config.dwh), result.leftovers)
    return 1 if result.leftovers.left or result.leftovers.unknown or result.problems else 0


def _allow_from(options: argparse.Namespace, config: Config) -> str:
    """Return the addresses of the command line or else of dwh.cfg; a service of AWS resolves `me`."""
    from sparkify.aws.cluster import addresses

    text: str = config.dwh.allow_from if options.allow_from is None else options.allow_from
    if text.lower() != addresses.ME:
        return text
    address = addresses.mine()
    say(f"Your address is {address}, according to {addresses.ADDRESS_SERVICE}.")
    return address


def _show_plan(planned: Plan, line: Print) -> None:
    where = planned.region or "the region of your AWS profile"
    line(f"Stack {planned.stack}: {planned.capacity}, in {where}")
    for note in planned.notes:
        line(f"  {note}")
    if snapshot := planned.parameters["SnapshotName"]:
        line(f"  with the content of the snapshot {snapshot}")
    line("\nResources")
    for resource in planned.resources:
        line(f"  {resource.name:17} {resource.type.removeprefix('AWS::'):32} {resource.purpose}")
    if planned.rpu_hours:
        line(f"  {'(by the API)':17} {'RedshiftServerless usage limit':32} stops queries at the limit")
    line(f"  {'(by Redshift)':17} {'SecretsManager::Secret':32} administrator's password")
    if planned.password_is_ignored:
        line("  [DWH] DWH_DB_PASSWORD is not used: Secrets Manager generates the password.")
    line("\nPermissions of the warehouse's role")
    for permission in planned.policy:
        line(f"  {permission}")
    line("\nAddresses that can connect")
    line(f"  {planned.allow_from or 'none outside its network; --allow-from me lets you in'}")
    line("  over TLS only, with logins by IAM")
    _show_cost(planned, line)


def _show_cost(planned: Plan, line: Print) -> None:
    known = planned.prices
    line(f"\nCost in US dollars, at the prices of {known.as_of} in {known.region}")
    if planned.region and planned.region != known.region:
        line(f"  (there are none for {planned.region}: add them to a copy of")
        line("  prices.toml, and name it in [DWH] PRICES)")
    for label, (amount, components) in planned.costs.items():
        line(f"  {label:16} {amount:10,.2f}   {components}")
    if approximate := sorted(planned.price_names & known.approximate):
        line(f"  Approximate: {', '.join(approximate)}.")
    line(f"  {known.source}\n")


def _change(change: Change) -> str:
    action = {"Add": "add", "Modify": "change", "Remove": "remove"}.get(change.action, change.action.lower())
    properties = f" ({', '.join(change.properties)})" if change.properties else ""
    return f"  {action:7} {change.resource}{properties}{', perhaps replacing it' if change.replaces else ''}"


def _show_deletion(deletion: Deletion) -> None:
    say(f"The stack {deletion.stack} in {deletion.region}, with all its resources:")
    for member in deletion.members:
        say(f"  {member.name:17} {member.type.removeprefix('AWS::')}")
    say("Data that is deleted with it:")
    say(f"  the database {deletion.database}, with every table")
    if staged := deletion.staged:
        say(f"  the stage's {formatting.count(staged.objects, 'object')}, {formatting.size(staged.bytes)}")
    elif any(member.type == "AWS::S3::Bucket" for member in deletion.members):
        say("  the content of the stage, which you lack the permission to list")
    if deletion.snapshot:
        say(f"Kept: a final snapshot, {deletion.snapshot} (--no-snapshot for none).")
    else:
        say("No snapshot is taken (--snapshot for one).")


def _show_leftovers(stack: str, leftovers: Leftovers) -> None:
    for unknown in leftovers.unknown:
        say(f"sparkify: {unknown}")
    for kept in leftovers.kept:
        print(f"Kept on purpose: {kept}")
    if leftovers.left:
        print(f"Left of {stack}:")
        for left in leftovers.left:
            print(f"  {left}")
        say("sparkify: the leftovers may cost money. Run `sparkify cluster teardown` again.")
    elif leftovers.unknown:
        print(f"Nothing is known to be left of {stack}, but not everything could be checked.")
    else:
        print(f"Nothing is left of {stack}.")


def _show_status(found: ClusterStatus) -> None:
    outputs = found.outputs
    print(f"warehouse  {outputs.name}, {outputs.kind}, {found.state}")
    print(f"host       {outputs.host}")
    print(f"database   {outputs.db}, port {outputs.port}")
    print(f"capacity   {found.capacity}")
    print(f"created    {found.created:%Y-%m-%d %H:%M} UTC, {formatting.ago(found.age)}")
    if found.cost_so_far is None:
        print("cost       unknown:")
    else:
        print(f"cost       {found.cost_so_far:,.2f} US dollars so far, estimated, without storage:")
    print(f"           {found.cost_basis}")
    allowed = ", ".join(found.allowed) or "none"
    where = "over the internet" if found.public else "in its network; the endpoint is not public"
    print(f"allowed    {allowed}, {where}")
    print(f"role       {outputs.role_arn}")
    print(f"stage      {outputs.stage}")
    print(f"password   {outputs.secret_arn}")


def add_to(commands: Commands) -> None:
    """Add the commands to the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", type=path, metavar="FILE", help="configuration file (default: dwh.cfg, if it exists)"
    )
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    yes = argparse.ArgumentParser(add_help=False)
    yes.add_argument("--yes", action="store_true", help="do not ask")

    group = commands.add_group("cluster", "Set up, look after and tear down the warehouse in AWS.", "setup --dry-run")
    command = group.add("setup", setup, "--allow-from me", common, yes)
    command.add_argument("--dry-run", action="store_true", help="show resources, policy and cost; needs no AWS account")
    command.add_argument("--allow-from", metavar="CIDR", help="addresses that can connect: 198.51.100.7/32, or: me")
    command.add_argument("--from-snapshot", metavar="NAME", default="", help="begin with a snapshot that teardown kept")
    command.add_argument("--write-config", action="store_true", help="write endpoint, role and stage to dwh.cfg")
    group.add("status", status, "--json", common, as_json)
    group.add("pause", pause, "", common)
    group.add("resume", resume, "", common)
    command = group.add("teardown", teardown, "--no-snapshot", common, yes)
    command.add_argument("--dry-run", action="store_true", help="list what would be deleted, and change nothing")
    command.add_argument(
        "--snapshot",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="keep a final snapshot (default: for a provisioned cluster only)",
    )
