"""Plain functions and egresses, as an execution reaches them."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from statefun.durable import _proto
from statefun.durable.contexts.base import ONE_MILLISECOND, Steps
from statefun.durable.exceptions import TerminalError
from statefun.sdk.builders import message_builder
from statefun.sdk.messages import EgressMessage, Message
from statefun.sdk.wire import TypedValue

__all__ = ["FunctionSteps"]


class FunctionSteps(Steps):
    """The methods of `FunctionsContext`."""

    def call_function(
        self,
        typename: str,
        id: str,  # noqa: A002 - the word of an address
        value: Any,
        *,
        value_type: Any = None,
        reply_type: Any = None,
    ) -> Any:
        """Call a plain function and await what it sends to its caller."""
        message = _plain_message(typename, id, value, value_type)
        self._execution.here.outbox.check_message(message)
        self._check_pending()
        self._check_sent(len(message.argument()))
        seq, is_new = self._run.step(f"call function {typename}/{id}")
        if is_new:
            ask = _proto.Ask(
                reply=self._route(seq), typename=typename, id=id, argument=message.argument()
            )
            here = self._execution.here
            proxy = f"{self._execution.id}:{seq}"
            here.outbox.send(here.directory.proxy_typename, proxy, _proto.Envelope(ask=ask))
        return self._run.future(seq, partial(_plain_answer, reply_type))

    def send_function(self, message: Message, delay: timedelta | None = None) -> None:
        """Send a message to a plain function."""
        if not isinstance(message, Message):
            raise TerminalError(f"send_function takes a Message, got {message!r}", 400)
        if delay is not None and delay < timedelta(0):
            raise TerminalError(f"a delay is zero or more, got {delay!r}", 400)
        self._execution.here.outbox.check_message(message)
        self._check_sent(len(message.argument()))
        target = f"{message.target_typename}/{message.target_id}"
        _, is_new = self._run.step(f"send function {target}")
        if is_new:
            self._execution.here.outbox.send_plain(
                message, (delay or timedelta(0)) // ONE_MILLISECOND
            )

    def send_egress(self, message: EgressMessage) -> None:
        """Send a record to an egress."""
        if not isinstance(message, EgressMessage):
            raise TerminalError(f"send_egress takes an EgressMessage, got {message!r}", 400)
        self._execution.here.outbox.check_egress(message)
        self._check_sent(len(message.argument()))
        _, is_new = self._run.step(f"send egress {message.typename}")
        if is_new:
            self._execution.here.outbox.send_egress(message)


def _plain_message(typename: str, target_id: str, value: Any, value_type: Any) -> Message:
    if value_type is not None:
        return message_builder(typename, target_id, value=value, value_type=value_type)
    for kind, keyword in ((bool, "bool_value"), (int, "int_value"), (float, "double_value")):
        if isinstance(value, kind):
            plain: Any = {keyword: value}
            return message_builder(typename, target_id, **plain)
    return message_builder(typename, target_id, str_value=value)


def _plain_answer(reply_type: Any, data: bytes) -> Any:
    message = Message("io.statefun.durable/answer", "answer", TypedValue.FromString(data))
    if reply_type is not None:
        return message.as_type(reply_type)
    for is_kind, read in (
        (message.is_string, message.as_string),
        (message.is_int, message.as_int),
        (message.is_bool, message.as_bool),
        (message.is_long, message.as_long),
        (message.is_double, message.as_double),
        (message.is_float, message.as_float),
    ):
        if is_kind():
            return read()
    return message.raw_value()
