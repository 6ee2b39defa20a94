"""Faults, laws and fixtures of the test kit: what an engine may do, without an engine."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statefun import (
    Context,
    IntType,
    LongType,
    Message,
    StatefulFunctions,
    StringType,
    Type,
    ValueSpec,
    kafka_egress_message,
    make_json_type,
    message_builder,
)
from statefun.errors import ConfigurationError
from statefun.testing import FAULTS, Harness, assert_same_however_delivered, outcome_of
from statefun.testing.strategies import messages, values

if TYPE_CHECKING:
    from statefun.testing import Fault

pytest_plugins = ["pytester"]


class Shop:
    """Functions that add up what they get, and count how often they run."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, int]] = []  # (id, messages handled before in this process)
        self.functions = StatefulFunctions()
        specs = [
            ValueSpec("sum", LongType),
            ValueSpec("soon", IntType, expire_after_write=timedelta(hours=1)),
        ]
        self.functions.register("t/add", self.add, specs)

    def add(self, context: Context, message: Message) -> None:
        self.runs.append((context.address.id, len(self.runs)))
        context.storage.sum = (context.storage.sum or 0) + message.expect(LongType)
        context.storage.soon = (context.storage.soon or 0) + 1
        context.send_egress(kafka_egress_message("t/out", topic="t", value=context.address.id))


def sent(*numbers: int) -> list[Message]:
    return [message_builder("t/add", "1", long_value=each) for each in numbers]


def harness_of(*faults: Fault) -> tuple[Harness, Shop]:
    shop = Shop()
    harness = Harness(shop.functions, faults=faults)
    for each in sent(1, 2, 3):
        harness.send(each)
    harness.run()
    return harness, shop


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_changes_the_sum(fault: Fault) -> None:
    """Whatever happens to the input, each message counts once, and each record is sent once."""
    harness, _ = harness_of(fault)

    assert harness.state("t/add", "1")["sum"].value == 6
    assert [record.kafka.value for record in harness.egress("t/out")] == [b"1"] * 3


@pytest.mark.parametrize(
    ("faults", "runs"),
    [((), 3), (("repeated",), 6), (("reply-lost",), 6), (("split",), 3), (("merged",), 3)],
)
def test_a_function_runs_as_often_as_its_input_comes(faults: tuple[Fault, ...], runs: int) -> None:
    """A batch that comes again is run again."""
    assert len(harness_of(*faults)[1].runs) == runs


def test_a_value_that_can_expire_is_gone_whenever_it_is_read() -> None:
    """And others are not."""
    harness, _ = harness_of("expired", "split")

    assert {name: each.value for name, each in harness.state("t/add", "1").items()} == {"sum": 6}


@pytest.mark.parametrize(
    ("faults", "says"),
    [(["lost"], "there is no fault 'lost': choose of reply-lost"), (["split", "merged"], "one of")],
)
def test_faults_that_make_no_sense_are_refused(faults: Any, says: str) -> None:
    """With those that there are."""
    with pytest.raises(ConfigurationError, match=says):
        Harness(Shop().functions, faults=faults)


def test_a_function_that_keeps_to_its_storage_passes_the_law() -> None:
    """However its input is delivered."""
    assert_same_however_delivered(Shop().functions, sent(1, 2, 3))


def remembering(context: Context, message: Message, seen: list[int] = []) -> None:  # noqa: B006 - the mistake
    seen.append(1)
    context.storage.sum = len(seen)


def test_a_function_that_keeps_something_elsewhere_breaks_the_law() -> None:
    """The error names the faults that show it."""
    functions = StatefulFunctions()
    functions.register("t/add", remembering, [ValueSpec("sum", LongType)])

    with pytest.raises(AssertionError, match="another outcome under the faults"):
        assert_same_however_delivered(functions, sent(1, 2, 3))


def test_a_view_says_what_has_to_be_the_same() -> None:
    """Here: nothing but the records."""
    functions = StatefulFunctions()
    functions.register("t/add", remembering, [ValueSpec("sum", LongType)])

    assert_same_however_delivered(functions, sent(1), view=lambda outcome: outcome.egress)


@given(st.lists(messages("t/add", LongType, values=st.integers(0, 9)), max_size=6))
def test_strategies_make_messages_for_the_law(some: list[Message]) -> None:
    """To several addresses."""
    assert_same_however_delivered(Shop().functions, some)


@given(st.data())
def test_strategies_make_every_value_of_a_built_in_type(data: st.DataObject) -> None:
    """And messages of it."""
    types: list[Type[Any]] = [IntType, LongType, StringType]
    value_type = data.draw(st.sampled_from(types))
    value = data.draw(values(value_type))
    message = data.draw(messages("t/f", value_type))

    assert value_type.serializer().deserialize(value_type.serializer().serialize(value)) == value
    assert message.is_type(value_type)


def test_values_of_ones_own_are_the_users_to_build() -> None:
    """The error says how."""
    with pytest.raises(ConfigurationError, match=r"hypothesis\.strategies\.builds"):
        values(make_json_type("t/own"))


def test_an_outcome_has_state_records_and_dead_letters() -> None:
    """Of all addresses."""
    outcome = outcome_of(Shop().functions, sent(4))

    assert [str(each) for each in outcome.state] == ["t/add '1'"]
    assert (len(outcome.egress["t/out"]), outcome.dead_letters) == (1, [])


def test_the_plugin_has_fixtures(pytester: pytest.Pytester) -> None:
    """A test file says which functions are under test; without that, an error says so."""
    pytester.makepyfile(
        test_shop="""
        import pytest
        from statefun import IntType, StatefulFunctions, ValueSpec

        @pytest.fixture
        def functions():
            functions = StatefulFunctions()

            @functions.bind("t/f", specs=[ValueSpec("n", IntType)])
            def count(context, message):
                context.storage.n = (context.storage.n or 0) + 1

            return functions

        def test_one(harness):
            harness.send("t/f", "1", int_value=1)
            harness.run()
            assert harness.state("t/f", "1")["n"].value == 1

        def test_two(harness_under):
            harness = harness_under("repeated", "restart")
            harness.send("t/f", "1", int_value=1)
            harness.run()
            assert harness.state("t/f", "1")["n"].value == 1
        """,
        test_nothing="def test_three(harness): pass",
    )

    done = pytester.runpytest("-p", "no:statefun", "-p", "statefun.testing.pytest_plugin")

    done.assert_outcomes(passed=2, errors=1)
    done.stdout.fnmatch_lines(["*define one in the test file or in conftest.py*"])
