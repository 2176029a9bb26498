"""The documentation names files that exist, and tests stay short enough to read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.realdata import REPOSITORY

PACKAGE = REPOSITORY / "src" / "sparkify"
LONGEST = 500  # lines
FOLDERS = {path.name for path in REPOSITORY.iterdir() if path.is_dir()}
SUFFIX = re.compile(r"[\w/-]*\w\.(cfg|css|j2|js|md|py|sql|toml|yaml)")


def code_spans(text: str) -> list[str]:
    """Return the code spans of a page, without those in blocks of code."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def links(text: str) -> list[str]:
    """Return the targets of the relative links of a page, without fragments."""
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    return [target for target in targets if not re.match(r"\w+:", target)]


def test_paths_in_the_architecture_exist() -> None:
    """Every path that docs/architecture.md names exists, in the package or in the repository."""
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    paths = [span for span in code_spans(text) if re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", span)]
    paths = [path for path in paths if "/" in path or SUFFIX.fullmatch(path)]
    assert "## Where to change what" in text
    assert len(paths) > 20
    assert [path for path in paths if not (PACKAGE / path).exists() and not (REPOSITORY / path).exists()] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md", "docs/architecture.md"])
def test_paths_in_a_page_exist(page: str) -> None:
    """Every relative link, and every path below a folder of the repository, leads to a file or folder."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    named = [span for span in code_spans(text) if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", span)]
    paths = {REPOSITORY / span for span in named if span.partition("/")[0] in FOLDERS}
    paths |= {(REPOSITORY / page).parent / target for target in links(text)}
    assert sorted(str(path) for path in paths if not path.exists()) == []


def test_no_file_of_tests_is_too_long() -> None:
    """No file of the tests has more than 500 lines."""
    files = Path(REPOSITORY / "tests").rglob("*.py")
    assert [path.name for path in files if path.read_text(encoding="utf-8").count("\n") > LONGEST] == []
