"""Rows: one fact each about what old code may rely on, or where ours differs on purpose.

The rows themselves are in `rows_kept.py` and `rows_different.py`. Each one's snippet runs in both
environments after `worker.PREAMBLE`, which imports everything from `statefun` and adds `request`,
`answer`, `call`, `observe` and `fails_with`. `docs/compatibility.md` names the same rows; a test
compares the two.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Value:
    """The snippet leaves this in `outcome`, as JSON."""

    outcome: Any

    def problem(self, result: dict[str, Any]) -> str | None:
        if result == {"value": self.outcome}:
            return None
        return f"expected {self.outcome!r}, got {result}"


@dataclass(frozen=True)
class Raises:
    """The snippet raises an instance of all these classes, whose text contains `says`."""

    classes: tuple[str, ...]
    says: str = ""

    def problem(self, result: dict[str, Any]) -> str | None:
        raised = result.get("raised", [[]])[0]
        names = {name.rpartition(".")[2] for name in raised} | set(raised)
        if set(self.classes) <= names and self.says in result["says"]:
            return None
        return f"expected {' and '.join(self.classes)} with {self.says!r}, got {result}"


@dataclass(frozen=True)
class Row:
    """One fact.

    Attributes:
        id: What the page calls it.
        says: The fact in one sentence.
        snippet: User code that shows it.
        upstream: What comes of it with the old SDK.
        ours: What comes of it with ours.
        protobuf: How the outcome of the old SDK depends on the version of protobuf; the tests run
            it with the newest, 7.36 when this was written.
    """

    id: str
    says: str
    snippet: str
    upstream: Value | Raises
    ours: Value | Raises
    protobuf: str = ""


def kept(row_id: str, says: str, snippet: str, *, outcome: Any) -> Row:
    """A row on which both do the same."""
    return Row(row_id, says, snippet, _expected(outcome), _expected(outcome))


def differs(
    row_id: str, says: str, snippet: str, *, upstream: Any, ours: Any, protobuf: str = ""
) -> Row:
    """A row on which the two differ on purpose."""
    return Row(row_id, says, snippet, _expected(upstream), _expected(ours), protobuf)


def _expected(outcome: Any) -> Value | Raises:
    return outcome if isinstance(outcome, Value | Raises) else Value(outcome)


# What an engine makes of a reply that asks for nothing.
NOTHING: dict[str, Any] = {"messages": [], "delayed": [], "egresses": [], "mutations": {}}
