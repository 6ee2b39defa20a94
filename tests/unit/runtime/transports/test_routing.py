"""The directory: which function is reached how."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

import pytest

from statefun.errors import AlreadyRegisteredError, ConfigurationError, UnknownFunctionError
from statefun.runtime.transports.base import InProcessTransport
from statefun.runtime.transports.http import HttpEndpoint, HttpTransport
from statefun.runtime.transports.routing import FunctionRouter
from statefun.sdk.functions import StatefulFunctions

if TYPE_CHECKING:
    from statefun.runtime.transports.base import Transport
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message


def functions(*typenames: str) -> StatefulFunctions:
    registry = StatefulFunctions()
    for typename in typenames:
        registry.register(typename, unused)
    return registry


async def unused(context: Context, message: Message) -> None: ...


SPECIFIC = HttpEndpoint("t/one", "http://specific/")
NAMESPACE = HttpEndpoint("t/*", "http://namespace/{function.name}")


@pytest.mark.parametrize("endpoints", [(SPECIFIC, NAMESPACE), (NAMESPACE, SPECIFIC)])
@pytest.mark.parametrize(
    ("typename", "url"),
    [("t/one", "http://specific/"), ("t/two", "http://namespace/two")],
)
def test_an_endpoint_for_a_function_goes_before_one_for_its_namespace(
    endpoints: tuple[HttpEndpoint, ...], typename: str, url: str
) -> None:
    """In whichever order they are given."""
    transport = FunctionRouter(endpoints=endpoints).transport(typename)

    assert isinstance(transport, HttpTransport)
    assert transport.url == url


def test_a_function_of_this_process_goes_before_any_endpoint() -> None:
    """Even one that names it."""
    directory = FunctionRouter([functions("t/one")], [SPECIFIC, NAMESPACE])

    assert isinstance(directory.transport("t/one"), InProcessTransport)


def test_names_that_somebody_made_up_do_not_pile_up() -> None:
    """An endpoint for a namespace takes any; those not asked for lately are forgotten."""
    directory = FunctionRouter([functions("t/one")], [NAMESPACE])
    ways: WeakSet[Transport] = WeakSet()

    for number in range(11_000):
        assert directory.knows(f"t/made-up-{number}")
        ways.add(directory.transport(f"t/made-up-{number}"))

    assert len(ways) == 10_000
    assert directory.transport("t/made-up-10999") is directory.transport("t/made-up-10999")


def test_a_typename_that_nobody_serves_is_unknown() -> None:
    """The error names what there is."""
    directory = FunctionRouter([functions("t/a", "t/b")], [HttpEndpoint("u/*", "http://u/")])

    known = {name: directory.knows(name) for name in ("t/a", "u/x", "t/x", "u.v/x", "x", "")}
    with pytest.raises(UnknownFunctionError) as error:
        directory.transport("t/x")

    assert known == {"t/a": True, "u/x": True, "t/x": False, "u.v/x": False, "x": False, "": False}
    assert error.value.registered == ("t/a", "t/b", "u/*")


def test_two_endpoints_for_the_same_functions_are_refused() -> None:
    """Nobody could say which is meant."""
    with pytest.raises(ConfigurationError, match=r"two endpoints name the functions 't/\*'"):
        FunctionRouter(endpoints=[NAMESPACE, HttpEndpoint("t/*", "http://other/")])


def test_two_functions_of_one_typename_are_refused() -> None:
    """Across registries as within one."""
    with pytest.raises(AlreadyRegisteredError, match="'t/a' is registered by two"):
        FunctionRouter([functions("t/a"), functions("t/a")])
