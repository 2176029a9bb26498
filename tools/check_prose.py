"""Check that comments, docstrings, messages and pages are plain technical English: `make lint` runs it.

Each rule is a phrase that reads like a translation, and what to write instead. The check searches the comments and
strings of Python files, the comments of SQL files, and all of other files.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

RULES = {
    r"(?<!there )\bis no (?!longer\b|more\b|less\b)": "is not a …",
    r"\b(?:may|might) not be (?:had|read|written)\b": "cannot be …",
    r"\bcan(?:not)? be had\b": "is (not) available",
    r"\bwithout a word\b": "silently",
    r"\bsomebody(?:'s| else\b)": "another user's, someone else",
    r"\banew\b": "again",
    r"\bplainly\b": "drop it, or say how",
    r"\bstands (?!for\b|alone\b)": "is, is stored",
    r"\bas it (?:is|stands)\b": "unchanged",
    r"\b(?:held|holds?) against\b": "compare with",
    r"\bby itself\b": "alone, automatically",
    r"\bmeanwhile\b": "at the same time, since then",
    r"\bwhat (?:became|becomes) of\b": "the result of",
    r"\btold\b": "reported, asked",
    r"\bthat which\b|\bof who\b|\bfor who\b|\bby who\b": "name the subject",
    r"\bnone of ours\b|\bnot one of ours\b": "not created by sparkify",
}
"""Phrase → what to write instead."""

OPENINGS = ("Say", "Tell", "Give", "Hear", "Let", "Note")
"""Verbs that do not begin a docstring: Return, Yield, Raise, Read, Write, Build, Set … do."""

SEARCHED = {".md", ".py", ".sql", ".cfg", ".toml", ".yaml", ".yml", ".j2", ".js", ".css", ""}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the text that people read in a file, with the number of its first line."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(content).readline):
            if token.type in (tokenize.COMMENT, tokenize.STRING):
                yield token.start[0], token.string
    elif path.suffix == ".sql":
        for number, line in enumerate(content.splitlines(), start=1):
            if "--" in line:
                yield number, line.partition("--")[2]
    else:
        yield 1, content


def openings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and first word of each docstring of a Python file."""
    documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text.split(maxsplit=1)[0]


def faults(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the description of each phrase of a file that breaks a rule."""
    for first, text in texts(path):
        for phrase, instead in RULES.items():
            for found in re.finditer(phrase, text, re.IGNORECASE):
                yield first + text.count("\n", 0, found.start()), f"{found[0].strip()!r}. Write: {instead}"
    if path.suffix == ".py":
        for line, word in openings(path):
            if word in OPENINGS:
                yield line, f"a docstring that begins with {word!r}. Write: Return, Raise, Write, Build, Set …"


def _unhidden(folder: Path) -> list[Path]:
    paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return [found for path in paths for found in (_unhidden(path) if path.is_dir() else [path])]


def main() -> int:
    """Print every fault, as file:line; return 1 if there is one."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    paths = [ROOT / name for name in listed.split("\0") if name] or _unhidden(ROOT)  # an archive has no index
    found = [
        f"{path.relative_to(ROOT)}:{line}: {fault}"
        for path in sorted(paths)
        if path.suffix in SEARCHED and path != Path(__file__) and path.name != "LICENSE" and path.is_file()
        for line, fault in sorted(faults(path))
    ]
    sys.stdout.write("".join(f"{line}\n" for line in found) or "Prose: no phrase of the list was found.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
