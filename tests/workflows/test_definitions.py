"""Law: what can never run is refused where it is decorated, with all its faults."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - types are read when it runs
from typing import Any

import pytest

from statefun.workflows import activity, workflow
from statefun.workflows.common import RawValue  # noqa: TC001 - types are read when it runs
from statefun.workflows.definitions import WorkflowDefinition


class NoRun:
    """A class without a main method."""


class TwoRuns:
    """A class with two of them."""

    @workflow.run
    async def a(self) -> None:
        """One."""

    @workflow.run
    async def b(self) -> None:
        """Another."""


class Base:
    """A base class with a main method and a signal."""

    @workflow.run
    async def a(self) -> None:
        """Main."""

    @workflow.signal
    def s(self) -> None:
        """A signal."""


class Inherits(Base):
    """A class that only inherits it."""


class Overrides(Base):
    """A class that overrides without decorating."""

    async def a(self) -> None:
        """Main."""

    def s(self) -> None:
        """A signal."""


class SameNames:
    """A class with two handlers of one signal, and a query of that name."""

    @workflow.run
    async def run(self) -> None:
        """Main."""

    @workflow.signal(name="s")
    def s1(self) -> None:
        """One."""

    @workflow.signal(name="s")
    def s2(self) -> None:
        """Another."""

    @workflow.query
    def s(self) -> None:
        """A query of that name is fine."""


class OtherInit:
    """A class whose `__init__` takes something else."""

    @workflow.init
    def __init__(self, x: int) -> None:
        self.x = x

    @workflow.run
    async def run(self, x: str) -> None:
        """Main."""


class OtherValidator:
    """A class whose validator takes something else."""

    @workflow.run
    async def run(self) -> None:
        """Main."""

    @workflow.update
    def u(self, x: int) -> None:
        """An update."""

    @u.validator
    def v(self, x: str) -> None:
        """Its validator."""


OVERRIDES = (
    "Invalid workflow class for 2 reasons: @workflow.run defined on Base.a but not on the "
    "override, @workflow.signal defined on Base.s but not on the override"
)
OTHER_INIT = (
    "Invalid workflow class: @workflow.init and @workflow.run method parameters do not match"
)
OTHER_VALIDATOR = (
    "Invalid workflow class: Update validator method v parameters do not match update method u "
    "parameters"
)


@pytest.mark.parametrize(
    ("cls", "sentence"),
    [
        (NoRun, "Invalid workflow class: Missing @workflow.run method"),
        (
            TwoRuns,
            "Invalid workflow class: Multiple @workflow.run methods found (at least on b and a)",
        ),
        (
            Inherits,
            "Invalid workflow class: @workflow.run method a must be defined on Inherits",
        ),
        (Overrides, OVERRIDES),
        (
            SameNames,
            "Invalid workflow class: Multiple signal methods found for s (at least on s2 and s1)",
        ),
        (OtherInit, OTHER_INIT),
        (OtherValidator, OTHER_VALIDATOR),
    ],
)
def test_a_class_that_cannot_be_a_workflow_is_refused(cls: type[Any], sentence: str) -> None:
    """All faults stand in one sentence."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is compared below
        workflow.defn(cls)
    assert str(refused.value) == sentence


def test_a_class_is_decorated_once() -> None:
    """So is a function."""
    with pytest.raises(ValueError, match="Class already contains workflow definition"):
        workflow.defn(workflow.defn(_Fine))
    with pytest.raises(ValueError, match="Function already contains activity definition"):
        activity.defn(activity.defn(_fine))


class _Fine:
    @workflow.run
    async def run(self) -> None:
        """Main."""


async def _fine() -> None:
    pass


def test_a_main_method_is_async_and_not_local() -> None:
    """It is imported by its name."""
    with pytest.raises(ValueError, match="Workflow run method must be an async function"):

        @workflow.run
        def run(self: Any) -> None:
            """Not async."""

    with pytest.raises(ValueError, match=r"Local classes unsupported, @workflow.run cannot be on"):

        class Local:
            """A class inside of a function."""

            @workflow.run
            async def run(self) -> None:
                """Main."""


def test_a_handler_has_a_name_or_takes_all() -> None:
    """Not both; and one that takes all has its own parameters."""
    for decorate in (workflow.signal, workflow.query, workflow.update):
        with pytest.raises(RuntimeError, match="Cannot provide name and dynamic boolean"):
            decorate(name="x", dynamic=True)
        with pytest.raises(RuntimeError, match="Dynamic handler must have 3 arguments"):
            decorate(dynamic=True)(_wrong_dynamic)


def _wrong_dynamic(self: Any, name: str) -> None:
    del self, name


def test_what_takes_all_takes_raw_values() -> None:
    """A dynamic workflow and a dynamic activity have one parameter."""
    with pytest.raises(TypeError, match="Dynamic activity must accept a single Sequence"):
        activity.defn(dynamic=True)(_other)
    activity.defn(dynamic=True)(_raw)


async def _other(x: int) -> None:
    del x


async def _raw(args: Sequence[RawValue]) -> None:
    del args


def test_an_activity_has_no_parameters_by_keyword_only() -> None:
    """Arguments come by position."""
    with pytest.raises(TypeError, match="Activity cannot have keyword-only arguments"):
        activity.defn(_keyword_only)


async def _keyword_only(*, x: int) -> None:
    del x


def test_a_validator_is_not_async_and_there_is_one() -> None:
    """It decides at once."""

    def update(self: Any) -> None:
        del self

    decorated = workflow.update(update)
    decorated.validator(_validates)
    with pytest.raises(RuntimeError, match="Validator already set for update update"):
        decorated.validator(_validates)
    with pytest.raises(ValueError, match="Update validator must not be an async function"):
        workflow.update(name="other")(_other_update).validator(_fine)


def _other_update(self: Any) -> None:
    del self


def _validates(self: Any) -> None:
    del self


def test_an_async_query_is_warned_of() -> None:
    """It works as long as it does not wait."""
    with pytest.warns(DeprecationWarning, match="Queries as async def functions are deprecated"):

        @workflow.query
        async def q(self: Any) -> None:
            del self


def test_init_decorates_init() -> None:
    """Nothing else."""
    with pytest.raises(ValueError, match=r"@workflow.init may only be used on the __init__ method"):
        workflow.init(_fine)


def test_a_dynamic_workflow_is_not_started_by_its_method() -> None:
    """A name is needed."""
    with pytest.raises(ValueError, match=r"was it decorated with @workflow.run"):
        WorkflowDefinition.of_run(_fine)


def test_functions_of_workflows_and_activities_are_refused_elsewhere() -> None:
    """They say so; the questions are false."""
    assert not workflow.in_workflow()
    assert not activity.in_activity()
    with pytest.raises(Exception, match=r"^Not in workflow event loop$"):
        workflow.info()
    with pytest.raises(RuntimeError, match=r"^Not in activity context$"):
        activity.info()
