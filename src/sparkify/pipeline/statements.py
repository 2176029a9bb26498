"""The SQL of a run, for sql_queries.py: what fills the staging tables, and what they are transformed by."""

from sparkify.config import Config
from sparkify.pipeline import transform
from sparkify.sources.records import MAX_RECORD
from sparkify.sql import model
from sparkify.sql.quoting import literal, quoted
from sparkify.staging import validation
from sparkify.staging.contract import Contract, contracts
from sparkify.warehouse.connect import warehouse_class


def copy_tables(config: Config) -> list[str]:
    """Return the statements that fill the staging tables of the configured warehouse.

    On a server, they copy the rows that the reader has staged in the embedded database. On DuckDB, where the reader
    stages in the warehouse itself, they read clean files: a record that breaks the contract makes them fail.
    """
    copied = warehouse_class(config.warehouse_url).copy_statements(config)
    if copied:
        return copied
    judged = contracts(config.contract)
    return [*_read(judged["songs"], config.song_data), *_read(judged["events"], config.log_data)]


def _read(contract: Contract, root: str) -> tuple[str, str]:
    """Return the statements that stage the clean files of a folder: their names, then their records."""
    kind, pattern = contract.kind, literal(f"{root.rstrip('/')}/**/*.json*")
    types = ", ".join(f"'{field.name}': 'varchar'" for field in contract.fields)
    names = ", ".join(quoted(field.name) for field in contract.fields)
    position = ", row_number() over ()" if kind == "songs" else ""
    source = (
        f"read_json({pattern}, format = 'auto', filename = true, hive_partitioning = false,"
        f" maximum_object_size = {2 * MAX_RECORD}, columns = {{{types}}})"
    )
    return (
        "insert into staging_files\n"
        "select (select count(*) from staging_files) + row_number() over (order by file),"
        f" '{kind}', file, '', 0, false, 0\nfrom glob({pattern})",
        f"insert into {contract.table}\nselect {names}, files.file_id{position}, false"
        f"\nfrom ({validation.validated(contract, source, 'filename')}) as records"
        f"\njoin staging_files as files on files.path = records.filename and files.source = '{kind}'"
        "\nwhere case when problem is null then true else error(problem) end",
    )


def insert_tables(config: Config) -> list[str]:
    """Return the statements that add rows to catalogue, dimensions and facts, in execution order."""
    warehouse = warehouse_class(config.warehouse_url)
    return [statement for table in model.ORDER for statement in transform.statements(table, warehouse)]
