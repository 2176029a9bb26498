"""A pseudo-terminal for the command line."""

from __future__ import annotations

import errno
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path


def on_terminal(*arguments: str, answer: str = "", columns: str = "80", stdout: Path | None = None) -> tuple[int, str]:
    """Run the command line on a terminal of 80 columns; return its exit code and the terminal's text.

    With `stdout`, standard output is written to that file, and the terminal shows standard error.
    """
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "COLUMNS": columns, "TERM": "xterm"}
    command = [sys.executable, "-m", "sparkify", *arguments]
    out = os.open(stdout, os.O_CREAT | os.O_WRONLY) if stdout else os.dup(theirs)
    with subprocess.Popen(command, stdin=theirs, stdout=out, stderr=theirs, env=environment) as process:
        os.close(out)
        os.close(theirs)
        os.write(ours, answer.encode())
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError as error:
            if error.errno != errno.EIO:  # Linux raises EIO once the other side has closed.
                raise
    os.close(ours)
    return process.returncode, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).replace("\r", "\n")
