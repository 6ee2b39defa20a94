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
    HybridAsyncBackend,
    HybridSyncBackend,
    InMemoryBackend,
    Serializer,
    SqliteBackend,
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
    "HybridAsyncBackend",
    "HybridSyncBackend",
    "InMemoryBackend",
    "PatchStream",
    "Serializer",
    "SqliteBackend",
    "StateEvent",
    "Stream",
    "json_patch",
    "json_serializer",
]
