"""The `sparkify` command, also available as `python -m sparkify`."""

import sys


def main() -> int:
    """Run the command line; Ctrl-C ends it without a traceback, even during the imports."""
    try:
        from sparkify.cli.main import main
    except KeyboardInterrupt:
        sys.stderr.write("sparkify: interrupted.\n")
        return 130
    return main()


if __name__ == "__main__":
    sys.exit(main())
