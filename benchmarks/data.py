"""The input data: generated once by `sparkify generate`, kept in the scratch folder, then cut or broken on request."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

EVENTS = 4_000_000
SONGS = 100_000
DAYS = 60
NEW_DAYS = 7  # the days that follow DAYS
_EVENTS_A_USER_AND_DAY = 2.8  # the rate of `sparkify generate`


@dataclass(frozen=True)
class Delivery:
    """A folder of logs and a folder of song files."""

    logs: Path
    songs: Path


class Source:
    """Generates deliveries in a scratch folder, once for each set of parameters."""

    def __init__(self, scratch: Path, *, scale: float, days: int = DAYS) -> None:
        self.scale = scale
        self.days = days
        self._folder = scratch / "data"
        self.empty = self._once("empty", lambda folder: folder.mkdir())

    @property
    def songs(self) -> int:
        """The number of songs in the catalogue of the large set."""
        return round(SONGS * self.scale)

    def large(self, *, dirty: float = 0.0) -> Delivery:
        """Return the large set: `days` log files, one file per song, and `dirty` as the share of dirty records."""
        if dirty:
            return self._generated(EVENTS * self.scale, self.songs, self.days, dirty)
        return Delivery(self.first_days(self.days), self._all().songs)

    def logs(self, times: float) -> Path:
        """Return as many log files as in the large set, with `times` as many events, from a separate catalogue."""
        return self._generated(EVENTS * self.scale * times, 1_000, self.days).logs

    def small(self, events: int) -> Delivery:
        """Return a set of about this many events at any scale, with songs in proportion."""
        return self._generated(events, events * SONGS // EVENTS, self.days)

    def catalogue(self, songs: int) -> Path:
        """Return a folder of this many one-song files."""
        return self._generated(0, songs, 0).songs

    def first_days(self, days: int) -> Path:
        """Return a folder of the first days of the large set."""
        return self._once(f"{self._name}-first-{days}", lambda folder: _link(self._days()[:days], folder))

    def next_days(self, days: int) -> Path:
        """Return a folder of the days after those of the large set, at most NEW_DAYS."""
        chosen = self._days()[self.days : self.days + days]
        return self._once(f"{self._name}-next-{days}", lambda folder: _link(chosen, folder))

    def renamed_days(self, days: int) -> Path:
        """Return a folder of the first days of the large set, under other file names."""
        chosen = self._days()[:days]
        return self._once(f"{self._name}-renamed-{days}", lambda folder: _link(chosen, folder, "again-"))

    def joined(self, songs: Path) -> Path:
        """Join a folder of one-song files into one file with a song per line; return its path."""

        def join(folder: Path) -> None:
            folder.mkdir()
            with (folder / "songs.json").open("wb") as file:
                file.writelines(path.read_bytes() + b"\n" for path in files_of(songs))

        return self._once(f"{songs.parent.name}-joined", join) / "songs.json"

    def broken(self, logs: Path, how: str) -> Path:
        """Return logs with lines cut in half: `how` is a key of BREAKS."""

        def write(folder: Path) -> None:
            folder.mkdir()
            for path in files_of(logs):
                (folder / path.name).write_bytes(b"\n".join(BREAKS[how](path.read_bytes().split(b"\n"))))

        return self._once(f"{logs.parent.name}-{logs.name}-{how}", write)

    @property
    def _name(self) -> str:
        return self._all().logs.parent.name

    def _all(self) -> Delivery:
        return self._generated(EVENTS * self.scale, self.songs, self.days + NEW_DAYS)

    def _days(self) -> list[Path]:
        return files_of(self._all().logs)

    def _generated(self, events: float, songs: int, days: int, dirty: float = 0.0) -> Delivery:
        users = max(1, round(events / self.days / _EVENTS_A_USER_AND_DAY)) if events else 0
        parameters = {"users": users, "days": days, "songs": songs, "seed": 1, "dirty": dirty}
        options = [text for name, value in parameters.items() for text in (f"--{name}", str(value))]

        def generate(folder: Path) -> None:
            command = [sys.executable, "-m", "sparkify", "generate", "--out", str(folder), *options]
            subprocess.run(command, check=True, capture_output=True)

        made = self._once("-".join(f"{name}{value}" for name, value in parameters.items()), generate)
        return Delivery(made / "log_data", made / "song_data")

    def _once(self, name: str, make: Callable[[Path], None]) -> Path:
        """Make a folder if it does not exist; replace one that was interrupted."""
        folder = self._folder / name
        if not folder.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished = folder.with_name(f"{name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(folder)
        return folder


def files_of(folder: Path) -> list[Path]:
    """Return the files below a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _link(files: list[Path], folder: Path, prefix: str = "") -> None:
    folder.mkdir()
    for path in files:
        os.link(path, folder / f"{prefix}{path.name}")


def _half(line: bytes) -> bytes:
    return line[: len(line) // 2]


def _some_bad_lines(lines: list[bytes]) -> Iterator[bytes]:
    """Yield the lines, and after one in a hundred a bad line, at random but reproducible places."""
    draw = random.Random(len(lines)).random
    for line in lines:
        yield line
        if draw() < 0.01:
            yield _half(line)


def _one_bad_line(lines: list[bytes]) -> list[bytes]:
    middle = len(lines) // 2
    return [*lines[:middle], _half(lines[middle]), *lines[middle:]]


def _only_bad_lines(lines: list[bytes]) -> list[bytes]:
    return [_half(line) for line in lines]


BREAKS: dict[str, Callable[[list[bytes]], Iterator[bytes] | list[bytes]]] = {
    "1-percent": _some_bad_lines,
    "one-line": _one_bad_line,
    "every-line": _only_bad_lines,
}
"""Ways to break a log file; the first two leave the good lines unchanged."""
