"""Law: a worker of workflows is served as an endpoint, and needs no client for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from statefun.workflows.worker import Worker
from tests.cli.process import Server, statefun
from tests.workflows.programs import Named

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """\
from statefun.workflows import activity, workflow
from statefun.workflows.worker import Worker

@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}!"

@workflow.defn
class Greeting:
    @workflow.run
    async def run(self, name: str) -> str:
        return name

worker = Worker(task_queue="greetings", workflows=[Greeting], activities=[greet])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a worker."""
    (tmp_path / "greetings.py").write_text(PROGRAM)
    return tmp_path


def test_the_module_file_names_the_service_and_the_queue(folder: Path) -> None:
    """An engine needs nothing else."""
    done = statefun("module", "greetings:worker", "--url", "http://host/statefun", cwd=folder)
    documents = list(yaml.safe_load_all(done.out))
    assert [each["spec"]["functions"] for each in documents] == [
        "workflows.default/*",
        "workflows.default.greetings/*",
    ]


def test_a_worker_is_served(folder: Path) -> None:
    """As functions are."""
    with Server("serve", "greetings:worker", "--port", "0", cwd=folder) as server:
        assert "serving" in server.ready or "http" in server.ready


async def test_a_worker_without_a_client_cannot_attach() -> None:
    """The sentence says how it is served."""
    with pytest.raises(RuntimeError, match="serve it with 'statefun serve'"):
        await Worker(task_queue="q", workflows=[Named]).run()
