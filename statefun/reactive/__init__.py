"""State as a tree of paths, with subscriptions, derived values and tracking, over any storage."""

from statefun.reactive.atoms import Atom, AtomAsync
from statefun.reactive.backends import (
    AsyncBackend,
    AsyncifyBackend,
    Backend,
    CachingAsyncBackend,
    CachingSyncBackend,
    FileSystemAsyncBackend,
    FileSystemSyncBackend,
    FunctionBackend,
    FunctionSyncBackend,
    HybridAsyncBackend,
    HybridSyncBackend,
    InMemoryBackend,
    KafkaCaller,
    Serializer,
    SqliteBackend,
    bind_state_tree,
    json_serializer,
)
from statefun.reactive.controllers import ControllerAsync, ControllerSync
from statefun.reactive.events import DeriveData, StateEvent
from statefun.reactive.patch import json_patch
from statefun.reactive.paths import ROOT_PATH
from statefun.reactive.streams import PatchStream, Stream

__all__ = [
    "ROOT_PATH",
    "AsyncBackend",
    "AsyncifyBackend",
    "Atom",
    "AtomAsync",
    "Backend",
    "CachingAsyncBackend",
    "CachingSyncBackend",
    "ControllerAsync",
    "ControllerSync",
    "DeriveData",
    "FileSystemAsyncBackend",
    "FileSystemSyncBackend",
    "FunctionBackend",
    "FunctionSyncBackend",
    "HybridAsyncBackend",
    "HybridSyncBackend",
    "InMemoryBackend",
    "KafkaCaller",
    "PatchStream",
    "Serializer",
    "SqliteBackend",
    "StateEvent",
    "Stream",
    "bind_state_tree",
    "json_patch",
    "json_serializer",
]
