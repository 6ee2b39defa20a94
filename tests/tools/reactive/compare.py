"""Compares whole traces of random programs, ours and the peer's.

python -m tests.tools.reactive.compare [--first N] [--seeds N]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tools.reactive.differences import DIFFERENCES, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PEER_PYTHON", "Mismatch", "compared", "main"]

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).parent / "program.py"
PEER_PYTHON = ROOT / ".venv-reactive-peer" / "bin" / "python"


@dataclass(frozen=True)
class Mismatch:
    """The first operation of a program at which the traces differ.

    Attributes:
        seed: The program.
        plan: The kind of controller and backend, and the operations.
        ours: Our entry of the trace.
        peer: The peer's, after the differences.
    """

    seed: int
    plan: dict[str, Any]
    ours: list[Any]
    peer: list[Any]

    def __str__(self) -> str:
        kind = "async" if self.plan["is_async"] else "sync"
        lines = [f"seed {self.seed}, {kind}, {self.plan['backend']}"]
        lines += [f"  {json.dumps(each)}" for each in self.plan["operations"]]
        lines += [f"  ours: {json.dumps(self.ours)}", f"  peer: {json.dumps(self.peer)}"]
        return "\n".join(lines)


def traces(python: str, module: str, first: int, count: int) -> Iterator[dict[str, Any]]:
    """What happens in the programs on one side."""
    command = [python, str(PROGRAM), module, str(first), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        if process.stdout is None:
            raise AssertionError("the process was started without a pipe")
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {process.returncode}")


def compared(first: int, count: int) -> tuple[int, list[Mismatch]]:
    """How many programs were compared, and those that differ."""
    both = zip(
        traces(sys.executable, "statefun.reactive", first, count),
        traces(str(PEER_PYTHON), "restate", first, count),
        strict=True,
    )
    number, mismatches = 0, []
    for ours, peer in both:
        number += 1
        for difference in DIFFERENCES:
            difference.rewrite(peer["trace"])
        for one, other in zip(in_order(ours["trace"]), in_order(peer["trace"]), strict=True):
            if json.dumps(one) != json.dumps(other):
                mismatches.append(Mismatch(ours["seed"], ours["plan"], one, other))
                break
    return number, mismatches


def main() -> int:
    """Compare the programs that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3000)
    arguments = parser.parse_args()
    number, mismatches = compared(arguments.first, arguments.seeds)
    for mismatch in mismatches[:10]:
        sys.stderr.write(f"{mismatch}\n\n")
    sys.stdout.write(f"{number} programs compared, {len(mismatches)} differ\n")
    return bool(mismatches)


if __name__ == "__main__":
    raise SystemExit(main())
