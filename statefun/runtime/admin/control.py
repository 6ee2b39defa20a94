"""The control socket of a data directory: edits on a runtime that has it.

A Unix domain socket `control.sock` in the data directory, which only its owner may use. One line of
JSON asks, `{"edit": …}`, and one answers, `{"changed": […]}` or `{"error": "…", …}`. Another line,
`{"ask": "sources"}`, is answered by `{"sources": […]}`.

Law: whoever has the data directory makes the edits; nobody else writes to it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statefun.errors import EditError, StatefunError, StoreError, StoreLockedError
from statefun.ports import Source
from statefun.runtime.admin import edit_json, error_json
from statefun.runtime.admin.edits import apply_to_store
from statefun.runtime.stores.sqlite import SqliteReader, SqliteStore
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from statefun.runtime.admin.edits import Changed, Edit

__all__ = ["SOCKET_NAME", "ControlServer", "ask_sources", "is_served", "make_edit"]

logger = logging.getLogger("statefun.runtime")

SOCKET_NAME = "control.sock"
_SOURCES = {"ask": "sources"}
_LONGEST_LINE = 128 << 20
_LONGEST_PATH = 100  # bytes; the shortest limit of a platform is 104, with the final zero
_PATIENCE_S = 60
_TURNS = 5


class ControlServer:
    """Takes edits from processes of the same user.

    Args:
        directory: The data directory.
        edit: Makes an edit; returns what it changed, once that is durable.
        sources: Gives the sources of the ingresses.
    """

    def __init__(
        self,
        directory: Path,
        edit: Callable[[Edit], Awaitable[Changed]],
        sources: Callable[[], Sequence[Source]] = tuple,
    ) -> None:
        self._directory = directory
        self._edit = edit
        self._sources = sources
        self._server: asyncio.Server | None = None
        self._conversations: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> None:
        """Listen; where that is not possible, say so and go on without."""
        try:
            listener = _listen(self._directory)
        except OSError as error:
            logger.warning(
                "no control socket in %s (%s): stop the runtime to edit what it keeps",
                self._directory,
                error,
            )
            return
        self._server = await asyncio.start_unix_server(
            self._begin, sock=listener, limit=_LONGEST_LINE
        )

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is None:
            return
        for _ in range(_TURNS):  # asyncio loses a connection that it accepted a moment before
            await asyncio.sleep(0)
        self._server.close()
        conversations = dict(self._conversations)
        for each in conversations:
            each.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        for writer in conversations.values():  # also of those that had not begun
            writer.transport.abort()
        await asyncio.sleep(0)  # let the event loop close them
        with suppress(OSError):
            (self._directory / SOCKET_NAME).unlink()
        self._server = None

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.ensure_future(self._converse(reader, writer))
        self._conversations[conversation] = writer
        conversation.add_done_callback(self._conversations.pop)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one line."""
        with suppress(OSError, ValueError):  # they left, or the line has no end
            line = await reader.readline()
            if line:
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            question = _parsed(line)
            if question == _SOURCES:
                return {"sources": self._sources()}
            return {"changed": await self._edit(edit_json.decode(question))}
        except StatefunError as error:
            return error_json.encode(error)
        except Exception:
            logger.exception("an edit could not be made: %.200r", line)
            return {"error": "an unexpected error, see the log of the runtime"}


def make_edit(directory: str | Path, edit: Edit, now_ms: int) -> Changed:
    """Make an edit in a data directory, through the runtime that has it if there is one.

    Args:
        directory: The data directory.
        edit: The edit.
        now_ms: The time.

    Returns:
        What was changed; it is durable.

    Raises:
        EditError: If it cannot be made, `EditTargetError` if what it names is not there.
        StoreError: If there is no data, or it cannot be used.
        StatefunError: Any other error of the runtime that has the directory, as it was raised
            there.
    """
    SqliteReader(directory).close()  # an error if there is nothing; a store would make it
    answer = _ask(Path(directory), edit_json.encode(edit))
    if answer is None:
        try:
            store = SqliteStore(directory)
        except StoreLockedError as error:
            raise StoreLockedError(
                f"the data directory {directory} is in use by a process that takes no edits now: "
                "try again, or stop that process",
                path=str(directory),
            ) from error
        with closing(store):
            return apply_to_store(edit, store, now_ms)
    if "error" in answer:
        raise error_json.decode(answer)
    changed = list(answer["changed"])
    return [Address(*each) if isinstance(each, list) else each for each in changed]


def is_served(directory: str | Path) -> bool:
    """Whether a runtime uses a data directory, and takes edits."""
    try:
        with socket.socket(socket.AF_UNIX) as connection, _path(Path(directory)) as path:
            connection.settimeout(_PATIENCE_S)
            connection.connect(path)
    except OSError:
        return False
    return True


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        raise EditError(f"{len(line)} bytes are not a line of JSON: {error}") from error


def ask_sources(directory: str | Path) -> list[Source] | None:
    """The sources of the ingresses of the runtime that has a directory; None if none listens.

    Raises:
        StoreError: If it cannot be asked.
    """
    answer = _ask(Path(directory), _SOURCES)
    return None if answer is None else [Source(*each) for each in answer["sources"]]


def _ask(directory: Path, question: object) -> dict[str, Any] | None:
    """The answer of the runtime that has the directory, None if none listens."""
    try:
        with socket.socket(socket.AF_UNIX) as connection, _path(directory) as path:
            connection.settimeout(_PATIENCE_S)
            connection.connect(path)
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile("rb") as lines:
                line = lines.readline()
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError as error:
        raise StoreError(
            f"the runtime on {directory} cannot be asked: {error}", path=str(directory)
        ) from error
    if not line:
        raise StoreError(
            f"the runtime on {directory} ended before it answered: look whether the edit was made",
            path=str(directory),
        )
    answer: dict[str, Any] = json.loads(line)
    return answer


def _listen(directory: Path) -> socket.socket:
    """A socket that only this user can connect to."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        (directory / SOCKET_NAME).unlink(missing_ok=True)  # of a process that was killed
        with _path(directory) as path:
            listener.bind(path)
        (directory / SOCKET_NAME).chmod(0o600)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


@contextmanager
def _path(directory: Path) -> Iterator[str]:
    """A path to the socket that is short enough for a socket's address."""
    path = str(directory / SOCKET_NAME)
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield path
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)
