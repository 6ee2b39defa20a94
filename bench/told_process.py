"""A process that is told on stdin what to do, and answers on stdout, one line of JSON each."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, Self

from bench.environment import PROGRAMS

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ToldProcess"]


class ToldProcess:
    """A program of the benches that does as it is told; a context manager.

    Args:
        python: The interpreter that runs it.
        program: The name of its file.
        arguments: What it is started with.
        core: The core that it runs on; None for what it would choose.
    """

    def __init__(self, python: str, program: str, *arguments: str, core: str | None = None) -> None:
        command = [python, str(PROGRAMS / program), *arguments]
        environment = {**os.environ, **({} if core is None else {"STATEFUN_CORE": core})}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def do(self, *verb_and_arguments: object) -> Any:
        """Have the process do something, and wait for what comes of it.

        Raises:
            AssertionError: If it ended instead.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise AssertionError("the process was started without pipes")
        stdin.write(json.dumps(verb_and_arguments) + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise AssertionError(f"{self._process.args!r} ended; it has said why on stderr")
        return json.loads(answer)
