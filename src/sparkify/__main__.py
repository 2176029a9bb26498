"""The `sparkify` command, which `python -m sparkify` is too."""

import sys


def main() -> int:
    """Run the command line; Ctrl-C ends it without a traceback even while its modules are loaded."""
    try:
        from sparkify.cli.main import main
    except KeyboardInterrupt:
        sys.stderr.write("sparkify: interrupted.\n")
        return 130
    return main()


if __name__ == "__main__":
    sys.exit(main())
