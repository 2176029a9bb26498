"""All SQL of the warehouse, in the four lists of the original design, as the configured warehouse gets it."""

import sys

try:
    from sparkify import config, statements
    from sparkify.cli.terminal import printing
    from sparkify.errors import SparkifyError
except ModuleNotFoundError as error:
    sys.exit(f"{error}. Run `make install` once, then .venv/bin/python sql_queries.py")

try:
    settings = config.load()
    create_table_queries = statements.create_tables(settings)
    drop_table_queries = statements.drop_tables()
    copy_table_queries = statements.copy_tables(settings)
    insert_table_queries = statements.insert_tables(settings)
    if __name__ == "__main__":
        everything = [*drop_table_queries, *create_table_queries, *copy_table_queries, *insert_table_queries]
        with printing():
            print(*everything, sep=";\n\n", end=";\n")
except SparkifyError as error:
    if __name__ != "__main__":
        raise
    print(f"sql_queries.py: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
