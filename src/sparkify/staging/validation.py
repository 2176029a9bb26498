"""The SELECT that types records and validates them against the contract."""

from collections.abc import Iterable, Iterator
from datetime import date

from sparkify.sql.quoting import literal, quoted
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
    typed fields, the extra columns, whether each field was `implausible`, and `problem`: the reason to reject the
    record, or null.
    """
    typed = ", ".join(column for field in contract.fields for column in _typed(field))
    problem = " ".join(f"when {condition} then {literal(reason)}" for condition, reason in _problems(contract))
    values = [column for field in contract.fields for column in _plausible(field)]
    return (
        f"select {', '.join([*values, *extra])}, case {problem} end as problem"
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


def may_be_float(text: str) -> str:
    """Return the SQL condition that a text looks like a JSON float, such as 7.0 or 7e0."""
    is_written_so = " or ".join(f"contains({text}, '{mark}')" for mark in ".eE")
    return (  # Few texts begin with a digit, and the pattern is slow.
        f"case when {text} >= '-' and {text} < ':' and ({is_written_so})"
        f" then regexp_full_match({text}, '-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?') end"
    )


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


def _plausible(field: Field) -> Iterator[str]:
    """Yield the SQL of a field's value, null if it is implausible, and of whether it is."""
    name = quoted(field.name)
    if not field.plausible:
        yield name
        return
    low, high = field.plausible
    yield f"case when {name} = 0 or {name} between {low} and {high} then {name} end as {name}"
    beyond = f"{name} <> 0 and {name} not between {low} and {high}"
    yield f"coalesce({beyond}, {_is_too_large(field)}, false) as {implausible(field)}"


def implausible(field: Field) -> str:
    """Return the name of the column that says whether a field's value was implausible."""
    return quoted(f"implausible {field.name}")


def _is_too_large(field: Field) -> str:
    """Return the SQL condition that the text of a field without a value is a number beyond the range of its type."""
    text = _text_of(field)
    return f"case when {quoted(field.name)} is null and {text} is not null then abs({_number(text)}) >= {2**63} end"


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
            if field.values:
                yield f"{name} not in ({literals(field.values)})", f"{field.name}: not one of {', '.join(field.values)}"
        else:
            type_name, low, high, out_of_range = _RANGES[field.type]
            is_none = f"{text} is not null and {name} is null"
            if field.plausible:  # a value that is too large becomes null, as every implausible one
                yield f"{is_none} and not coalesce({_is_too_large(field)}, false)", f"{field.name}: not a {type_name}"
                continue
            yield is_none, f"{field.name}: not a {type_name}"
            yield f"not ({name} >= {low} and {name} < {high})", f"{field.name}: {out_of_range}"
            if field.first_millisecond:
                yield f"{name} < {field.first_millisecond}", f"{field.name}: {_too_early(field.earliest)}"


def _too_early(earliest: date) -> str:
    begins_a_year = (earliest.month, earliest.day) == (1, 1)
    return f"before {earliest.year if begins_a_year else earliest}; is it in seconds?"


def literals(texts: Iterable[str]) -> str:
    """Return a list of SQL literals."""
    return ", ".join(map(literal, texts))
