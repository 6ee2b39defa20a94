"""Queries: which workflows are meant, in the language of Temporal's visibility. Pure.

A condition is true, false, or neither, if a value is missing; only what is true is found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from statefun.workflows.crons import span_ms
from statefun.workflows.search_attributes import SearchAttributeIndexedValueType
from statefun.workflows.status import WorkflowExecutionStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FIELDS", "Query", "QueryError", "Row", "parse_query"]

Row: TypeAlias = "Mapping[str, tuple[SearchAttributeIndexedValueType, Any]]"
"""A workflow, or a schedule: the types and values of its fields and search attributes, by names."""

Condition: TypeAlias = "Callable[[Row], bool | None]"

_Type = SearchAttributeIndexedValueType
FIELDS = {
    "CloseTime": _Type.DATETIME,
    "ExecutionDuration": _Type.INT,
    "ExecutionStatus": _Type.KEYWORD,
    "ExecutionTime": _Type.DATETIME,
    "HistoryLength": _Type.INT,
    "ParentRunId": _Type.KEYWORD,
    "ParentWorkflowId": _Type.KEYWORD,
    "RootRunId": _Type.KEYWORD,
    "RootWorkflowId": _Type.KEYWORD,
    "RunId": _Type.KEYWORD,
    "StartTime": _Type.DATETIME,
    "TaskQueue": _Type.KEYWORD,
    "TemporalScheduledById": _Type.KEYWORD,
    "TemporalScheduledStartTime": _Type.DATETIME,
    "WorkflowId": _Type.KEYWORD,
    "WorkflowType": _Type.KEYWORD,
}
"""What every workflow may be found by: name → type."""

_FOLDED = {each.lower(): each for each in FIELDS}
_STATUSES = {
    "Running": WorkflowExecutionStatus.RUNNING,
    "Completed": WorkflowExecutionStatus.COMPLETED,
    "Failed": WorkflowExecutionStatus.FAILED,
    "Canceled": WorkflowExecutionStatus.CANCELED,
    "Terminated": WorkflowExecutionStatus.TERMINATED,
    "ContinuedAsNew": WorkflowExecutionStatus.CONTINUED_AS_NEW,
    "TimedOut": WorkflowExecutionStatus.TIMED_OUT,
}
STATUS_NAMES = {int(status): name for name, status in _STATUSES.items()}
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>[+-]?\d+(?:\.\d+)?)(?![\w.])
    | (?P<name>[A-Za-z_][A-Za-z0-9_.-]*|`[^`]+`)
    | (?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
    | (?P<sign><=|>=|<>|!=|[=<>(),])
    )""",
    re.VERBOSE,
)
_WORDS = {
    *("AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "STARTS_WITH", "ORDER", "GROUP", "BY"),
    *("ASC", "DESC", "TRUE", "FALSE", "LIKE", "SELECT", "LIMIT"),
}
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}


class QueryError(ValueError):
    """A query cannot be understood."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"invalid query: {reason}")


@dataclass(frozen=True)
class Query:
    """Which ones are meant, and in which order.

    Attributes:
        condition: Whether one is; None for all.
        order: By which names they are ordered, and whether downwards; empty for the usual order.
        group: By which name they are counted; empty for none.
    """

    condition: Condition | None
    order: tuple[tuple[str, bool], ...]
    group: str

    def finds(self, row: Row) -> bool:
        """Whether one is meant."""
        return self.condition is None or self.condition(row) is True


def parse_query(text: str) -> Query:
    """Read a query.

    Raises:
        QueryError: If it cannot be understood.
    """
    return _Parser(text).query()


@dataclass(frozen=True)
class _Token:
    kind: str  # number, name, text, sign, word, end
    text: str
    place: int


def _tokens(text: str) -> list[_Token]:
    found, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            start = len(text) - len(text[place:].lstrip())
            raise QueryError(_syntax(start, text[start : start + 10]))
        kind = match.lastgroup or ""
        value, start = match[kind], match.start(kind)
        if kind == "name" and value.upper() in _WORDS:
            kind, value = "word", value.upper()
        found.append(_Token(kind, value, start))
        place = match.end()
    return [*found, _Token("end", "", len(text))]


def _syntax(place: int, near: str) -> str:
    where = f" near '{near}'" if near else ": it ends too early"
    return f"malformed SQL query: syntax error at position {place + 1}{where}"


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    # --- tokens ---

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def _takes(self, *words: str) -> bool:
        """Take these words or signs if they are next."""
        ahead = self._tokens[self._at : self._at + len(words)]
        if [each.text for each in ahead if each.kind in ("word", "sign")] != list(words):
            return False
        self._at += len(words)
        return True

    def _expect(self, *words: str) -> None:
        if not self._takes(*words):
            self._fail()

    def _fail(self) -> NoReturn:
        raise QueryError(_syntax(self._next.place, self._next.text))

    # --- the whole ---

    def query(self) -> Query:
        condition, order, group = None, [], ""
        if self._next.kind != "end" and self._next.text not in ("ORDER", "GROUP"):
            condition = self._either()
        if self._takes("GROUP", "BY"):
            group = self._name()
            if group != "ExecutionStatus":
                raise QueryError(
                    "operation is not supported: 'group by' clause is only supported for "
                    "ExecutionStatus search attribute"
                )
        if self._takes("ORDER", "BY"):
            while True:
                name = self._name()
                order.append((name, self._takes("DESC") or (self._takes("ASC") and False)))
                if not self._takes(","):
                    break
        if self._next.kind != "end":
            self._fail()
        return Query(condition, tuple(order), group)

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._takes("OR"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else _any_of(parts)

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._takes("AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else _all_of(parts)

    def _one(self) -> Condition:
        if self._takes("NOT"):
            return _not(self._one())
        if self._takes("("):
            inside = self._either()
            self._expect(")")
            return inside
        return self._comparison()

    def _name(self) -> str:
        token = self._take()
        if token.kind != "name":
            self._at -= token.kind != "end"
            self._fail()
        name = token.text.strip("`")
        meant = _FOLDED.get(name.lower())
        if meant is not None and meant != name:
            raise QueryError(
                f"invalid expression: column name '{name}' is not a valid search attribute; write "
                f"{meant}"
            )
        return name

    # --- a condition ---

    def _comparison(self) -> Condition:
        name = self._name()
        if self._takes("IS"):
            is_not = self._takes("NOT")
            self._expect("NULL")
            return lambda row: (name in row) is is_not
        is_not = self._takes("NOT")
        if self._takes("IN"):
            self._expect("(")
            options = [self._literal(name)]
            while self._takes(","):
                options.append(self._literal(name))
            self._expect(")")
            found = _any_of([_compared(name, "=", each) for each in options])
        elif self._takes("BETWEEN"):
            low = self._literal(name)
            self._expect("AND")
            high = self._literal(name)
            found = _all_of([_compared(name, ">=", low), _compared(name, "<=", high)])
        elif self._takes("STARTS_WITH"):
            prefix = self._literal(name)
            if not isinstance(prefix, str):
                raise QueryError("invalid expression: the prefix of STARTS_WITH is a text")
            found = _starts(name, prefix)
        elif is_not:
            self._fail()
        else:
            return self._by_sign(name)
        return _not(found) if is_not else found

    def _by_sign(self, name: str) -> Condition:
        token = self._take()
        if token.kind == "end":
            raise QueryError("invalid expression: incomplete expression")
        sign = "!=" if token.text == "<>" else token.text
        if token.text == "LIKE":
            raise QueryError(
                f"invalid expression: invalid operator 'like' in `{self._text}`; write STARTS_WITH"
            )
        if token.kind != "sign" or sign not in _COMPARED:
            self._at -= 1
            self._fail()
        return _compared(name, sign, self._literal(name))

    def _literal(self, name: str) -> Any:
        token = self._take()
        value: Any
        if token.kind == "number":
            value = float(token.text) if "." in token.text else int(token.text)
        elif token.kind == "text":
            mark = token.text[0]
            value = re.sub(r"\\(.)", r"\1", token.text[1:-1].replace(mark * 2, mark))
        elif token.text in ("TRUE", "FALSE"):
            value = token.text == "TRUE"
        else:
            self._at -= token.kind != "end"
            self._fail()
        return _converted(name, value)


def _converted(name: str, value: Any) -> Any:
    """A literal as values of a field of every workflow are compared with it."""
    if name == "ExecutionStatus":
        if isinstance(value, int):
            value = STATUS_NAMES.get(value, value)
        if value not in _STATUSES:
            known = ", ".join(_STATUSES)
            raise QueryError(
                f"invalid expression: invalid ExecutionStatus value '{value}'; there are {known}"
            )
    elif name == "ExecutionDuration" and isinstance(value, str):
        return _nanoseconds(value)
    elif FIELDS.get(name) is _Type.DATETIME:
        return _time(value)
    return value


def _time(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError as error:
            raise QueryError(
                f"invalid expression: unable to parse datetime '{value}'; write for example "
                "'2026-01-31T09:00:00Z'"
            ) from error
        return found.replace(tzinfo=found.tzinfo or UTC)
    return datetime.fromtimestamp(float(value) / 1e9, UTC)


def _nanoseconds(text: str) -> int:
    try:
        return span_ms(text) * 1_000_000
    except ValueError as error:
        raise QueryError(f"invalid expression: unable to parse duration: {error}") from error


def _compared(name: str, sign: str, literal: Any) -> Condition:
    """Compare a field with a literal."""
    compare = _COMPARED[sign]

    def condition(row: Row) -> bool | None:
        found = row.get(name)
        if found is None:
            return None
        kind, value = found
        match kind:
            case _Type.KEYWORD_LIST:
                return (literal in value) is (sign == "=") if sign in ("=", "!=") else False
            case _Type.TEXT if isinstance(literal, str):
                words = set(re.findall(r"\w+", value.lower()))
                has_all = words.issuperset(re.findall(r"\w+", literal.lower()))
                return has_all is (sign == "=") if sign in ("=", "!=") else False
            case _Type.DATETIME:
                return compare(value, literal if isinstance(literal, datetime) else _time(literal))
        if _sort(value) != _sort(literal):
            return sign == "!="
        return compare(value, literal)

    return condition


def _sort(value: Any) -> str:
    """What a value can be compared with."""
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, (int, float)) else "text"


def _starts(name: str, prefix: str) -> Condition:
    def condition(row: Row) -> bool | None:
        found = row.get(name)
        if found is None:
            return None
        return isinstance(found[1], str) and found[1].startswith(prefix)

    return condition


def _not(inside: Condition) -> Condition:
    def condition(row: Row) -> bool | None:
        found = inside(row)
        return None if found is None else not found

    return condition


def _all_of(parts: list[Condition]) -> Condition:
    def condition(row: Row) -> bool | None:
        found = [each(row) for each in parts]
        if False in found:
            return False
        return None if None in found else True

    return condition


def _any_of(parts: list[Condition]) -> Condition:
    def condition(row: Row) -> bool | None:
        found = [each(row) for each in parts]
        if True in found:
            return True
        return None if None in found else False

    return condition
