"""The SELECT that types records and validates them against the contract."""

from collections.abc import Iterator

from sparkify.sql.quoting import quoted
from sparkify.staging.contract import LAST_MILLISECOND, PLAY, Contract, Field, Required, Type

_JSON_WORDS = "('true', 'false', 'nan', 'inf', '-nan', '-inf', 'infinity', '-infinity')"

# Type → its name, the first value of its range, the first value above it, and the reason to reject any other.
_RANGES = {
    Type.INTEGER: ("whole number", -(2**63), 2**63, "out of range"),
    Type.TIMESTAMP: ("whole number", 0, LAST_MILLISECOND + 1, "not in the years 1970 to 9999"),
    Type.NUMBER: ("number", "-1e15", "1e15", "out of range"),
    Type.DURATION: ("number", 0, "1e15", "not a length of time"),
}


def validated(contract: Contract, source: str, *extra: str) -> str:
    """Return the SELECT that types and validates records.

    `source` is the SQL of a relation with a text column for each field, and the `extra` columns. The result has the
    typed fields, the extra columns, and `problem`: the reason to reject the record, or null.
    """
    typed = ", ".join(column for field in contract.fields for column in _typed(field))
    problem = " ".join(f"when {condition} then '{reason}'" for condition, reason in _problems(contract))
    names = ", ".join([*(quoted(field.name) for field in contract.fields), *extra])
    return (
        f"select {names}, case {problem} end as problem"
        f" from (select {', '.join([typed, *extra])} from {source}) as typed"
    )


def text(value: str) -> str:
    """Return the SQL of a text without the blanks at its end, or null if nothing else is left."""
    # Most texts end with none, and testing for that is cheaper than rtrim.
    return f"nullif(case when ends_with({value}, ' ') then rtrim({value}, ' ') else {value} end, '')"


def may_not_be_text(field: Field) -> str:
    """Return the SQL condition that a text may be the JSON of an object, a list, a boolean or a bare NaN."""
    value = quoted(field.name)
    begins = f"starts_with({value}, '{{') or starts_with({value}, '[')"
    # There are artists such as [re:jazz]: only complete JSON is suspect.
    return f"case when {begins} then json_valid({value}) else lower({value}) in {_JSON_WORDS} end"


def _typed(field: Field) -> Iterator[str]:
    """Yield the SQL of a field's value; for a number, also of the text from which it was read."""
    name = quoted(field.name)
    if field.type is Type.TEXT:
        yield f"{text(name)} as {name}"
        return
    written = f"nullif({name}, '')"
    value = _integer(written) if field.type in (Type.INTEGER, Type.TIMESTAMP) else _number(written)
    yield f"{value} as {name}"
    yield f"{written} as {_text_of(field)}"


def _text_of(field: Field) -> str:
    return quoted(f"text of {field.name}")


def _integer(text: str) -> str:
    """Return the SQL of a text as a bigint, or null if it is not a whole number."""
    rounded = f"try_cast({text} as bigint)"
    exact = f"try_cast({text} as decimal(38, 18))"
    number = _number(text)
    is_whole = f"{number} = floor({number})"
    return (  # Common spellings come first: a pattern tests only the rest. From 2**53 on, a double is always whole.
        f"case when cast({rounded} as varchar) = {text} or cast({rounded} as varchar) || '.0' = {text} then {rounded}"
        f" when abs({number}) < 9007199254740992 then case when {is_whole} then cast({number} as bigint) end"
        f" when {number} is not null and {exact} = {rounded} then {rounded} end"
    )


def _number(text: str) -> str:
    """Return the SQL of a text as double precision, or null if it is not a number. Negative zero becomes 0.0."""
    blanks = r"[ \t\n\v\f\r]*"
    return (
        f"case when regexp_full_match({text}, '{blanks}-?([0-9]+[.]?|[0-9]*[.][0-9]+)([eE][+-]?[0-9]+)?{blanks}')"
        f" then try_cast({text} as double precision) + 0.0 end"
    )


def _problems(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yield each SQL condition to reject a typed record, and the reason, which begins with the field's name."""
    for field in contract.fields:
        name = quoted(field.name)
        text = name if field.type is Type.TEXT else _text_of(field)
        if field.required is Required.ALWAYS:
            yield f"{text} is null", f"{field.name}: missing"
        elif field.required is Required.IN_PLAYS:
            yield f"{quoted('page')} = '{PLAY}' and {text} is null", f"{field.name}: missing in a play"
        if field.type is Type.TEXT:
            yield f"strlen({name}) > {field.width}", f"{field.name}: longer than {field.width} bytes"
            yield f"contains({name}, chr(0))", f"{field.name}: holds a NUL character"
        else:
            type_name, low, high, out_of_range = _RANGES[field.type]
            yield f"{text} is not null and {name} is null", f"{field.name}: not a {type_name}"
            yield f"not ({name} >= {low} and {name} < {high})", f"{field.name}: {out_of_range}"
