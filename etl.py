"""Run `sparkify etl`: stage new and changed files, then transform them."""

import sys

try:
    from sparkify.__main__ import main
except ModuleNotFoundError as error:
    sys.exit(f"{error}. Run `make install` once, then .venv/bin/python etl.py")

if __name__ == "__main__":
    sys.exit(main(["etl", *sys.argv[1:]]))
