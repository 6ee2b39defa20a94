"""The ingress of a file: each line, a JSON object, becomes a message, exactly once.

Laws:

1. The position, how many bytes were taken in, is stored in the same commit as the messages.
2. A line counts when its end is there; the file is followed as it grows.
3. A line that cannot become a message, or a file that is shorter than its position, stops the
   ingress, and the log says so: nothing is passed over in silence.
"""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from statefun.connectors.delivery import Backoff, Deliverer, Unit
from statefun.connectors.reports import Reports
from statefun.errors import AddressBusyError, RuntimeStoppedError, StoreError
from statefun.ports import IngressMessage, Source
from statefun.sdk.address import Address, parse_typename
from statefun.sdk.wire import encode_typed_value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from statefun.ports import Intake

__all__ = ["FileIngress"]

logger = logging.getLogger("statefun.connectors")

_READ_BYTES: Final = 1 << 20
_LONGEST_LINE: Final = 64 << 20
_FIRST_RETRY: Final = timedelta(milliseconds=10)
_LONGEST_RETRY: Final = timedelta(seconds=1)


class _Line(NamedTuple):
    """A line without its end, and the position behind it."""

    content: bytes
    behind: int


class FileIngress:
    """Reads a file of JSON lines: a member of each object is the id, the line is the value.

    A file that is not there yet is waited for.

    Args:
        ingress_id: Names it, and its position: another name begins anew.
        path: The file.
        value_type: The typename that lines have as messages.
        targets: Typenames of functions; each gets every line.
        key: The member of the object that is the id: text, or a whole number.
        poll: How long to wait before it looks whether the file has grown.

    Raises:
        InvalidTypenameError: If a target is not a typename.
    """

    def __init__(
        self,
        ingress_id: str,
        path: Path,
        value_type: str,
        targets: Sequence[str],
        *,
        key: str = "id",
        poll: timedelta = timedelta(milliseconds=200),
    ) -> None:
        for target in targets:
            parse_typename(target)
        self.ingress_id = ingress_id
        self.problem = ""
        self._path = path
        self._value_type = value_type
        self._targets = tuple(targets)
        self._key = key
        self._poll_s = poll.total_seconds()
        self._reports = Reports(f"ingress {ingress_id}, file {path}")
        self._name = f"{ingress_id}/{path.name}"
        self._first = 0
        self._deliverer: Deliverer | None = None
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._task: asyncio.Task[None] | None = None

    async def start(self, intake: Intake) -> None:
        """Begin to read, behind what was taken in before; see `Ingress`."""
        self._first = int(intake.position(self._name) or 0)
        backoff = Backoff(_FIRST_RETRY, _LONGEST_RETRY)
        deliverer = self._deliverer = Deliverer(self._name, intake, backoff)
        self._task = asyncio.create_task(self._run(deliverer, backoff), name="statefun-file")

    async def stop(self) -> None:
        """Read nothing more; see `Ingress`."""
        if self._deliverer is not None:
            await self._deliverer.settle()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def pause(self) -> None:
        """Read nothing for now; see `Ingress`."""
        self._may_read.clear()

    def resume(self) -> None:
        """Go on; see `Ingress`."""
        self._may_read.set()

    def sources(self) -> list[Source]:
        """The file: positions are bytes."""
        try:
            end = self._path.stat().st_size
        except OSError:
            end = None
        is_held = self._deliverer is not None and self._deliverer.is_held
        is_paused = is_held or not self._may_read.is_set()
        return [Source(self._name, self._position, end, is_paused=is_paused, problem=self.problem)]

    @property
    def _position(self) -> int:
        stored = None if self._deliverer is None else self._deliverer.position
        return self._first if stored is None else int(stored)

    async def _run(self, deliverer: Deliverer, backoff: Backoff) -> None:
        while not self.problem:
            await self._may_read.wait()
            try:
                lines = await asyncio.to_thread(self._read, self._position)
                await self._deliver(deliverer, lines)
            except _ShorterError as error:
                self._stand_still(
                    f"it has {error.size} bytes only, so it was cut or replaced; to read it from "
                    "its beginning, give the ingress another id"
                )
            except OSError as error:
                self._reports.tell("read", f"it cannot be read ({error}); it goes on trying")
                await asyncio.sleep(self._poll_s)
            except (AddressBusyError, StoreError):
                await asyncio.sleep(backoff.next_s())
            except RuntimeStoppedError:
                return
            except Exception as error:
                logger.exception("%s: an unexpected error", self._name)
                self._stand_still(f"an unexpected error, {error!r}; start again")
            else:
                backoff.reset()
                self._reports.clear()
                if not lines:
                    await asyncio.sleep(self._poll_s)

    def _read(self, position: int) -> list[_Line]:
        """Read the next whole lines, at least one if there is one."""
        with self._path.open("rb") as file:
            size = file.seek(0, 2)
            if size < position:
                raise _ShorterError(size)
            file.seek(position)
            content = file.read(_READ_BYTES)
            while b"\n" not in content and len(content) < _LONGEST_LINE:
                if not (more := file.read(_READ_BYTES)):
                    break
                content += more
        lines = []
        for line in content.split(b"\n")[:-1]:
            position += len(line) + 1
            lines.append(_Line(line, position))
        return lines

    async def _deliver(self, deliverer: Deliverer, lines: Sequence[_Line]) -> None:
        units, problem = [], ""
        for line in lines:
            made = self._messages_of(line.content)
            if isinstance(made, str):
                problem = f"{made}. Correct the line, and start again"
                break
            units.append(Unit(made, b"%d" % line.behind))
        problem = await deliverer.deliver_all(units) or problem
        if problem:
            self._stand_still(problem)

    def _messages_of(self, line: bytes) -> list[IngressMessage] | str:
        """Give the messages that a line becomes, none for an empty one; or why it cannot."""
        if not line.strip():
            return []
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            return f"a line is not JSON: {error}"
        key = document.get(self._key) if isinstance(document, dict) else None
        if not isinstance(key, str | int) or isinstance(key, bool):
            return f"a line is not an object with text or a whole number at {self._key!r}"
        argument = encode_typed_value(self._value_type, line.strip())
        return [
            IngressMessage(Address(target, str(key)), argument, "", self._path.name)
            for target in self._targets
        ]

    def _stand_still(self, problem: str) -> None:
        self.problem = problem
        self._reports.tell(
            "problem", f"it stands still at byte {self._position}: {problem}", logging.ERROR
        )


class _ShorterError(Exception):
    """The file is shorter than what was taken in of it."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size
