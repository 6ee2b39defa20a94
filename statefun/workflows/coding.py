"""Codecs in workflows: the payload converter of a run, with the codec behind it.

Values are converted while the code of a workflow runs, and that cannot wait. So a codec is run to
its end at once, outside of the guards: it may use chance, clocks and threads as anywhere. One that
waits for something is run on an event loop of its own, and its worker waits for it.
"""

from __future__ import annotations

import asyncio
from asyncio import events
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from statefun.durable.guards import unguarded
from statefun.workflows.common import RawValue
from statefun.workflows.payloads import PayloadConverter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from statefun.workflows import _proto
    from statefun.workflows.converter import DataConverter, PayloadCodec

__all__ = ["coded", "raw_values"]

T = TypeVar("T")


def coded(converter: DataConverter) -> PayloadConverter:
    """The payload converter of a data converter, with its codec if it has one."""
    if converter.payload_codec is None:
        return converter.payload_converter
    return _CodedPayloadConverter(converter.payload_converter, converter.payload_codec)


class _CodedPayloadConverter(PayloadConverter):
    """Converts, and encodes what it has converted."""

    def __init__(self, plain: PayloadConverter, codec: PayloadCodec) -> None:
        self._plain = plain
        self._codec = codec

    def to_payloads(self, values: Sequence[Any]) -> list[_proto.Payload]:
        """See `PayloadConverter`."""
        payloads = self._plain.to_payloads(values)
        return _finished(lambda: self._codec.encode(payloads)) if payloads else []

    def from_payloads(
        self, payloads: Sequence[_proto.Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """See `PayloadConverter`."""
        if not payloads:
            return self._plain.from_payloads([], type_hints)
        decoded = _finished(lambda: self._codec.decode(payloads))
        return self._plain.from_payloads(decoded, type_hints)

    def raw_values(self, payloads: Sequence[_proto.Payload]) -> list[RawValue]:
        """Values that are not converted, decoded."""
        return [RawValue(each) for each in _finished(lambda: self._codec.decode(payloads))]


def raw_values(converter: PayloadConverter, payloads: Sequence[_proto.Payload]) -> list[RawValue]:
    """Payloads for a handler that converts them itself."""
    if isinstance(converter, _CodedPayloadConverter) and payloads:
        return converter.raw_values(payloads)
    return [RawValue(each) for each in payloads]


def _finished(begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of what a codec does, however it waits."""
    loop = events._get_running_loop()  # noqa: SLF001 - the one of the workflow
    with unguarded(loop):
        events._set_running_loop(None)  # noqa: SLF001 - a codec runs outside of workflows
        try:
            return _at_once(begin())
        except _WaitsError:
            with ThreadPoolExecutor(1, "statefun-codec") as thread:
                return thread.submit(asyncio.run, begin()).result()
        finally:
            events._set_running_loop(loop)  # noqa: SLF001 - as it was


class _WaitsError(Exception):
    """A codec waits for something."""


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing.

    Raises:
        _WaitsError: If it waits, or asks for an event loop.
    """
    try:
        coroutine.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    except RuntimeError as error:
        if "event loop" in str(error) or "task" in str(error):
            raise _WaitsError from None
        raise
    coroutine.close()
    raise _WaitsError
