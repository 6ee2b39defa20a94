"""What observers see of the scenarios with Temporal itself: recorded as data, and compared.

Run by an interpreter that has `temporalio`, with the address of a development server:

    temporal server start-dev --search-attribute Customer=Keyword --search-attribute Amount=Int
    python tests/workflows/peer.py localhost:7233 [SCENARIO…]

The scenarios are those of this folder with `statefun.workflows` replaced by `temporalio`. What is
seen goes to `peer.json`, with the versions.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import logging
import platform
import sys
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
RECORDED = HERE / "peer.json"
LONGEST_S = 75


def text_of(seen: Any) -> str:
    """What is seen, as text that can be compared."""
    return json.dumps(seen, sort_keys=True, default=str)


class RealTime:
    """What scenarios ask of an environment, in real time."""

    async def sleep(self, duration: float | timedelta) -> None:
        """Let time pass."""
        span = duration if isinstance(duration, timedelta) else timedelta(seconds=duration)
        await asyncio.sleep(span.total_seconds())

    async def get_current_time(self) -> datetime:
        """The time."""
        return datetime.now(UTC)

    @contextmanager
    def auto_time_skipping_disabled(self) -> Iterator[None]:
        """No time is ever skipped."""
        yield


def rewritten(folder: Path) -> None:
    """Write the scenarios for the peer into a folder."""
    package = folder / "tests" / "workflows"
    package.mkdir(parents=True)
    for name in ("stage", "programs", "scenarios", "schedule_scenarios"):
        text = (HERE / f"{name}.py").read_text(encoding="utf-8")
        text = text.replace("from statefun.workflows import", "from temporalio import")
        text = text.replace("statefun.workflows", "temporalio")
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    for init in (folder / "tests", package):
        (init / "__init__.py").write_text("", encoding="utf-8")


async def record(address: str, names: list[str]) -> dict[str, str]:
    """Run every scenario, or those that are named; what was seen, by name."""
    from temporalio.client import Client  # noqa: PLC0415 - of the peer's interpreter alone
    from temporalio.worker import UnsandboxedWorkflowRunner, Worker  # noqa: PLC0415 - likewise

    from tests.workflows.programs import ACTIVITIES, WORKFLOWS  # noqa: PLC0415 - rewritten
    from tests.workflows.schedule_scenarios import SCENARIOS  # noqa: PLC0415 - rewritten
    from tests.workflows.stage import Stage  # noqa: PLC0415 - rewritten

    client: Any = await Client.connect(address)
    seen = {}
    for scenario in [each for each in SCENARIOS if not names or each.name in names]:
        environment: Any = RealTime()
        stage = Stage(client, environment)
        for left in ("child", "desk", "again", *(f"workflow-{number}" for number in range(1, 5))):
            with suppress(Exception):
                await client.get_workflow_handle(left).terminate()
        worker: Any = Worker(
            client,
            task_queue=stage.queue,
            workflows=WORKFLOWS,
            activities=ACTIVITIES,
            activity_executor=ThreadPoolExecutor(4),
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        async with worker:
            try:
                async with asyncio.timeout(LONGEST_S):
                    seen[scenario.name] = text_of(await scenario.script(stage))
            except TimeoutError:
                seen[scenario.name] = f"takes longer than {LONGEST_S} s"
        sys.stderr.write(f"{uuid.uuid4().hex[:4]} {scenario.name}\n")
    return seen


def main() -> None:
    """Record everything."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        rewritten(Path(folder))
        sys.path.insert(0, folder)
        seen = asyncio.run(record(sys.argv[1], sys.argv[2:]))
    if sys.argv[2:]:
        seen = {**json.loads(RECORDED.read_text(encoding="utf-8"))["seen"], **seen}
    versions = {
        "temporalio": importlib.metadata.version("temporalio"),
        "Temporal CLI": "1.5.1 (server 1.29.1)",
        "Python": platform.python_version(),
    }
    recorded = {"versions": versions, "seen": seen}
    RECORDED.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
