"""The directory: which function is reached how.

Law: a function of this process goes before an endpoint; an endpoint for one typename goes before
one for a namespace; the order in which endpoints are given decides nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from statefun.errors import AlreadyRegisteredError, ConfigurationError, UnknownFunctionError
from statefun.runtime.engine.policy import FailurePolicy, Limits
from statefun.runtime.transports.base import InProcessTransport
from statefun.runtime.transports.breaker import Breaker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.runtime.transports.base import Transport
    from statefun.sdk.functions import StatefulFunctions

__all__ = ["Endpoint", "FunctionRouter"]


_MANY_TYPENAMES: Final = 10_000
"""So many are remembered of those that only endpoints serve."""


class Endpoint(Protocol):
    """Functions that are reached somewhere else."""

    @property
    def functions(self) -> str:
        """Which, as `namespace/name` or `namespace/*`; to name them in errors."""
        ...

    @property
    def is_specific(self) -> bool:
        """Whether it is for one typename; then it goes before one for a namespace."""
        ...

    @property
    def failure(self) -> FailurePolicy | None:
        """The policy for messages to its functions; None for the runtime's."""
        ...

    @property
    def limits(self) -> Limits | None:
        """The limits of its functions' addresses; None for the runtime's."""
        ...

    def matches(self, typename: str) -> bool:
        """Whether it is for functions of this typename."""
        ...

    def transport(self, typename: str) -> Transport:
        """The way to a function that `matches`."""
        ...

    async def close(self) -> None:
        """Release every resource; called once, after the last attempt."""
        ...


class FunctionRouter:
    """Finds the transport of a function.

    Args:
        functions: Those of this process.
        endpoints: Those elsewhere.

    Attributes:
        functions: Those of this process.

    Raises:
        AlreadyRegisteredError: If a typename is registered by two of `functions`.
        ConfigurationError: If two endpoints name the same functions.
    """

    def __init__(
        self, functions: Sequence[StatefulFunctions] = (), endpoints: Sequence[Endpoint] = ()
    ) -> None:
        self.functions = tuple(functions)
        self._transports: dict[str, Transport] = {}  # to those of this process
        # Strangers can make up as many names in a namespace as they like.
        self._endpoint = lru_cache(_MANY_TYPENAMES)(self._find_endpoint)
        self._way = lru_cache(_MANY_TYPENAMES)(self._find_way)
        for registry in functions:
            self._add_functions(registry)
        self._endpoints = sorted(endpoints, key=lambda endpoint: not endpoint.is_specific)
        self._breakers = {endpoint.functions: Breaker() for endpoint in endpoints}
        named = [endpoint.functions for endpoint in endpoints]
        for name in named:
            if named.count(name) > 1:
                raise ConfigurationError(
                    f"two endpoints name the functions {name!r}: remove one of them",
                    option="functions",
                    given=name,
                )

    def _add_functions(self, registry: StatefulFunctions) -> None:
        transport = InProcessTransport(registry)
        for typename in registry.typenames:
            if typename in self._transports:
                raise AlreadyRegisteredError(
                    f"{typename!r} is registered by two of the given functions: "
                    "give each function its own typename",
                    name=typename,
                )
            self._transports[typename] = transport

    @property
    def typenames(self) -> tuple[str, ...]:
        """The typenames of functions of this process, and what the endpoints name."""
        return *self._transports, *(endpoint.functions for endpoint in self._endpoints)

    def knows(self, typename: str) -> bool:
        """Whether there is a way to the function."""
        return typename in self._transports or self._endpoint(typename) is not None

    def is_in_process(self, typename: str) -> bool:
        """Whether a function runs in this process."""
        return typename in self._transports

    def transport(self, typename: str) -> Transport:
        """The way to a function.

        Raises:
            UnknownFunctionError: If there is none.
        """
        return self._transports.get(typename) or self._way(typename)

    def _find_way(self, typename: str) -> Transport:
        endpoint = self._endpoint(typename)
        if endpoint is None:
            raise UnknownFunctionError(typename, self.typenames)
        return endpoint.transport(typename)

    def breaker(self, typename: str) -> Breaker | None:
        """The breaker before the endpoint of a function; None before one of this process."""
        endpoint = self._elsewhere(typename)
        return None if endpoint is None else self._breakers[endpoint.functions]

    @property
    def failure_policies(self) -> dict[str, FailurePolicy | None]:
        """The policies of the endpoints, by the functions that each of them names.

        Functions of this process are in it with None, for no endpoint speaks for them.
        """
        policies = {each.functions: each.failure for each in self._endpoints}
        return policies | dict.fromkeys(self._transports)

    @property
    def limits(self) -> dict[str, Limits]:
        """The limits of the endpoints, likewise."""
        limits = {each.functions: each.limits or Limits() for each in self._endpoints}
        return limits | dict.fromkeys(self._transports, Limits())

    async def close(self) -> None:
        """Close every endpoint."""
        for endpoint in self._endpoints:
            await endpoint.close()

    def _elsewhere(self, typename: str) -> Endpoint | None:
        """The endpoint of a function that is not of this process."""
        return None if typename in self._transports else self._endpoint(typename)

    def _find_endpoint(self, typename: str) -> Endpoint | None:
        return next((each for each in self._endpoints if each.matches(typename)), None)
