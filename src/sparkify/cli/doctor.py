"""The command that examines what a run depends on: doctor."""

from __future__ import annotations

import argparse
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from sparkify.cli.options import Commands, as_json, configuration, shared, source_folders
from sparkify.cli.output import print_json, printable
from sparkify.cli.progress import Narrator

if TYPE_CHECKING:
    from sparkify.pipeline.doctor import Finding


def doctor(options: argparse.Namespace) -> int:
    """Examine sources, machine and warehouse, and say what to do before the first run."""
    from sparkify.filesystem import scratch_folder
    from sparkify.pipeline import doctor
    from sparkify.sample_data.generate import generate

    config = configuration(options)
    findings = []
    for finding in doctor.examine(config):
        findings.append(finding)
        _print(finding, options)
    if options.load:
        with scratch_folder() as folder, Narrator() as narrator:
            generate(Path(folder), users=8, days=9, songs=20, dirty=0.05)
            findings.append(doctor.try_load(config, Path(folder), narrator))
        _print(findings[-1], options)
    if options.json:
        print_json([finding._asdict() for finding in findings])
    return int(not all(finding.is_ok for finding in findings))


def _print(finding: Finding, options: argparse.Namespace) -> None:
    if options.json:
        return
    lines = [printable(line) for line in finding.detail.splitlines()]
    print(f"{'ok' if finding.is_ok else 'FAILED':6}  {finding.subject:16}  {lines[0]}")
    for line in lines[1:]:
        print(indent(line, " " * 26))


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("doctor", doctor, "--load", shared, as_json, source_folders)
    parser.add_argument(
        "--load", action="store_true", help="load 200 generated records into a schema of its own, compare, and drop it"
    )
