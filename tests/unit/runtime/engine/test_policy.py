"""Policies: the most specific rule for a function holds, and topics go before functions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from statefun.errors import ConfigurationError
from statefun.runtime.engine.policy import (
    ENDLESS,
    ENDLESS_TYPES,
    FailurePolicy,
    Limits,
    Retention,
    Rules,
)

ANY: Any = "ignore"
DROP, PAUSE, FAIL = FailurePolicy("drop"), FailurePolicy("pause"), FailurePolicy("fail")


def test_the_most_specific_rule_for_a_function_holds() -> None:
    """A name goes before its namespace, and that before `*`; else the default holds."""
    rules = Rules({"a/b": DROP, "a/*": PAUSE, "*": FAIL})

    assert [rules.failure_of(name) for name in ("a/b", "a/c", "b/b")] == [DROP, PAUSE, FAIL]
    assert Rules({"a/*": PAUSE}).failure_of("b/b") == FailurePolicy()
    assert Rules(DROP).failure_of("b/b") == DROP


def test_the_rule_of_an_endpoint_holds_where_nothing_else_is_said() -> None:
    """What is given to the runtime goes before it, for policies and for limits."""
    few, some = Limits(max_waiting=1), Limits(max_waiting=2)
    rules = Rules(
        {"a/b": DROP}, {"a/b": few}, endpoint_failure={"a/*": PAUSE}, endpoint_limits={"a/*": some}
    )

    assert [rules.failure_of(name) for name in ("a/b", "a/c", "b/c")] == [
        DROP,
        PAUSE,
        FailurePolicy(),
    ]
    assert [rules.limits_of(name) for name in ("a/b", "a/c", "b/c")] == [few, some, Limits()]


def test_the_policy_of_a_topic_goes_before_that_of_the_function() -> None:
    """For messages from that topic, and no others."""
    rules = Rules({"a/b": DROP}, topic_failure={"orders": PAUSE})

    assert rules.failure_of("a/b", "orders") == PAUSE
    assert rules.failure_of("a/b", "clicks") == rules.failure_of("a/b") == DROP


def test_one_address_counts_for_a_quarter_of_all_that_may_wait() -> None:
    """So one alone does not hold up the others."""
    assert Rules(max_waiting_bytes=1000).address_share == 250
    assert Rules(max_waiting_bytes=1).address_share == 1


@pytest.mark.parametrize(
    ("retention", "is_over", "is_old"),
    [
        (Retention(), [False, False], [False, False]),
        (Retention(max_count=2), [False, True], [False, False]),
        (Retention(max_age=timedelta(seconds=1)), [False, False], [False, True]),
    ],
)
def test_a_retention_keeps_as_many_and_as_long_as_it_says(
    retention: Retention, is_over: list[bool], is_old: list[bool]
) -> None:
    """Without a bound everything is kept for ever."""
    assert [retention.is_over(count) for count in (2, 3)] == is_over
    assert [retention.is_old(5, now_ms) for now_ms in (1004, 1005)] == is_old
    assert retention.keeps_all is (retention == Retention())


@pytest.mark.parametrize(
    ("make", "option"),
    [
        (lambda: FailurePolicy(ANY), "on_exhausted"),
        (lambda: FailurePolicy(isolate_after=0), "isolate_after"),
        (lambda: Limits(max_batch=0), "max_batch"),
        (lambda: Retention(max_count=0), "max_count"),
        (lambda: Rules({"greeter": DROP}), "failure"),
        (lambda: Rules(limits={"a/b": ANY}), "limits['a/b']"),
        (lambda: Rules(topic_failure={"*": DROP}), "topic_failure"),
        (lambda: Rules(topic_failure=ANY), "topic_failure"),
        (lambda: Rules(max_waiting_bytes=0), "max_waiting_bytes"),
    ],
)
def test_a_rule_that_makes_no_sense_names_what_is_wrong(make: Any, option: str) -> None:
    """When it is made, not at the first message."""
    with pytest.raises(ConfigurationError) as caught:
        make()

    assert caught.value.option == option


def test_envelopes_of_durable_handlers_are_tried_for_ever_unless_somebody_says_otherwise() -> None:
    """Whoever sent one has rules of its own; what is said of functions, topics, endpoints holds."""
    [envelope] = ENDLESS_TYPES
    silent = Rules(endpoint_failure={"a/*": None})

    assert Rules().failure_of("a/b", value_typename=envelope) is ENDLESS
    assert silent.failure_of("a/b", value_typename=envelope) is ENDLESS
    assert Rules().failure_of("a/b", value_typename="io.statefun.types/int") == FailurePolicy()
    for said in (
        Rules(FailurePolicy()),
        Rules({"a/*": FailurePolicy()}),
        Rules(endpoint_failure={"a/*": FailurePolicy()}),
        Rules(topic_failure={"orders": FailurePolicy()}),
    ):
        assert said.failure_of("a/b", "orders", envelope) == FailurePolicy()


def test_who_says_nothing_hides_what_is_said_of_its_namespace() -> None:
    """An endpoint of one function, or a function of this process, has the default."""
    rules = Rules(endpoint_failure={"a/*": PAUSE, "a/b": None})

    assert [rules.failure_of(name) for name in ("a/b", "a/c")] == [FailurePolicy(), PAUSE]
