"""Calico's selectors, as far as they choose nodes and pods.

Known: all(), has(key), key == 'value', !=, in {'a', 'b'}, not in {...}, !, &&, || and brackets.
Source: projectcalico/calico v3.32.1, libcalico-go/lib/selector. Left out: contains, starts with, ends with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Labels = Mapping[str, str]
Predicate = Callable[[Labels], bool]

_TOKEN = re.compile(r"""\s*(?:(?P<text>'[^']*'|"[^"]*")|(?P<sign>&&|\|\||==|!=|[!(){},])|(?P<word>[A-Za-z0-9_./-]+))""")


class SelectorError(ValueError):
    """The text is no selector that is understood here."""


def matches(selector: str, labels: Labels) -> bool:
    """Whether ``selector`` chooses an object with these labels; an empty selector chooses all.

    Raises SelectorError if the selector is not understood.
    """
    if not selector.strip():
        return True
    parser = _Parser(_tokens(selector))
    predicate = parser.either()
    parser.end()
    return predicate(labels)


def _tokens(selector: str) -> list[str]:
    tokens, position = [], 0
    text = selector.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise SelectorError(f"unexpected {text[position:]!r} in selector {selector!r}")
        tokens.append(match.group().strip())
        position = match.end()
    return tokens


class _Parser:
    """Recursive descent, one method per level of binding strength: either, both, negation, term."""

    _DEEPEST = 50

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def either(self) -> Predicate:
        choices = [self._both()]
        while self._accept("||"):
            choices.append(self._both())
        return lambda labels: any(choice(labels) for choice in choices)

    def end(self) -> None:
        if self._next < len(self._tokens):
            raise SelectorError(f"unexpected {self._tokens[self._next]!r} in selector")

    def _both(self) -> Predicate:
        parts = [self._negation()]
        while self._accept("&&"):
            parts.append(self._negation())
        return lambda labels: all(part(labels) for part in parts)

    def _negation(self) -> Predicate:
        self._depth += 1
        if self._depth > self._DEEPEST:
            raise SelectorError("selector is nested too deeply")
        try:
            if self._accept("!"):
                negated = self._negation()
                return lambda labels: not negated(labels)
            return self._term()
        finally:
            self._depth -= 1

    def _term(self) -> Predicate:
        if self._accept("("):
            inner = self.either()
            self._expect(")")
            return inner
        word = self._word()
        if word in {"all", "global"} and self._accept("("):
            self._expect(")")
            return lambda labels: True
        if word == "has" and self._accept("("):
            key = self._word()
            self._expect(")")
            return lambda labels: key in labels
        return self._comparison(word)

    def _comparison(self, key: str) -> Predicate:
        if self._accept("=="):
            value = self._text()
            return lambda labels: labels.get(key) == value
        if self._accept("!="):
            value = self._text()
            return lambda labels: labels.get(key) != value
        wanted = not self._accept("not")
        self._expect("in")
        values = self._set()
        if wanted:
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values

    def _set(self) -> frozenset[str]:
        self._expect("{")
        values = {self._text()}
        while self._accept(","):
            values.add(self._text())
        self._expect("}")
        return frozenset(values)

    def _take(self) -> str:
        if self._next >= len(self._tokens):
            raise SelectorError("selector ends too early")
        self._next += 1
        return self._tokens[self._next - 1]

    def _accept(self, token: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next] == token:
            self._next += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        found = self._take()
        if found != token:
            raise SelectorError(f"expected {token!r}, found {found!r} in selector")

    def _word(self) -> str:
        token = self._take()
        if not re.fullmatch(r"[A-Za-z0-9_./-]+", token):
            raise SelectorError(f"expected a label's key, found {token!r} in selector")
        return token

    def _text(self) -> str:
        token = self._take()
        if token[0] not in "'\"":
            raise SelectorError(f"expected a quoted value, found {token!r} in selector")
        return token[1:-1]
