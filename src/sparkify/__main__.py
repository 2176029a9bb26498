"""The `sparkify` command, also available as `python -m sparkify`."""

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; Ctrl-C ends it without a traceback, even during the imports."""
    try:
        from sparkify.cli import main as command_line
    except KeyboardInterrupt:
        sys.stderr.write("sparkify: interrupted.\n")
        return 130
    try:
        code = command_line.main(arguments)
    except Exception:
        if "obstore" not in sys.modules:
            raise
        sys.excepthook(*sys.exc_info())
        code = 1
    if "obstore" in sys.modules:
        _end(code)
    return code


def _end(code: int) -> None:
    """End the process without finalizing the interpreter.

    A thread of obstore that still ends a failed request would abort the process then: one run in ten ended by SIGABRT.
    """
    from contextlib import suppress  # here, because Ctrl-C shows a traceback until `main` runs

    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader has gone
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
