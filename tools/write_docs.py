#!/usr/bin/env python3
"""Generate documentation from the SQL files: the data dictionary, the diagrams, and the sources of the dbt project.

    python tools/write_docs.py            updates outdated documents
    python tools/write_docs.py --check    lists outdated documents, and exits with 1 if there are any

A generated part of a document lies between ``<!-- begin: <part> -->`` and ``<!-- end: <part> -->``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb

from sparkify.sql import dictionary, loader, model

DOCS = Path(__file__).resolve().parent.parent


class Reference(NamedTuple):
    """A foreign key, which a check enforces because no engine does."""

    table: str
    column: str
    to: str
    may_be_null: bool = False


REFERENCES = (
    Reference("songplays", "user_id", "users"),
    Reference("songplays", "start_time", "time"),
    Reference("songplays", "track_id", "tracks"),
    Reference("songplays", "song_id", "songs", may_be_null=True),
    Reference("songplays", "artist_id", "artists", may_be_null=True),
    Reference("page_views", "user_id", "users", may_be_null=True),
    Reference("page_views", "start_time", "time"),
    Reference("tracks", "song_id", "songs", may_be_null=True),
    Reference("tracks", "artist_id", "artists", may_be_null=True),
    Reference("songs", "artist_id", "artists"),
)


def references_diagram() -> str:
    """Return a Mermaid diagram of the foreign keys between facts and dimensions."""
    lines = ["erDiagram"]
    for reference in REFERENCES:
        end = "o|" if reference.may_be_null else "||"
        lines.append(f"    {reference.table} }}o--{end} {reference.to} : {reference.column}")
    return _mermaid(lines)


def flow_diagram() -> str:
    """Return a Mermaid diagram of the tables that each statement in sql/transform reads."""
    lines = [
        "flowchart LR",
        '    songs_files(["song files"]) --> staging_songs',
        '    logs(["event logs"]) --> staging_events',
    ]
    for place, table in enumerate(model.ORDER):
        # A statement reads the state before the batch of its own table, and of tables filled later.
        left_out = {*model.ORDER[place:], "staging_files"}
        lines += [f"    {read} --> {table}" for read in _reads(f"transform/{table}") if read not in left_out]
    return _mermaid(lines)


def views_diagram() -> str:
    """Return a Mermaid diagram of the tables and views that each view reads."""
    lines = ["flowchart LR"]
    for view in model.VIEWS:
        lines += [f"    {read} --> {view}" for read in _reads(f"views/{view}")]
    lines += [
        f"    {table}[({table})]" for table in sorted({*model.ALL} & set(re.findall(r"(\w+) -->", "\n".join(lines))))
    ]
    return _mermaid(lines)


def _reads(name: str) -> list[str]:
    with duckdb.connect() as parser:
        tables = parser.get_table_names(loader.read(name, "duckdb"))
    return sorted({"staging_events" if table == "staged_events" else table for table in tables})


def _mermaid(lines: list[str]) -> str:
    return "\n".join(["```mermaid", *lines, "```"])


def data_dictionary() -> str:
    """Return a section for every table and view, with a table of its columns."""
    return "\n\n".join(_section(entry) for entry in dictionary.entries())


def _section(entry: dictionary.Entry) -> str:
    rows = [f"| `{column.name}` | {column.type} | {_cell(column.text)} |" for column in entry.columns]
    head = [
        f"## {entry.name}",
        "",
        f"*{entry.kind.capitalize()}.* {entry.text}",
        "",
        "| column | type | description |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def dbt_sources() -> str:
    """Return the tables and views as YAML sources of a dbt project (docs.getdbt.com/docs/build/sources)."""
    lines = [
        "# Written by tools/write_docs.py.",
        "version: 2",
        "sources:",
        "  - name: sparkify",
        "    description: The warehouse that `sparkify etl` fills.",
        "    schema: \"{{ env_var('SPARKIFY_WAREHOUSE_SCHEMA', 'main' if target.type == 'duckdb' else 'sparkify') }}\"",
        "    tables:",
    ]
    for name in (*model.FACTS, *model.DIMENSIONS, *model.VIEWS, "etl_files", "etl_runs", "rejected_records"):
        entry = dictionary.entry(name)
        lines += [f"      - name: {name}", f"        description: {_yaml(entry.text)}", "        columns:"]
        for column in entry.columns:
            lines += [f"          - name: {column.name}", f"            description: {_yaml(column.text)}"]
            if model.KEYS.get(name) == column.name:
                lines.append("            data_tests: [unique, not_null]")
    return "\n".join(lines) + "\n"


def _yaml(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "docs/architecture.md": {"flow": flow_diagram},
    "docs/data-dictionary.md": {
        "references": references_diagram,
        "views": views_diagram,
        "dictionary": data_dictionary,
    },
}
WHOLE: dict[str, Callable[[], str]] = {"docs/bi/dbt/models/sources.yml": dbt_sources}


def generated() -> Iterator[tuple[Path, str]]:
    """Yield the path of each document with its up-to-date text."""
    for name, parts in PARTS.items():
        text = (DOCS / name).read_text(encoding="utf-8")
        for part, write in parts.items():
            begin, end = f"<!-- begin: {part} -->", f"<!-- end: {part} -->"
            before, opened, rest = text.partition(begin)
            _, closed, after = rest.partition(end)
            if not (opened and closed):
                raise SystemExit(
                    f"{name}: the markers of part {part} are missing. Add {begin} and {end} where it belongs."
                )
            text = f"{before}{begin}\n{write()}\n{end}{after}"
        yield DOCS / name, text
    for name, write in WHOLE.items():
        yield DOCS / name, write()


def stale() -> list[tuple[Path, str]]:
    """Return the path of each outdated document with its up-to-date text."""
    return [(path, text) for path, text in generated() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main(arguments: list[str]) -> int:
    """Update outdated documents, or only list them with --check."""
    outdated = stale()
    for path, text in outdated:
        sys.stdout.write(f"{path.relative_to(DOCS)} {'is out of date' if arguments else 'was updated'}.\n")
        if not arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if outdated and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
