"""Law: a query finds what its conditions are true of; what is missing is neither true nor false."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING

import pytest

from statefun.workflows.queries import QueryError, parse_query
from statefun.workflows.search_attributes import SearchAttributeIndexedValueType as Type

if TYPE_CHECKING:
    from statefun.workflows.queries import Row

ADA: Row = {
    "WorkflowId": (Type.KEYWORD, "order-1"),
    "ExecutionStatus": (Type.KEYWORD, "Completed"),
    "CloseTime": (Type.DATETIME, datetime(2026, 1, 2, tzinfo=UTC)),
    "ExecutionDuration": (Type.INT, 90_000_000_000),
    "Customer": (Type.KEYWORD, "it's Ada"),
    "Amount": (Type.INT, 3),
    "Price": (Type.DOUBLE, 0.5),
    "Paid": (Type.BOOL, True),
    "Due": (Type.DATETIME, datetime(2026, 1, 1, tzinfo=UTC)),
    "Note": (Type.TEXT, "Hello big world"),
    "Tags": (Type.KEYWORD_LIST, ["a", "b"]),
}


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("", True),
        ("WorkflowId = 'order-1'", True),
        ('WorkflowId = "order-1" and Amount=3', True),
        ("`Amount` <> 3", False),
        ("Amount > 2.5 AND Price <= 0.5", True),
        ("Amount = '3'", False),
        ("Paid = true", True),
        ("Paid = 'true'", False),
        ("Paid = 1", False),
        ("Customer = 'it''s Ada'", True),
        (r"Customer = 'it\'s Ada'", True),
        ("Customer STARTS_WITH 'it'", True),
        ("Customer NOT STARTS_WITH 'it'", False),
        ("Customer > 'a' AND Customer < 'z'", True),
        ("Amount IN (1, 2, 3)", True),
        ("Amount NOT IN (1, 2)", True),
        ("Amount BETWEEN 3 AND 4", True),
        ("Amount NOT BETWEEN 3 AND 4", False),
        ("Amount BETWEEN 4 AND 5 OR Amount BETWEEN 1 AND 3", True),
        ("Due = '2026-01-01T00:00:00Z'", True),
        ("Due < '2026-01-01T01:00:00+01:00'", False),
        ("CloseTime IS NOT NULL", True),
        ("ExecutionStatus = 2", True),
        ("ExecutionStatus IN ('Running', 'Completed')", True),
        ("ExecutionDuration > '1m' AND ExecutionDuration <= '1m30s'", True),
        ("Note = 'big'", True),
        ("Note = 'WORLD hello'", True),
        ("Note = 'big house'", False),
        ("Note != 'house'", True),
        ("Tags = 'a'", True),
        ("Tags != 'a'", False),
        ("Tags IN ('z', 'b')", True),
        ("NOT Amount = 4", True),
        ("NOT (Amount = 3 OR Paid = true)", False),
        ("Nobody = 1", False),
        ("NOT Nobody = 1", False),
        ("Nobody != 1", False),
        ("Nobody IS NULL", True),
        ("Nobody = 1 OR Amount = 3", True),
    ],
)
def test_a_condition_is_true_of_some_and_not_of_others(query: str, is_found: bool) -> None:  # noqa: FBT001
    """Types are compared as such: a number is no text, and a text is found by its words."""
    assert parse_query(query).finds(ADA) is is_found


def test_and_binds_closer_than_or_and_not_closer_than_both() -> None:
    """As everywhere; all eight rows of a table of truth."""
    query = parse_query("A = 1 OR B = 1 AND NOT C = 1")
    for a, b, c in product((0, 1), repeat=3):
        row = {name: (Type.INT, value) for name, value in (("A", a), ("B", b), ("C", c))}
        assert query.finds(row) is bool(a or (b and not c))


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("Amount", "invalid expression: incomplete expression"),
        ("Amount = ", "syntax error at position 10: it ends too early"),
        ("(Amount = 1", "syntax error at position 12"),
        ("Amount = 1 AND", "syntax error at position 15"),
        ("Amount = 1 Paid = true", "syntax error at position 12 near 'Paid'"),
        ("Amount ~ 1", "syntax error at position 8 near '~ 1'"),
        ("Amount NOT = 1", "syntax error at position 12 near '='"),
        ("SELECT * FROM x", "syntax error at position 8"),
        ("LIMIT 3", "syntax error at position 1 near 'LIMIT'"),
        ("Customer LIKE 'a%'", "invalid operator 'like' in `Customer LIKE 'a%'`; write STARTS_W"),
        ("Customer STARTS_WITH 3", "the prefix of STARTS_WITH is a text"),
        ("StartTime > 'bogus'", "unable to parse datetime 'bogus'"),
        ("ExecutionDuration > 'long'", "unable to parse duration"),
        ("ExecutionStatus = 'completed'", "invalid ExecutionStatus value 'completed'; there are"),
        ("executionstatus = 'Completed'", "'executionstatus' is not a valid search attribute; wr"),
        ("GROUP BY WorkflowType", "'group by' clause is only supported for ExecutionStatus"),
    ],
)
def test_what_cannot_be_understood_is_refused(query: str, sentence: str) -> None:
    """With the place, or with the word that was meant."""
    with pytest.raises(QueryError) as caught:
        parse_query(query)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("invalid query: ")
