"""Print the SQL of the configured warehouse, in the four lists of the original project: drop, create, copy, insert."""

import sys

try:
    from sparkify import config
    from sparkify.cli.output import printing
    from sparkify.errors import SparkifyError
    from sparkify.pipeline import statements
    from sparkify.sql import ddl
    from sparkify.warehouse.connect import warehouse_class
except ModuleNotFoundError as error:
    sys.exit(f"{error}. Run `make install` once, then .venv/bin/python sql_queries.py")

try:
    settings = config.load()
    create_table_queries = ddl.create_statements(warehouse_class(settings.warehouse_url).engine)
    drop_table_queries = ddl.drop_statements()
    copy_table_queries = statements.copy_tables(settings)
    insert_table_queries = statements.insert_tables(settings)
    if __name__ == "__main__":
        queries = [*drop_table_queries, *create_table_queries, *copy_table_queries, *insert_table_queries]
        with printing():
            print(*queries, sep=";\n\n", end=";\n")
except SparkifyError as error:
    if __name__ != "__main__":
        raise
    print(f"sql_queries.py: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
