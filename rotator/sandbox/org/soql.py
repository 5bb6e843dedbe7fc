"""A small SOQL: SELECT fields (or COUNT()) FROM one object, WHERE, ORDER BY, LIMIT, OFFSET."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

Row = Mapping[str, object]
Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<moment>\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))?)
  | (?P<number>[+-]?\d+(?:\.\d+)?)
  | (?P<text>'(?:[^'\\]|\\.)*')
  | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
  | (?P<sign><=|>=|!=|<>|[=<>(),])
)""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a is not None and a < b,
    ">": lambda a, b: a is not None and a > b,
    "<=": lambda a, b: a is not None and a <= b,
    ">=": lambda a, b: a is not None and a >= b,
}


class SoqlError(Exception):
    """What a query is refused with: an error code of the REST API and Salesforce's message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: str = "string"
    """`id`, `string`, `boolean`, `int` or `datetime`."""


@dataclass(frozen=True, slots=True)
class Table:
    """One object: its columns, and its rows (datetimes aware, None for null)."""

    name: str
    key_prefix: str
    columns: Sequence[Column]
    rows: Callable[[], Sequence[Row]]

    def column(self, name: str) -> Column | None:
        """Field names are matched without regard to case."""
        return next((column for column in self.columns if column.name.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Result:
    """What a query found."""

    table: Table
    columns: Sequence[Column]
    rows: Sequence[Row]
    count: int | None = None
    """Set for SELECT COUNT(), which gives no rows."""
    owner: str = field(default="")


def run(text: str, find_table: Callable[[str], Table | None]) -> Result:
    """Run one query. Raises SoqlError: MALFORMED_QUERY, INVALID_TYPE or INVALID_FIELD."""
    return _Query(text, find_table).run()


class _Query:
    def __init__(self, text: str, find_table: Callable[[str], Table | None]) -> None:
        self._text = text
        self._find_table = find_table
        self._tokens = self._split(text)
        self._next = 0
        self._table: Table

    def run(self) -> Result:
        self._keyword("SELECT")
        fields = self._fields()
        self._keyword("FROM")
        position, name = self._word()
        table = self._find_table(name)
        if table is None:
            self._fail("INVALID_TYPE", position, f"sObject type '{name}' is not supported. If you are attempting to use a "
                       "custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or "
                       "the describe call for the appropriate names.")  # fmt: skip
        self._table = table
        columns = [self._column(at, field_name) for at, field_name in fields]
        test = self._either() if self._maybe("WHERE") else None
        orders = self._orders()
        limit = self._whole() if self._maybe("LIMIT") else None
        offset = self._whole() if self._maybe("OFFSET") else 0
        if self._peek()[1]:
            self._unexpected()
        rows = [row for row in table.rows() if test is None or test(row)]
        for column, descending in reversed(orders):
            rows.sort(key=lambda row: _sort_key(row.get(column.name)), reverse=descending)
        rows = rows[offset : None if limit is None else offset + limit]
        return Result(table, columns, rows) if columns else Result(table, (), (), len(rows))

    # --- clauses --------------------------------------------------------------------------------

    def _fields(self) -> list[tuple[int, str]]:
        first = self._word()
        if first[1].upper() == "COUNT" and self._maybe("("):
            self._sign(")")
            return []
        fields = [first]
        while self._maybe(","):
            fields.append(self._word())
        return fields

    def _orders(self) -> list[tuple[Column, bool]]:
        orders: list[tuple[Column, bool]] = []
        if self._maybe("ORDER"):
            self._keyword("BY")
            while not orders or self._maybe(","):
                column = self._column(*self._word())
                descending = self._maybe("DESC")
                if not descending:
                    self._maybe("ASC")
                orders.append((column, descending))
        return orders

    def _either(self) -> Test:
        tests = [self._both()]
        while self._maybe("OR"):
            tests.append(self._both())
        return lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._condition()]
        while self._maybe("AND"):
            tests.append(self._condition())
        return lambda row: all(test(row) for test in tests)

    def _condition(self) -> Test:
        if self._maybe("NOT"):
            inner = self._condition()
            return lambda row: not inner(row)
        if self._maybe("("):
            inner = self._either()
            self._sign(")")
            return inner
        column = self._column(*self._word())
        if self._maybe("LIKE"):
            pattern = _like(str(self._literal(column)))
            return lambda row: pattern.fullmatch(str(row.get(column.name) or "")) is not None
        if self._maybe("IN"):
            self._sign("(")
            values = [self._literal(column)]
            while self._maybe(","):
                values.append(self._literal(column))
            self._sign(")")
            return lambda row: row.get(column.name) in values
        _, sign = self._take()
        if sign not in _COMPARE:
            self._next -= 1
            self._unexpected()
        compare, value = _COMPARE[sign], self._literal(column)
        return lambda row: compare(row.get(column.name), value)

    # --- small parts ----------------------------------------------------------------------------

    def _column(self, position: int, name: str) -> Column:
        column = self._table.column(name)
        if column is None:
            self._fail("INVALID_FIELD", position, f"No such column '{name}' on entity '{self._table.name}'. If you are "
                       "attempting to use a custom field, be sure to append the '__c' after the custom field name. Please "
                       "reference your WSDL or the describe call for the appropriate names.")  # fmt: skip
        return column

    def _literal(self, column: Column) -> object:
        position, token = self._take()
        value: object
        if token.startswith("'"):
            value = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), token[1:-1])
            fits = column.kind in {"id", "string"}
        elif token.lower() in {"true", "false"}:
            value, fits = token.lower() == "true", column.kind == "boolean"
        elif token.lower() == "null":
            value, fits = None, True
        elif re.fullmatch(r"\d{4}-.*T.*", token):
            value, fits = datetime.fromisoformat(token), column.kind == "datetime"
        elif re.fullmatch(r"[+-]?\d+(\.\d+)?", token):
            value, fits = float(token), column.kind == "int"
        else:
            self._next -= 1
            self._unexpected()
        if not fits:
            self._fail("INVALID_FIELD", position, f"value of filter criterion for field '{column.name}' must be of type "
                       f"{column.kind} and should{' not' if column.kind not in {'id', 'string'} else ''} be enclosed in quotes")  # fmt: skip
        return value

    def _whole(self) -> int:
        _, token = self._take()
        if not token.isdecimal():
            self._next -= 1
            self._unexpected()
        return int(token)

    def _word(self) -> tuple[int, str]:
        position, token = self._peek()
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", token) or token.upper() in {
            "FROM",
            "WHERE",
            "SELECT",
        }:
            self._unexpected()
        self._next += 1
        return position, token

    def _keyword(self, word: str) -> None:
        if not self._maybe(word):
            self._unexpected()

    _sign = _keyword

    def _maybe(self, word: str) -> bool:
        if self._peek()[1].upper() != word:
            return False
        self._next += 1
        return True

    def _take(self) -> tuple[int, str]:
        token = self._peek()
        self._next += 1
        return token

    def _peek(self) -> tuple[int, str]:
        return self._tokens[min(self._next, len(self._tokens) - 1)]

    def _unexpected(self) -> NoReturn:
        position, token = self._peek()
        self._fail("MALFORMED_QUERY", position, f"unexpected token: '{token or '<EOF>'}'")

    def _fail(self, code: str, position: int, problem: str) -> NoReturn:
        marker = f"\n{self._text[:80]}\n{' ' * min(position, 79)}^\nERROR at Row:1:Column:{position + 1}\n"
        raise SoqlError(code, marker + problem)

    def _split(self, text: str) -> list[tuple[int, str]]:
        tokens, place = [], 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if not found:
                start = place + len(text[place:]) - len(text[place:].lstrip())
                self._fail("MALFORMED_QUERY", start, f"unexpected token: '{text[start]}'")
            tokens.append((found.end() - len(found[0].lstrip()), found[0].lstrip()))
            place = found.end()
        return [*tokens, (len(text.rstrip()), "")]


def _like(pattern: str) -> re.Pattern[str]:
    parts = (".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _sort_key(value: object) -> tuple[bool, Any]:
    return (value is not None, value)
