"""The commands of the cluster: set it up, look after it, tear it down."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sparkify import formatting
from sparkify.cli.options import Commands, as_json, path
from sparkify.cli.output import confirmed, print_json, say

if TYPE_CHECKING:
    from sparkify.aws.cluster.plan import Plan
    from sparkify.aws.cluster.remains import Remains
    from sparkify.aws.cluster.stack import Change
    from sparkify.aws.cluster.status import Status
    from sparkify.aws.cluster.teardown import Doomed
    from sparkify.config import Config


Print = Callable[[str], None]


def setup(options: argparse.Namespace) -> None:
    """Make the warehouse in AWS, or change it to what dwh.cfg now says."""
    from sparkify.aws.cluster import dwh_cfg, setup
    from sparkify.aws.cluster.plan import plan

    config = _configuration(options)
    planned = plan(config, _allow_from(options, config))
    if options.dry_run:
        _show_plan(planned, print)
        say("No AWS account was asked, and nothing was changed.")
        return

    def agree(planned: Plan, changes: Sequence[Change] | None) -> bool:
        if changes is None:
            _show_plan(planned, say)
            return confirmed("Set this up?", yes=options.yes)
        say(f"The stack {planned.stack} is there. To make it what dwh.cfg says:")
        for change in changes:
            say(_change(change))
        _show_cost(planned, say)
        return confirmed("Change this?", yes=options.yes)

    result = setup.setup(config, planned, say, agree)
    if result is None:
        return
    found = result.outputs
    print(f"The warehouse {found.stack} is ready." if result.changed else f"Nothing to change: {found.stack} stands.")
    print(f"host      {found.host}\nport      {found.port}\ndatabase  {found.db}\nrole      {found.role_arn}")
    print(f"stage     {found.stage}\npassword  {found.secret_arn}")
    if options.write_config:
        path = config.path or Path("dwh.cfg")
        dwh_cfg.fill_in(path, found, planned.allow_from)
        say(f"Filled in {path}: [CLUSTER], [IAM_ROLE] ARN, [S3] STAGE, [DWH] REGION and ALLOW_FROM.")
    if not planned.allow_from:
        say("Nobody outside its network can connect. `--allow-from me` lets you in.")
    say("Next: sparkify create-tables --warehouse redshift://\n      sparkify etl --warehouse redshift://")


def status(options: argparse.Namespace) -> None:
    """Show state, endpoint, capacity, age, cost so far and who may connect."""
    from sparkify.aws.cluster import status

    found = status.status(_configuration(options))
    if found.unlimited:
        unlimited = f"nothing limits what {found.outputs.stack} may cost"
        say(f"sparkify: {unlimited}. Run `sparkify cluster setup` to set the limit.")
    return print_json(asdict(found)) if options.json else _show_status(found)


def pause(options: argparse.Namespace) -> None:
    """Stop a provisioned cluster, and what its nodes cost."""
    from sparkify.aws.cluster import status

    print(status.pause(_configuration(options), say))


def resume(options: argparse.Namespace) -> None:
    """Start a paused cluster again."""
    from sparkify.aws.cluster import status

    print(status.resume(_configuration(options), say))


def teardown(options: argparse.Namespace) -> int:
    """Delete everything that setup made, and list what is left."""
    from sparkify.aws.cluster import dwh_cfg, teardown
    from sparkify.aws.cluster.validation import stack_name

    config = _configuration(options)

    def agree(doomed: Doomed) -> bool:
        _show_doomed(doomed)
        return confirmed("Delete all of this?", yes=options.yes)

    result = teardown.teardown(config, say, agree, options.snapshot)
    if result is None:
        return 0
    for problem in result.problems:
        say(f"sparkify: {problem}")
    if dwh_cfg.take_out(config.path, result.named):
        say(f"Took what named the warehouse out of {config.path}.")
    _show_remains(stack_name(config.dwh), result.remains)
    return 1 if result.remains.left or result.remains.unknown or result.problems else 0


def _configuration(options: argparse.Namespace) -> Config:
    from sparkify import config

    return config.load(options.config)


def _allow_from(options: argparse.Namespace, config: Config) -> str:
    """Return the addresses of the command line, else of dwh.cfg; who says `me` is asked for by AWS's own service."""
    from sparkify.aws.cluster import addresses

    text: str = config.dwh.allow_from if options.allow_from is None else options.allow_from
    if text.lower() != addresses.ME:
        return text
    address = addresses.mine()
    say(f"Your address is {address}, says {addresses.WHERE_TO_ASK}.")
    return address


def _show_plan(planned: Plan, line: Print) -> None:
    where = planned.region or "the region of your AWS profile"
    line(f"Stack {planned.stack}: {planned.capacity}, in {where}")
    line("\nResources")
    for resource in planned.resources:
        line(f"  {resource.name:17} {resource.type.removeprefix('AWS::'):32} {resource.purpose}")
    if planned.rpu_hours:
        line(f"  {'(by the API)':17} {'RedshiftServerless usage limit':32} stops queries at the limit")
    line(f"  {'(by Redshift)':17} {'SecretsManager::Secret':32} administrator's password")
    if planned.password_is_ignored:
        line("  [DWH] DWH_DB_PASSWORD is not used: Secrets Manager makes the password.")
    line("\nThe warehouse's role may")
    for words in planned.policy:
        line(f"  {words}")
    line("\nWho may connect")
    line(f"  {planned.allow_from or 'nobody from outside its network; --allow-from me lets you in'}")
    line("  by TLS only; logins are by IAM")
    _show_cost(planned, line)


def _show_cost(planned: Plan, line: Print) -> None:
    known, cost = planned.prices, planned.cost
    line(f"\nCost in US dollars, at {known.region}'s prices of {known.as_of}")
    if planned.region and planned.region != known.region:
        line(f"  (there are none for {planned.region}: add them to a copy of")
        line("  prices.toml, and name it in [DWH] PRICES)")
    for what, amount, why in (
        ("an hour of work", cost.hour, planned.hour_in_words),
        ("a day idle", cost.day_idle, planned.idle_in_words),
        ("a month", cost.month, planned.month_in_words),
        ("100 GB, a month", cost.storage, "storage in the warehouse, beside the above"),
    ):
        line(f"  {what:16} {amount:10,.2f}   {why}")
    if about := sorted(planned.priced & known.approximate):
        line(f"  About, for {', '.join(about)}.")
    line(f"  {known.source}\n")


def _change(change: Change) -> str:
    what = {"Add": "add", "Modify": "change", "Remove": "remove"}.get(change.action, change.action.lower())
    how = f" ({', '.join(change.properties)})" if change.properties else ""
    return f"  {what:7} {change.resource}{how}{', perhaps by a new one' if change.replaces else ''}"


def _show_doomed(doomed: Doomed) -> None:
    say(f"The stack {doomed.stack} in {doomed.region}, and all that is in it:")
    for member in doomed.members:
        say(f"  {member.name:17} {member.type.removeprefix('AWS::')}")
    say("Data that goes with it:")
    say(f"  the database {doomed.database}, with every table")
    if doomed.staged:
        say(
            f"  the stage's {formatting.count(doomed.staged.objects, 'object')}, {formatting.size(doomed.staged.bytes)}"
        )
    elif any(member.type == "AWS::S3::Bucket" for member in doomed.members):
        say("  whatever is in the stage: you may not list it")
    if doomed.snapshot:
        say(f"Kept: a final snapshot, {doomed.snapshot} (--no-snapshot for none).")
    else:
        say("No snapshot is taken (--snapshot for one).")


def _show_remains(stack: str, remains: Remains) -> None:
    for unknown in remains.unknown:
        say(f"sparkify: {unknown}")
    for kept in remains.kept:
        print(f"Kept on purpose: {kept}")
    if remains.left:
        print(f"Still there of {stack}:")
        for left in remains.left:
            print(f"  {left}")
        say("sparkify: not all is gone, and it may cost. Run `sparkify cluster teardown` again.")
    elif remains.unknown:
        print(f"Nothing is known to be left of {stack}, but not everything could be asked.")
    else:
        print(f"Nothing is left of {stack}.")


def _show_status(found: Status) -> None:
    outputs = found.outputs
    print(f"warehouse  {outputs.name}, {outputs.kind}, {found.state}")
    print(f"host       {outputs.host}")
    print(f"database   {outputs.db}, port {outputs.port}")
    print(f"capacity   {found.capacity}")
    print(f"made       {found.created:%Y-%m-%d %H:%M} UTC, {formatting.ago(found.age)}")
    if found.cost_so_far is None:
        print("cost       unknown:")
    else:
        print(f"cost       {found.cost_so_far:,.2f} US dollars so far, estimated, without storage:")
    print(f"           {found.cost_basis}")
    who = ", ".join(found.allowed) or "nobody"
    where = "over the internet" if found.public else "in its network; it has no address outside"
    print(f"connects   {who}, {where}")
    print(f"role       {outputs.role_arn}")
    print(f"stage      {outputs.stage}")
    print(f"password   {outputs.secret_arn}")


def add_to(commands: Commands) -> None:
    """Add the group of commands of this module."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", type=path, metavar="FILE", help="configuration (default: dwh.cfg here, if there is one)"
    )
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    yes = argparse.ArgumentParser(add_help=False)
    yes.add_argument("--yes", action="store_true", help="do not ask")

    group = commands.add_group("cluster", "Set up, look after and tear down the warehouse in AWS.", "setup --dry-run")
    made = group.add("setup", setup, "--allow-from me", common, yes)
    made.add_argument("--dry-run", action="store_true", help="show resources, policy and cost; needs no AWS account")
    made.add_argument("--allow-from", metavar="CIDR", help="who may connect, such as 198.51.100.7/32, or: me")
    made.add_argument("--write-config", action="store_true", help="fill dwh.cfg in with endpoint, role and stage")
    group.add("status", status, "--json", common, as_json)
    group.add("pause", pause, "", common)
    group.add("resume", resume, "", common)
    made = group.add("teardown", teardown, "--no-snapshot", common, yes)
    made.add_argument(
        "--snapshot",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="keep a final snapshot (default: of a provisioned cluster only)",
    )
