"""The batch: what one request brings, as bytes to be read fast and as objects for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.sdk.address import sdk_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.sdk import _proto
    from statefun.sdk.address import SdkAddress

__all__ = ["Batch"]


class Batch:
    """The messages that waited for one address, with its state.

    Attributes:
        typename: The typename of the address.
        target_id: Its id.
        state: The values, each a serialized PersistedValue.
        invocations: The messages in order, each a serialized Invocation.
    """

    __slots__ = ("_objects", "_request", "invocations", "state", "target_id", "typename")

    def __init__(
        self,
        request: _proto.ToFunction,
        typename: str,
        target_id: str,
        state: list[bytes],
        invocations: list[bytes],
    ) -> None:
        self._request = request
        self._objects: Sequence[_proto.ToFunction.Invocation] | None = None
        self.typename = typename
        self.target_id = target_id
        self.state = state
        self.invocations = invocations

    @property
    def address(self) -> SdkAddress:
        """The address."""
        return sdk_address(self._request.invocation.target)

    def invocation(self, position: int) -> _proto.ToFunction.Invocation:
        """The message at this position, from zero, as an object."""
        objects = self._objects
        if objects is None:
            objects = self._objects = self._request.invocation.invocations
        return objects[position]

    def __reduce__(self) -> tuple[Any, ...]:
        """Without the objects: a message may be pickled, protobuf's containers may not."""
        return Batch, (self._request, self.typename, self.target_id, self.state, self.invocations)
