"""All durable scenarios, and all places where they are played."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.tools.durable_scenarios import (
    about_calls,
    about_objects,
    about_restarts,
    about_steps,
    about_stopping,
    about_workflows,
)
from tests.tools.durable_scenarios.places import (
    LosingReplies,
    Restarting,
    RestartingWorker,
    engine,
    kit,
)
from tests.tools.scenarios.places import PLACES, embedded, house

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.tools.scenarios.places import House

CATALOGUE = (
    *about_steps.SCENARIOS,
    *about_calls.SCENARIOS,
    *about_objects.SCENARIOS,
    *about_workflows.SCENARIOS,
    *about_stopping.SCENARIOS,
    *about_restarts.SCENARIOS,
)
HOUSES: Mapping[str, House] = {
    "harness": house(kit),
    "harness-cold": house(partial(kit, is_cold=True)),
    "memory": PLACES["memory"],
    "sqlite": PLACES["sqlite"],
    "sqlite-remote": PLACES["sqlite-remote"],
    "replies-lost": house(partial(embedded, stage=LosingReplies)),
    "runtime-restarts": house(partial(embedded, stage=Restarting)),
    "worker-restarts": house(partial(embedded, stage=RestartingWorker, keeps=False)),
    "engine": partial(engine, mode="single", scenarios=CATALOGUE),
    "engine-replies-lost": partial(engine, mode="single", scenarios=CATALOGUE, loses=True),
    "taskmanager-killed": partial(engine, mode="cluster", scenarios=CATALOGUE, kills=True),
}
