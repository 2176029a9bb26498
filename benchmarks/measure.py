"""Measure the cost of a whole process and its children: wall time, processor time and peak memory."""

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

_INTERVAL = 0.05  # seconds between two samples of the memory of a process tree
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """The measured process ended with an error."""


@dataclass(frozen=True)
class Cost:
    """The cost of one run of a command."""

    seconds: float  # from start to end
    processor: float  # seconds of all cores, in user and kernel mode
    peak: int  # resident bytes: of the process alone, or the largest sum over the process tree


def measure(command: Sequence[str], *, folder: Path, environment: dict[str, str] | None = None) -> Cost:
    """Run a command in a folder and wait for its end; raise Failed with its output if it fails.

    The kernel records the peak of a single process (``ru_maxrss``, getrusage(2)), which is never below this process's
    size when it started the child. For several processes at once, such as Spark's Python and its JVM, the sum is
    sampled from /proc 20 times a second; shared pages count twice.
    """
    os.sync()  # the previous turn's pending writes must not count
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
            except KeyboardInterrupt:  # does not reach a process in its own session
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
    """Samples all processes of a session until stopped."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._session = session
        self._ticks: dict[str, int] = {}  # process → its processor time when last seen
        self._ended = threading.Event()

    @property
    def processor(self) -> float:
        """The processor time of all observed processes, in seconds."""
        return sum(self._ticks.values()) / _TICK

    def run(self) -> None:
        while not self._ended.wait(_INTERVAL):
            self.peak = max(self.peak, sum(self._look()))

    def stop(self) -> None:
        """Stop the thread and wait for its end."""
        self._ended.set()
        self.join()

    def _look(self) -> list[int]:
        """Return the resident bytes of each process of the session."""
        sizes = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    stat = (folder / "stat").read_text()
                except OSError:  # the process has ended
                    continue
                # After the name in brackets: state, parent, group, session, … (proc_pid_stat(5)).
                fields = stat.rpartition(")")[2].split()
                if int(fields[3]) == self._session:
                    self._ticks[folder.name] = int(fields[11]) + int(fields[12])
                    sizes.append(int(fields[21]) * _PAGE)
        return sizes
