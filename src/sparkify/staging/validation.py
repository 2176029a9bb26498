"""The SELECT that types and judges records by the contract."""

from __future__ import annotations

from collections.abc import Iterator

from sparkify.sql.quoting import quoted
from sparkify.staging.contract import LAST_MILLISECOND, PLAY, Contract, Field, Required, Type

_TOKENS = "('true', 'false', 'nan', 'inf', '-nan', '-inf', 'infinity', '-infinity')"


def judge(contract: Contract, source: str, *extra: str, nul: bool = True) -> str:
    """Return the SELECT that types and judges records.

    `source` is the SQL of a relation with one column of text a field, and the `extra` columns. The result has the
    fields, typed, then the extra columns, then `problem`: the reason to refuse the record, or null. Without `nul`,
    texts are not searched for NUL characters.
    """
    typed = ", ".join(column for field in contract.fields for column in _typed(field))
    problem = " ".join(f"when {test} then '{reason}'" for test, reason in _tests(contract, nul=nul))
    names = ", ".join([*(quoted(field.name) for field in contract.fields), *extra])
    return (
        f"select {names}, case {problem} end as problem"
        f" from (select {', '.join([typed, *extra])} from {source}) as typed"
    )


def _typed(field: Field) -> Iterator[str]:
    """Yield the SQL of a field's value, and for a number also of the text that it came from."""
    name = quoted(field.name)
    if field.type is Type.TEXT:
        yield f"{text(name)} as {name}"
        return
    written = f"nullif({name}, '')"
    value = whole(written) if field.type in (Type.WHOLE, Type.MOMENT) else _number(written)
    yield f"{value} as {quoted(field.name)}"
    yield f"{written} as {_text_of(field)}"


def _text_of(field: Field) -> str:
    return quoted(f"text of {field.name}")


def text(value: str) -> str:
    """Return the SQL of a text without the blanks at its end, null when nothing is left of it."""
    # Most texts have none, and to see that is cheaper than rtrim.
    return f"nullif(case when ends_with({value}, ' ') then rtrim({value}, ' ') else {value} end, '')"


def whole(text: str) -> str:
    """Return the SQL of a text as a bigint, null when it is not whole."""
    value = f"try_cast({text} as bigint)"  # rounded
    exact = f"try_cast({text} as decimal(38, 18))"
    number = _number(text)
    is_whole = f"{number} = floor({number})"
    return (  # the common spellings come first, a pattern sees what is left; from 2**53 on, a double is always whole
        f"case when cast({value} as varchar) = {text} or cast({value} as varchar) || '.0' = {text} then {value}"
        f" when abs({number}) < 9007199254740992 then case when {is_whole} then cast({number} as bigint) end"
        f" when {number} is not null and {exact} = {value} then {value} end"
    )


def _number(text: str) -> str:
    """Text → double precision, null when it is no number; no zero is negative, since it equals the other one."""
    blanks = r"[ \t\n\v\f\r]*"
    return (
        f"case when regexp_full_match({text}, '{blanks}-?([0-9]+[.]?|[0-9]*[.][0-9]+)([eE][+-]?[0-9]+)?{blanks}')"
        f" then try_cast({text} as double precision) + 0.0 end"
    )


def _tests(contract: Contract, *, nul: bool) -> Iterator[tuple[str, str]]:
    """Yield what may be wrong with a typed record, and how it is said: the field that the reason is about first."""
    for field in contract.fields:
        name = quoted(field.name)
        text = name if field.type is Type.TEXT else _text_of(field)
        if field.required is Required.ALWAYS:
            yield f"{text} is null", f"{field.name}: missing"
        elif field.required is Required.IN_PLAYS:
            yield f"{quoted('page')} = '{PLAY}' and {text} is null", f"{field.name}: missing in a play"
        if field.type is Type.TEXT:
            yield f"strlen({name}) > {field.width}", f"{field.name}: longer than {field.width} bytes"
            if nul:
                yield f"contains({name}, chr(0))", f"{field.name}: holds a NUL character"
        else:
            kind, low, high, beyond = _RANGES[field.type]
            yield f"{text} is not null and {name} is null", f"{field.name}: not a {kind}"
            yield f"not ({name} >= {low} and {name} < {high})", f"{field.name}: {beyond}"


# What a number is called, where its range begins and what it ends before, and how a number beyond it is told.
_RANGES = {
    Type.WHOLE: ("whole number", -(2**63), 2**63, "out of range"),
    Type.MOMENT: ("whole number", 0, LAST_MILLISECOND + 1, "not in the years 1970 to 9999"),
    Type.NUMBER: ("number", "-1e15", "1e15", "out of range"),
    Type.SPAN: ("number", 0, "1e15", "not a length of time"),
}


def looks_odd(field: Field) -> str:
    """Return the SQL that suspects a text of having been no text: an object, a list, a truth value or a bare NaN."""
    text = quoted(field.name)
    begins = f"starts_with({text}, '{{') or starts_with({text}, '[')"
    # Artists are called [re:jazz] and the like: only what is JSON by itself is suspect.
    return f"case when {begins} then json_valid({text}) else lower({text}) in {_TOKENS} end"
