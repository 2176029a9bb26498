"""Run `sparkify cluster teardown`: delete the warehouse in AWS."""

import sys

try:
    from sparkify.cli.main import main
except ModuleNotFoundError as error:
    sys.exit(f"{error}. Run `make install` once, then .venv/bin/python redshift_cluster_teardown.py")

if __name__ == "__main__":
    sys.exit(main(["cluster", "teardown", *sys.argv[1:]]))
