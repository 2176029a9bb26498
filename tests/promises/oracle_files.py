"""The files of the sources split into records, by the rules of the documentation and without product code."""

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["events", "songs"]
Pairs = list[tuple[str, Any]]
LONGEST_RECORD = 4_194_304  # bytes
BOM = b"\xef\xbb\xbf"
WHITESPACE = " \t\r\n\v\f"
BLANK = re.compile(f"[{WHITESPACE}\ufeff]*")  # a byte order mark too: files are concatenated
STRING_OR_BRACKET = re.compile(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|[][{}"]')
SEVERAL = re.compile(f"}}[{WHITESPACE}\ufeff]*{{")
SCALAR = re.compile(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|[^\s,\[\]{}"]+', re.ASCII)
NOT_UTF8 = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8, as the error handler "surrogateescape" reads them


@dataclass(frozen=True)
class Delivered:
    """One file as a run finds it. The same path with the same content as before counts as already loaded."""

    kind: Kind
    path: str  # below the folder of its kind
    content: bytes


class Number(str):
    """A JSON number, as written."""


def is_skipped(path: str) -> bool:
    """Return whether a file is not read: by its suffix, or because a name in its path begins with . or _."""
    hidden = any(name.startswith((".", "_")) for name in path.split("/"))
    return hidden or not path.removesuffix(".gz").endswith((".json", ".jsonl", ".ndjson"))


def records(file: Delivered) -> Iterator[tuple[int, Pairs | None]]:
    """Yield the line and the pairs of each object in a file, and None for each piece that is not a readable object."""
    content = gzip.decompress(file.content) if file.content.startswith(b"\x1f\x8b") else file.content
    text = content.removeprefix(BOM).decode("utf-8", "surrogateescape")
    line, end = 1, 0
    while True:
        start = skip_blank(text, end)
        line += text.count("\n", end, start)
        if start == len(text):
            return
        found = elements(text, start) if text[start] == "[" else pieces(text, start)
        for at, pairs, end in found:  # noqa: B007 (the last end is where all end)
            if at is not None:
                yield line + text.count("\n", start, at), pairs
        line += text.count("\n", start, end)


def elements(text: str, start: int) -> Iterator[tuple[int | None, Pairs | None, int]]:
    """Yield where each element of the array at `start` begins, its pairs, and where it ends; last the array's end.

    An element that is not an object has no pairs. A comma without an element, the text from a fault to the next line
    that begins with a brace, and an array without an end (unless it has another fault) count as such elements. Behind
    an element without a comma, a line that begins with a brace ends the array.
    """
    end, before, is_faulty = start + 1, "[", False
    while (at := skip_blank(text, end)) < len(text):
        mark = text[at]
        if mark == "]":
            if before == ",":
                yield at, None, at
            yield None, None, at + 1
            return
        if mark == ",":
            if before != "element":
                is_faulty = True
                yield at, None, at + 1
            end, before = at + 1, ","
            continue
        if before == "element" and mark == "{" and begins_its_line(text, at):
            break
        pairs, stop = (None, None) if before == "element" else element(text, at)
        if stop is None:
            is_faulty, end, before = True, min(find(text, "\n{", at) + 1, len(text)), "fault"
            yield from ((place, found, end) for place, found in faulty(text, at, end))
        else:
            end, before = stop, "element"
            yield at, pairs, end
    if not is_faulty:
        yield start, None, at
    yield None, None, at


def faulty(text: str, start: int, stop: int) -> Iterator[tuple[int, Pairs | None]]:
    """Yield the lines of a faulty text that look like a whole object, and None for each stretch between them."""
    is_open = False
    for line in re.findall(r"[^\n]*\n|[^\n]+", text[start:stop]):
        whole = line.strip(WHITESPACE)
        if looks_whole(whole):
            yield start, decoded(whole)
            is_open = False
        elif whole and not is_open:
            yield start, None
            is_open = True
        start += len(line)


def element(text: str, start: int) -> tuple[Pairs | None, int | None]:
    """Read the element of an array at `start`: its pairs if it is an object, and where it ends; None if nowhere."""
    if text[start] not in "{[":
        scalar = SCALAR.match(text, start)
        return None, scalar.end() if scalar and size(scalar[0]) <= LONGEST_RECORD else None
    end = closing_bracket(text, start, find(text, "\n{", start))
    return (decoded(text[start:end]) if end is not None and text[start] == "{" else None), end


def pieces(text: str, start: int) -> Iterator[tuple[int | None, Pairs | None, int]]:
    """Yield where each piece begins that the text at `start` makes, outside of arrays; its pairs; and where all end.

    A piece that does not begin with a brace ends with its line. A line that begins and ends with braces is one piece,
    unless it holds several objects or is too long for a record. Any other object ends at its closing brace. It is
    broken if that is missing before the next line that begins with a brace.
    """
    line_end = find(text, "\n", start)
    line = text[start:line_end].rstrip(WHITESPACE)
    if text[start] != "{":
        yield start, None, line_end
    elif looks_whole(line) and begins_its_line(text, start) and size(text[start:line_end]) <= LONGEST_RECORD:
        end = start + len(line)
        yield start, decoded(text[start:end]), end
    else:
        next_object = find(text, "\n{", start)
        closed = closing_bracket(text, start, next_object)
        if closed is None:
            yield from ((at, pairs, next_object) for at, pairs in faulty(text, start, next_object))
        else:
            yield start, decoded(text[start:closed]), closed


def begins_its_line(text: str, start: int) -> bool:
    """Return whether only blanks are before `start` on its line."""
    return not text[text.rfind("\n", 0, start) + 1 : start].strip(WHITESPACE + "\ufeff")


def looks_whole(line: str) -> bool:
    """Return whether a line begins and ends with braces, and does not hold several objects."""
    return line.startswith("{") and line.endswith("}") and not SEVERAL.search(line)


def size(text: str) -> int:
    """Return the number of bytes of a text."""
    return len(text.encode("utf-8", "surrogateescape"))


def decoded(record: str) -> Pairs | None:
    """Return the pairs of an object, or None if it is too long or not valid JSON in UTF-8."""
    if NOT_UTF8.search(record) or size(record) > LONGEST_RECORD:
        return None
    try:
        pairs: Pairs = JSON.decode(record)
    except (ValueError, RecursionError):
        return None
    return pairs


def closing_bracket(text: str, start: int, stop: int) -> int | None:
    """Return where the object or array at `start` ends, counting brackets outside strings; else None."""
    depth = 0
    for token in STRING_OR_BRACKET.finditer(text, start, stop):
        if token[0] == '"':
            return None  # The line ends inside a string.
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return None


def find(text: str, wanted: str, start: int) -> int:
    """Return where `wanted` occurs next, or the end of the text."""
    found = text.find(wanted, start)
    return len(text) if found < 0 else found


def skip_blank(text: str, start: int) -> int:
    """Return where the next character that is not whitespace is."""
    blank = BLANK.match(text, start)
    return blank.end() if blank else start


def reject_constant(name: str) -> None:
    """Reject NaN, Infinity and -Infinity, which are not JSON."""
    raise ValueError(name)


JSON = json.JSONDecoder(
    object_pairs_hook=list, parse_int=Number, parse_float=Number, parse_constant=reject_constant, strict=True
)
