"""Running the command line as a process of its own."""

from __future__ import annotations

import os
import re
import resource
import select
import signal
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from statefun.cli import main

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

PATIENCE_S = 30


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


def statefun(*arguments: str, cwd: Path) -> Outcome:
    """Run a command to its end: `run` in a process of its own, others faster in this one."""
    if arguments[:1] == ("run",):
        command = [sys.executable, "-m", "statefun", *arguments]
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        return Outcome(done.returncode, done.stdout, done.stderr)
    out, err = StringIO(), StringIO()
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    return Outcome(code, out.getvalue(), err.getvalue())


class Server:
    """A command that goes on until it is stopped, and says in one line when it is ready.

    Args:
        arguments: Those of the command.
        cwd: Where it runs.
        open_files: How many files a shell lets it open, unless it asks for more; None for as many
            as this process may.

    Attributes:
        ready: That line.
        ports: What listens → its port, as the line says.
    """

    def __init__(self, *arguments: str, cwd: Path, open_files: int | None = None) -> None:
        self._errors = (cwd / "stderr.txt").open("a+b")
        command = [sys.executable, "-m", "statefun", *arguments]
        if open_files is not None:
            command = ["sh", "-c", f'ulimit -S -n {open_files}; exec "$@"', "sh", *command]
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,  # what was read is seen by `select` no more
        )
        self.ready = ""

    def has_said_ready(self) -> bool:
        """Wait until it says that it is ready, or ends without having said it."""
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], PATIENCE_S)
        self.ready = self._process.stdout.readline().decode().rstrip() if readable else ""
        return bool(self.ready)

    def wait_until_ready(self) -> Self:
        if not self.has_said_ready():
            errors = self.errors()
            self.close()
            raise AssertionError(f"it did not get ready; stderr: {errors}")
        return self

    def lines_until(self, text: str) -> list[str]:
        """The lines that it prints, up to one that has the text."""
        assert self._process.stdout is not None
        lines: list[str] = []
        while True:
            readable, _, _ = select.select([self._process.stdout], [], [], PATIENCE_S)
            line = self._process.stdout.readline().decode().rstrip("\n") if readable else ""
            assert line, f"{text!r} is not in {lines}; stderr: {self.errors()}"
            lines.append(line)
            if text in line:
                return lines

    @property
    def ports(self) -> dict[str, int]:
        found = re.findall(r"(\w+):? https?://[^ ,]*?:(\d+)", self.ready)
        return {name: int(port) for name, port in found}

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def errors(self) -> str:
        """What it has said on stderr."""
        return os.pread(self._errors.fileno(), 1 << 20, 0).decode()

    def error_lines_until(self, text: str) -> str:
        """What it says on stderr, once that has the text."""
        for _ in range(100 * PATIENCE_S):
            if text in (errors := self.errors()):
                return errors
            select.select([], [], [], 0.01)
        raise AssertionError(f"{text!r} is not in {self.errors()}")

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def limit_files(self, size: int) -> None:
        """Let it write no file beyond so many bytes from now on, -1 for any number; on Linux."""
        limits = size, resource.RLIM_INFINITY
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, limits)

    def wait(self) -> int:
        """The exit code."""
        return self._process.wait(PATIENCE_S)

    def stop(self) -> int:
        self.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """Kill it, if it still runs."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self.wait_until_ready()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
