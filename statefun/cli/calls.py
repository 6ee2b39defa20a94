"""A line for each call of a function, for who writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.cli.arguments import print_line
from statefun.cli.output import show_name, show_time
from statefun.runtime.clock import SystemClock
from statefun.runtime.observe import Observer
from statefun.sdk.failures import escaped

if TYPE_CHECKING:
    from statefun.sdk.address import Address

__all__ = ["CallLines"]


class CallLines(Observer):
    """Prints who was called, with how many messages, for how long."""

    def __init__(self) -> None:
        self._clock = SystemClock()

    def call_ended(
        self, address: Address, messages: int, seconds: float, error: Exception | None
    ) -> None:
        """Print a line; the log says why a call failed."""
        count = "1 message" if messages == 1 else f"{messages} messages"
        outcome = "" if error is None else f", failed: {type(error).__name__}"
        name = f"{escaped(address.typename)} {show_name(address.id)}"
        print_line(
            f"{show_time(self._clock.now_ms())}  {name}  {count}, {seconds * 1000:.1f} ms{outcome}"
        )
