"""A second interpreter that keeps running and answers as `worker.py` says."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.tools.compat import worker

ROOT = Path(__file__).resolve().parents[3]

# Isolated (-I): neither the current directory nor PYTHONPATH may hide the environment's own SDK.
# The tests are found behind everything that is installed there.
START = (
    f"import sys; sys.path.append({str(ROOT)!r}); "
    "from tests.tools.compat.worker import main; main()"
)


class Peer:
    """A worker in another interpreter."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders, self._answers = process.stdin, process.stdout

    def perform(self, order: dict[str, Any]) -> Any:
        """Have one order carried out over there.

        Raises:
            RuntimeError: If the other process has ended; its stderr is the test's.
        """
        worker.send(self._orders, order)
        content = worker.receive(self._answers)
        if content is None:
            raise RuntimeError(f"the peer died over {str(order)[:2000]}; its stderr says why")
        return content


@contextmanager
def started(python: str | Path) -> Iterator[Peer]:
    """A peer in the environment of `python`, ended on the way out."""
    command = [str(python), "-I", "-c", START]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Peer(process)  # leaving closes stdin, which ends the worker


def upstream_python() -> Path:
    """The interpreter whose environment has the old SDK.

    Raises:
        FileNotFoundError: If there is none yet; says how to make it.
    """
    given = os.environ.get("STATEFUN_UPSTREAM_PYTHON")
    python = Path(given) if given else ROOT / ".venv-upstream" / "bin" / "python"
    if not python.exists():
        raise FileNotFoundError(
            f"no interpreter with the old SDK at {python}: run `make .venv-upstream/.done`, "
            "or name one in the environment variable STATEFUN_UPSTREAM_PYTHON"
        )
    return python


OURS = Path(sys.executable)
