"""Validate the records of a spool one by one: slower than the fast path, and exact about each rejection."""

from __future__ import annotations

from sparkify.sql.quoting import quoted
from sparkify.staging import mojibake, validation
from sparkify.staging.contract import Contract, Type
from sparkify.staging.keys import Values, at_paths, by_name, unknown
from sparkify.staging.session import Session
from sparkify.staging.spool import Spool

# Accepted by DuckDB, but not by JSON's grammar (RFC 8259): a trailing comma, and a float such as NaN.
_NOT_JSON = r"(,\s*[\]}]|[:,\[]\s*-?[NnIi][aAnN][nNfF])"


def read(session: Session, spool: Spool, rules: Contract) -> None:
    """Stage the records of a spool that keep the contract, and reject the others with their reasons."""
    keys = _keys(session, spool)
    unknown_keys = session.findings.unknown_keys[rules.kind]
    if session.json_paths and rules.kind == "events":
        unknown_keys |= keys - {str(path.steps[0]) for path in session.json_paths}
        values = at_paths(rules, session.json_paths)
    else:
        unknown_keys |= unknown(keys, rules)
        values = by_name(rules, keys)
    total = session.changed(records_table(spool.records, rules, values))
    mojibake.repair_table(session, "records", rules)
    session.run(judged_table(rules))
    session.run("drop table records")
    staged = session.changed(insert_statement(rules))
    if staged < total:
        session.run(
            "insert into staging_rejects select file_id, line, problem, record"
            " from (select * from judged where problem is not null) as rejected"
            f" join (select position, record from {spool.records}) as spool on spool.position = rejected.position"
        )
    if spool.flawed:
        session.run(f"insert into staging_rejects select file_id, line, reason, record from {spool.flaws}")
    session.run("drop table judged")


def statements(rules: Contract, records: str) -> list[str]:
    """Return the statements that stage the records of a spool whose keys are spelled as in the contract."""
    return [records_table(records, rules, by_name(rules, set())), judged_table(rules), insert_statement(rules)]


def records_table(records: str, rules: Contract, values: Values) -> str:
    """Return the statement that creates the table of a spool's records: a text column per field, and `flaw`.

    `flaw` is the reason to reject a record that only its JSON shows, or null.
    """
    repeated = f"select keys from shapes where {values.repeated}"
    columns = ", ".join(
        f"{found} as {quoted(column.name)}" for column, found in zip(rules.fields, values.texts, strict=True)
    )
    odd = " ".join(
        f"when {validation.looks_odd(column)} and {kind} not in ('VARCHAR', 'NULL')"
        f" then '{column.name}: neither text nor a number'"
        for column, kind in zip(rules.fields, values.types, strict=True)
        if column.type is Type.TEXT
    )
    return (
        "create or replace temp table records as"
        " select * exclude (record), case when not valid then 'not valid JSON'"
        f" when json_keys(case when valid and exists ({repeated}) then record end) in ({repeated})"
        f" then 'a key is given twice' {odd} when {_is_not_json('record')} then 'not valid JSON' end as flaw"
        f" from (select file_id, line, position, record, valid, {columns}"
        f" from (select *, {values.extracted}"
        f" from (select *, json_valid(record) as valid from {records} as spool))) as records"
    )


def judged_table(rules: Contract) -> str:
    """Return the statement that creates the table of typed records, each with its `problem` or null.

    It is a table, not a view: DuckDB would compute the values again for each later use.
    """
    judged = validation.judge(rules, "records", "file_id", "line", "position", "valid", "flaw")
    return (
        "create or replace temp table judged as"
        f" select * replace (case when valid then coalesce(problem, flaw) else flaw end as problem) from ({judged})"
    )


def insert_statement(rules: Contract) -> str:
    """Return the statement that stages the records without a problem."""
    names = ", ".join(quoted(column.name) for column in rules.fields)
    position = "position, " if rules.kind == "songs" else ""
    return f"insert into {rules.table} select {names}, file_id, {position}false from judged where problem is null"


def _keys(session: Session, spool: Spool) -> set[str]:
    """Return every key of every record of a spool, and keep the sets of keys in the table shapes."""
    session.run(
        "create or replace temp table shapes as"
        f" select distinct json_keys(record) as keys from {spool.records} as spool where json_valid(record)"
    )
    return {key for (key,) in session.rows("select distinct unnest(keys) from shapes")}


def _is_not_json(record: str) -> str:
    """Return the SQL that tells whether a record is accepted by DuckDB, but is not valid JSON.

    Strings are emptied first, so that only the JSON around them is searched.
    """
    emptied = f"""regexp_replace({record}, '"(?:[^"\\\\]|\\\\.)*"', '""', 'g')"""
    return f"(regexp_matches({record}, '{_NOT_JSON}') and regexp_matches({emptied}, '{_NOT_JSON}'))"
