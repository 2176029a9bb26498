"""Run `sparkify create-tables`: drop all tables of the warehouse and create them again, empty."""

import sys

try:
    from sparkify.cli.main import main
except ModuleNotFoundError as error:
    sys.exit(f"{error}. Run `make install` once, then .venv/bin/python create_tables.py")

if __name__ == "__main__":
    sys.exit(main(["create-tables", *sys.argv[1:]]))
