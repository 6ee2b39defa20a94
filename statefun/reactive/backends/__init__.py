"""Where state is kept: in memory, in files, in SQLite, in a stateful function, or in several."""

from statefun.reactive.backends.asyncify import AsyncifyBackend
from statefun.reactive.backends.base import AsyncBackend, Backend
from statefun.reactive.backends.cached import CachingAsyncBackend, CachingSyncBackend
from statefun.reactive.backends.fs import (
    FileSystemAsyncBackend,
    FileSystemSyncBackend,
    Serializer,
    json_serializer,
)
from statefun.reactive.backends.function import (
    FunctionBackend,
    FunctionSyncBackend,
    KafkaCaller,
    bind_state_tree,
)
from statefun.reactive.backends.hybrid import HybridAsyncBackend, HybridSyncBackend
from statefun.reactive.backends.memory import InMemoryBackend
from statefun.reactive.backends.sqlite import SqliteBackend

__all__ = [
    "AsyncBackend",
    "AsyncifyBackend",
    "Backend",
    "CachingAsyncBackend",
    "CachingSyncBackend",
    "FileSystemAsyncBackend",
    "FileSystemSyncBackend",
    "FunctionBackend",
    "FunctionSyncBackend",
    "HybridAsyncBackend",
    "HybridSyncBackend",
    "InMemoryBackend",
    "KafkaCaller",
    "Serializer",
    "SqliteBackend",
    "bind_state_tree",
    "json_serializer",
]
