"""Processes that are killed in the middle of transactions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from statefun.reactive import (
    ControllerAsync,
    FileSystemSyncBackend,
    FunctionBackend,
    SqliteBackend,
    bind_state_tree,
)
from statefun.runtime import Runtime
from statefun.sdk.functions import StatefulFunctions

PROGRAM = Path(__file__).parent / "tree_program.py"
ROOT = Path(__file__).parents[4]
KILLS = max(2, int(os.environ.get("KILLS", "2")) // 4)


def killed_after(kind: str, path: Path, lines: int) -> int:
    """Let the program write, and kill it (SIGKILL); the last number that it has told."""
    command = [sys.executable, str(PROGRAM), kind, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        told += process.stdout.read().splitlines()
    return int([line for line in told if line][-1])


async def state_of(kind: str, path: Path) -> Any:
    """What the next process reads."""
    match kind:
        case "sqlite":
            with SqliteBackend(path) as backend:
                return backend.read("/")
        case "cached":
            return FileSystemSyncBackend(path).read("/")
        case _:
            functions = StatefulFunctions()
            bind_state_tree(functions)
            async with Runtime(functions, data=path) as runtime:
                return await ControllerAsync(FunctionBackend(runtime, "tree")).get_state("/")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite", "function"])
async def test_a_killed_process_leaves_whole_transactions(tmp_path: Path, kind: str) -> None:
    """Each one that has returned is there, and none is there in part."""
    path = tmp_path / "state"
    for kill in range(KILLS):
        told = killed_after(kind, path, lines=3 + 5 * kill)

        state = await state_of(kind, path)

        number = state["a"]
        assert told <= number <= told + 1
        assert state == {"a": number, "b": number, "children": {str(number): number}}


@pytest.mark.timeout(600)
async def test_a_killed_cache_leaves_what_was_flushed(tmp_path: Path) -> None:
    """Each value of the last flush, or of the one that was being done; each file is whole."""
    for kill in range(KILLS):
        path = tmp_path / str(kill)
        told = killed_after("cached", path, lines=2 + 3 * kill)

        state = await state_of("cached", path)

        for name in ("a", "b"):
            assert state[name] in range(told, told + 4)
        assert {int(key) for key in state.get("children", {})} <= set(range(told, told + 4))
        for file in path.rglob("*.json"):
            assert int(file.read_text()) in range(told, told + 4)
