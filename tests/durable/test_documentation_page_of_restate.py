"""Every code block of Restate's page on services runs here with only its import changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from statefun.durable.harness import create_test_harness

PAGE = Path(__file__).with_name("documentation_page")
BLOCKS = sorted(path.name for path in PAGE.glob("*.py.txt"))


def run_block(name: str) -> Any:
    """The app that a block makes."""
    names: dict[str, Any] = {"__name__": name}
    exec(compile((PAGE / name).read_text(encoding="utf-8"), name, "exec"), names)
    return names["app"]


def test_the_page_has_six_blocks() -> None:
    """Three of each version of it."""
    assert len(BLOCKS) == 6


@pytest.mark.parametrize(
    ("block", "handler", "key", "result"),
    [
        ("01_service.py.txt", "MyService/myHandler", None, b'"$Ada!"'),
        ("02_virtual_object.py.txt", "MyVirtualObject/myHandler", "k", b'"$Ada $k!"'),
        ("02_virtual_object.py.txt", "MyVirtualObject/my_concurrent_handler", "k", b'"$Ada $k!"'),
        ("03_workflow.py.txt", "MyWorkflow/run", "k", b'"success"'),
        ("03_workflow.py.txt", "MyWorkflow/interact_with_workflow", "k", b""),
        ("04_service.py.txt", "MyService/myHandler", None, b'"Ada!"'),
        ("05_virtual_object.py.txt", "MyVirtualObject/myHandler", "k", b'"Ada k!"'),
        ("05_virtual_object.py.txt", "MyVirtualObject/my_concurrent_handler", "k", b'"Ada k!"'),
        ("06_workflow.py.txt", "MyWorkflow/run", "k", b'"success"'),
        ("06_workflow.py.txt", "MyWorkflow/interact_with_workflow", "k", b""),
    ],
)
async def test_every_handler_of_a_block_answers(
    block: str, handler: str, key: str | None, result: bytes
) -> None:
    """Called over HTTP with a JSON string."""
    service, _, name = handler.partition("/")

    async with create_test_harness(run_block(block), always_replay=True) as harness:
        answer = await harness.client.generic_call(service, name, b'"Ada"', key)

    assert answer == result
