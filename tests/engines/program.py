"""A `statefun` command as a process that can be killed and started again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from tests.cli.process import Server

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Program:
    """A command of `statefun`, started in a folder in which its logs stay.

    Args:
        arguments: What follows the word `statefun`; ports must be given, so that they are the
            same after a restart.
        folder: Where it runs.
    """

    def __init__(self, *arguments: str, folder: Path) -> None:
        self._arguments = arguments
        self._folder = folder
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        self._server = Server(*self._arguments, cwd=self._folder).wait_until_ready()

    def kill(self) -> None:
        """SIGKILL."""
        if self._server:
            self._server.close()
            self._server = None

    def errors(self) -> str:
        """What it has said on stderr since its last start."""
        return self._server.errors() if self._server else ""
