"""What a whole process costs: wall time, processor time and peak memory, of it and of all that it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_INTERVAL = 0.05  # seconds between two looks at the memory of processes that start others
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A process that was to be measured ended with an error."""


@dataclass(frozen=True)
class Cost:
    """What one run of a command took."""

    seconds: float  # from start to end
    processor: float  # seconds of all cores, in user and kernel mode
    peak: int  # bytes resident at once: of the process alone, or the largest sum over it and those it started


def measure(command: Sequence[str], *, folder: Path, environment: dict[str, str] | None = None) -> Cost:
    """Run a command in a folder and wait for its end; raise Failed, with what it said, if it fails.

    The kernel keeps the peak of a single process (``ru_maxrss``, getrusage(2)): at least what this one had when
    it started it. Of several at a time, such as Spark's Python and its JVM, the sum is sampled from /proc, 20 times a
    second; pages that they share count twice.
    """
    os.sync()  # what the turn before has left to write is not this one's
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        with subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        ) as process:
            sampler = _Sampler(process.pid)
            sampler.start()
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except KeyboardInterrupt:  # which a session of its own does not hear of
                os.killpg(process.pid, signal.SIGKILL)
                raise
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        sampler.stop()
        if process.returncode:
            said.seek(0)
            tail = said.read()[-2000:].decode(errors="replace").strip()
            raise Failed(f"{' '.join(command[:4])} … ended with {process.returncode}:\n{tail}")
    processor = max(usage.ru_utime + usage.ru_stime, sampler.processor)
    return Cost(seconds, processor, max(usage.ru_maxrss * 1024, sampler.peak))


class _Sampler(threading.Thread):
    """Looks at all processes of a session until told to stop."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._session = session
        self._ticks: dict[str, int] = {}  # process → its processor time when last seen
        self._ended = threading.Event()

    @property
    def processor(self) -> float:
        """Seconds of processor time of all that was seen."""
        return sum(self._ticks.values()) / _TICK

    def run(self) -> None:
        while not self._ended.wait(_INTERVAL):
            self.peak = max(self.peak, sum(self._look()))

    def stop(self) -> None:
        """Stop, and wait for that."""
        self._ended.set()
        self.join()

    def _look(self) -> list[int]:
        """Return the resident bytes of each process of the session."""
        sizes = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    stat = (folder / "stat").read_text()
                except OSError:  # it has ended
                    continue
                # After the name in brackets: state, parent, group, session, … (proc_pid_stat(5)).
                fields = stat.rpartition(")")[2].split()
                if int(fields[3]) == self._session:
                    self._ticks[folder.name] = int(fields[11]) + int(fields[12])
                    sizes.append(int(fields[21]) * _PAGE)
        return sizes
