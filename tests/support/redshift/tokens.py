"""SQL split into tokens, as far as the stand-in's rules need it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.redshift.protocol import Refusal

# A backslash escapes in every literal, as in PostgreSQL 8.0, of which Redshift is a descendant ("LIKE", whose page
# writes the default escape character as two backslashes). The databases of the stand-in read literals in the same way.
_PATTERN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<string>'(?:[^'\\]|''|\\.)*')
  | (?P<quoted>"(?:[^"]|"")+")
  | (?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
  | (?P<parameter>\$\d+)
  | (?P<word>[A-Za-z_\u0080-\U0010ffff\#][\w$\#]*)
  | (?P<sign>::|\|\||<=|>=|<>|!=|!~\*?|~\*?|.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """A word, literal, number or sign, and its place in the statement."""

    kind: str
    text: str
    start: int
    word: str
    """The word or sign in lower case; empty for quoted text."""

    @property
    def end(self) -> int:
        """Return the end of its place."""
        return self.start + len(self.text)

    @property
    def name(self) -> str:
        """Return the identifier: folded to lower case, in double quotes or not ("Names and identifiers")."""
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"').lower()
        return self.text.lower() if self.kind == "word" else ""

    @property
    def value(self) -> str:
        """Return the value of a literal."""
        if self.kind != "string":
            return self.text
        return re.sub(r"''|\\(.)", lambda found: found[1] or "'", self.text[1:-1], flags=re.DOTALL)


def cut(text: str) -> list[Token]:
    """Split a statement into tokens, without comments; raise Refusal if a quote or a comment does not end."""
    found = []
    for match in _PATTERN.finditer(text):
        kind, said = match.lastgroup or "", match.group()
        if kind != "space":
            found.append(Token(kind, said, match.start(), said.lower() if kind in ("word", "sign") else ""))
    for token in found:
        if token.text in ("'", '"'):
            raise Refusal(f"unterminated quoted string at or near {text[token.start :]!r}", "42601")
    return found


def words(tokens: Sequence[Token], at: int, count: int) -> tuple[str, ...]:
    """Return the next words in lower case."""
    return tuple([token.word for token in tokens[at : at + count]])


def syntax_error(token: Token | None) -> Refusal:
    """Return the refusal of an invalid statement, in the server's words."""
    if token is None:
        return Refusal("syntax error at end of input", "42601")
    return Refusal(f'syntax error at or near "{token.text}"', "42601")


class Reader:
    """Tokens, read one after the other."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = list(tokens)
        self._at = 0

    @property
    def next(self) -> Token | None:
        """Return the next token, or None."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def sees(self, *expected: str) -> bool:
        """Return whether these words are next."""
        return words(self._tokens, self._at, len(expected)) == expected

    def skips(self, *expected: str) -> bool:
        """Skip these words if they are next; return whether they were."""
        if not self.sees(*expected):
            return False
        self._at += len(expected)
        return True

    def skips_any(self, *choices: str) -> bool:
        """Skip the next word if it is one of some; return whether it was."""
        return any(self.skips(choice) for choice in choices)

    def expect(self, *expected: str) -> None:
        """Skip these words; raise Refusal if others are next."""
        if not self.skips(*expected):
            raise syntax_error(self.next)

    def take(self, *kinds: str) -> Token:
        """Return the next token and skip it; raise Refusal if it is of another kind, or missing."""
        token = self.next
        if token is None or (kinds and token.kind not in kinds):
            raise syntax_error(token)
        self._at += 1
        return token

    def one_of(self, choices: Sequence[str]) -> str:
        """Return the next word; raise Refusal if it is not one of some."""
        token = self.take("word")
        if token.word not in choices:
            raise syntax_error(token)
        return token.word

    def switch(self) -> str:
        """Read ON, TRUE, OFF or FALSE; by default ON."""
        return next((word for word in ("on", "true", "off", "false") if self.skips(word)), "on")

    def names(self) -> list[str]:
        """Read names in parentheses, with commas between them."""
        self.expect("(")
        found = [self.take("word", "quoted").name]
        while self.skips(","):
            found.append(self.take("word", "quoted").name)
        self.expect(")")
        return found

    def table(self) -> list[str]:
        """Read the name of a table, after its schema if that is given."""
        found = [self.take("word", "quoted").name]
        while self.skips("."):
            found.append(self.take("word", "quoted").name)
        return found

    def group(self) -> list[Token]:
        """Read the tokens in parentheses."""
        self.expect("(")
        depth, found = 1, []
        while depth:
            token = self.take()
            depth += {"(": 1, ")": -1}.get(token.word, 0)
            found.append(token)
        return found[:-1]

    def rest(self) -> list[Token]:
        """Return the remaining tokens."""
        left = self._tokens[self._at :]
        self._at = len(self._tokens)
        return left

    def end(self) -> None:
        """Raise Refusal if a token is left."""
        if self.next is not None:
            raise syntax_error(self.next)
