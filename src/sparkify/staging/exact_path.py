"""The exact path: validate the records of a spool one by one, and name the reason of each rejection."""

from sparkify.sql.quoting import quoted
from sparkify.staging import extraction, mojibake, validation
from sparkify.staging.contract import Contract, Type
from sparkify.staging.extraction import Extraction
from sparkify.staging.session import Session, UnknownKey
from sparkify.staging.spool import Spool

# DuckDB accepts a trailing comma and floats such as NaN; the JSON grammar does not (RFC 8259).
_NOT_JSON = r"(,\s*[\]}]|[:,\[]\s*-?[NnIi][aAnN][nNfF])"


def read(session: Session, spool: Spool, contract: Contract) -> None:
    """Stage the records of a spool that fulfil the contract; reject the others with their reasons."""
    keys = _keys(session, spool)
    if session.json_paths and contract.kind == "events":
        unknown = set(keys) - {str(path.steps[0]) for path in session.json_paths}
        fields = extraction.by_path(contract, session.json_paths)
    else:
        unknown = extraction.unknown_keys(set(keys), contract)
        fields = extraction.by_key(contract, set(keys))
    found = session.findings.unknown_keys[contract.kind]
    for key in unknown:
        records, file = keys[key]
        in_sample = found.get(key, UnknownKey(0, file))
        found[key] = UnknownKey(max(records, in_sample.records), min(file, in_sample.first_file))
    total = session.changed(_create_records(spool.records, contract, fields))
    mojibake.repair_table(session, "records", contract)
    session.run(_create_validated(contract))
    session.run("drop table records")
    staged = session.changed(_insert(contract))
    for field in contract.fields:
        if field.plausible:
            [(number,)] = session.rows(
                f"select count(*) from validated where problem is null and {validation.implausible(field)}"
            )
            session.findings.implausible[field.name] += number
    if staged < total:
        session.run(
            "insert into staging_rejects select file_id, line, problem, record"
            " from (select * from validated where problem is not null) as rejected"
            f" join (select position, record from {spool.records}) as spool on spool.position = rejected.position"
        )
    if spool.malformed_count:
        session.run(f"insert into staging_rejects select file_id, line, problem, record from {spool.malformed}")
    session.run("drop table validated")


def _keys(session: Session, spool: Spool) -> dict[str, tuple[int, str]]:
    """Return the keys of a spool's records, counted; create the table `shapes` of the distinct sets of keys."""
    session.run(
        "create or replace temp table shapes as"
        " select json_keys(record) as keys, count(*) as records, min(file_id) as file_id"
        f" from {spool.records} as spool where json_valid(record) group by all"
    )
    return session.count_keys("shapes")


def _create_records(records: str, contract: Contract, fields: Extraction) -> str:
    """Return the statement that creates the table `records`: a text column for each field, and two reasons.

    `type_problem` and `json_problem` are reasons to reject the record that only its JSON reveals, or null. The first
    is named before those of the values, since a text can be too long because it is an object.
    """
    repeated = f"select keys from shapes where {fields.repeats}"
    columns = ", ".join(
        f"{text} as {quoted(field.name)}" for field, text in zip(contract.fields, fields.texts, strict=True)
    )
    not_text = " ".join(
        f"when {validation.may_not_be_text(field)} and {json_type} not in ('VARCHAR', 'NULL')"
        f" then '{field.name}: neither text nor a number'"
        for field, json_type in zip(contract.fields, fields.types, strict=True)
        if field.type is Type.TEXT
    )
    floats = ", ".join(
        f"case when {validation.may_be_float(quoted(field.name))} and {json_type} = 'DOUBLE'"
        f" then {_float_as_text(quoted(field.name))} else {quoted(field.name)} end as {quoted(field.name)}"
        for field, json_type in zip(contract.fields, fields.types, strict=True)
        if field.type is Type.TEXT
    )
    return (
        "create or replace temp table records as"
        f" select * exclude (record) replace ({floats}), case when not valid then 'not valid JSON'"
        f" when json_keys(case when valid and exists ({repeated}) then record end) in ({repeated})"
        f" then 'a key is given twice' when {_is_not_json('record')} then 'not valid JSON' end"
        f" as json_problem, case {not_text} end as type_problem"
        f" from (select file_id, line, position, record, valid, {columns}"
        f" from (select *, {fields.columns}"
        f" from (select *, json_valid(record) as valid from {records} as spool))) as records"
    )


def _create_validated(contract: Contract) -> str:
    """Return the statement that creates the table `validated`: typed records, each with its `problem` or null.

    It is a table, not a view, because DuckDB would compute the values again for each use.
    """
    rows = validation.validated(
        contract, "records", "file_id", "line", "position", "valid", "json_problem", "type_problem"
    )
    problem = "case when valid then coalesce(type_problem, problem, json_problem) else json_problem end as problem"
    return f"create or replace temp table validated as select * replace ({problem}) from ({rows})"


def _insert(contract: Contract) -> str:
    """Return the statement that stages the records without a problem."""
    names = ", ".join(quoted(field.name) for field in contract.fields)
    position = "position, " if contract.kind == "songs" else ""
    return f"insert into {contract.table} select {names}, file_id, {position}false from validated where problem is null"


def _float_as_text(text: str) -> str:
    """Return the SQL of the text of a float: that of an integer if it is whole, so that 7.0 is 7."""
    number = f"cast({text} as double)"
    is_whole = f"abs({number}) < 1e38 and {number} = floor({number})"
    return f"case when {is_whole} then cast(cast({number} as hugeint) as varchar) else {text} end"


def _is_not_json(record: str) -> str:
    """Return the SQL condition that DuckDB accepts a record that is not valid JSON.

    Strings are emptied first, so that only the JSON around them is searched.
    """
    emptied = f"""regexp_replace({record}, '"(?:[^"\\\\]|\\\\.)*"', '""', 'g')"""
    return f"(regexp_matches({record}, '{_NOT_JSON}') and regexp_matches({emptied}, '{_NOT_JSON}'))"
