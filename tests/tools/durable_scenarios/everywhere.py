"""The names of the places where durable scenarios are played."""

from __future__ import annotations

KIT = ("harness", "harness-cold")
"""The test kit on its virtual clock, with suspended handlers in memory and without."""
CALM = (*KIT, "memory", "sqlite", "sqlite-remote", "engine")
"""Places where nothing goes wrong, so that each effect is performed once."""
TROUBLED = (
    "replies-lost",
    "runtime-restarts",
    "worker-restarts",
    "engine-replies-lost",
    "taskmanager-killed",
)
"""Places that make trouble by themselves."""
ENGINES = ("engine", "engine-replies-lost", "taskmanager-killed")
EVERYWHERE = (
    *("harness", "harness-cold", "memory", "sqlite", "sqlite-remote"),
    *("replies-lost", "runtime-restarts", "worker-restarts"),
    *ENGINES,
)
LASTING = ("sqlite", "sqlite-remote", "replies-lost", "engine", "engine-replies-lost")
"""Places where a scenario can restart the runtime and the worker."""
LEAVING = ("sqlite-remote", "replies-lost", "engine", "engine-replies-lost")
"""Places where the worker alone can go away and come back."""
