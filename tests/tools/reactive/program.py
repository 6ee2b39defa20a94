"""Random programs over a state manager, and what happens in them; the same text for both sides.

    python program.py MODULE FIRST COUNT

prints one line of JSON for each seed: the program and its trace. MODULE is `statefun.reactive` or
the peer. Nothing but the standard library is used beside it.

A program keeps clear of what the peer does in the order of hashes: within a level, what one
callback does is not seen by another one. Leaves of `/s` are what is derived from and tracked, `/d`
holds what is derived, `/t` is a tree of nodes with and without values, `/o` is where callbacks
write.
"""
# ruff: noqa: T201, BLE001 - the trace is printed, and an error is a part of it

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import random
import sys
import tempfile
from typing import Any

LEAVES = ["/s/a", "/s/b", "/s/c", "/s/sw"]
TREE = ["/t", "/t/x", "/t/x/y", "/t/x/z", "/t/w", "/t/w/v/u"]
PATTERNS = ["/*", "/s/*", "/t/*", "/t/*/y", "/*/x", "/d/*", "/*/*/*"]
VALUES = [0, 1, 2, True, None, "a", "b", 1.0, [1], {"k": 1}, {"k": {"l": 2}}, []]
EQUALITIES = {
    "never": lambda _new, _previous: False,
    "always": lambda _new, _previous: True,
    "kind": lambda new, previous: type(new) is type(previous),
}
SPELLINGS = ["{}", "{}/", "{}//", "/.{}", "./{}"]


# --- programs -------------------------------------------------------------------------------------


def program(seed: int) -> dict[str, Any]:
    """What a seed stands for: the kind of controller and backend, and the operations."""
    chance = random.Random(seed)
    is_async = chance.random() < 0.4
    backends = ["memory", "memory", "memory"] if is_async else ["memory", "memory", "files"]
    makers = [set_, set_, set_, delete, get, ping, subscribe, subscribe, unsubscribe, replace]
    makers += [derive, derive_many, track, write, atom]
    state: dict[str, Any] = {"labels": [], "derived": {}, "is_stopped": False}
    backend = chance.choice(backends)
    length = chance.randrange(4, 24)
    operations = [chance.choice(makers)(chance, state, backend) for _ in range(length)]
    return {"is_async": is_async, "backend": backend, "operations": operations}


def any_path(chance: random.Random, backend: str) -> str:
    path = chance.choice([*LEAVES, *LEAVES, *TREE])
    if backend != "files" and chance.random() < 0.1:
        return chance.choice(SPELLINGS).format(path)
    return path


def value_for(chance: random.Random, path: str) -> Any:
    if path.strip("/.").startswith("s/sw"):
        return chance.choice([True, False])
    if path.strip("/.").startswith("s/"):
        return chance.choice([0, 1, 2, 3, 1, 2])
    return chance.choice(VALUES)


def set_(chance: random.Random, state: dict[str, Any], backend: str) -> list[Any]:
    path = any_path(chance, backend)
    options: dict[str, Any] = {}
    if chance.random() < 0.2:
        options["eq_func"] = chance.choice(sorted(EQUALITIES))
    if chance.random() < 0.15:
        options["default"] = chance.choice([0, 1, None])
    if chance.random() < 0.3:
        options["payload"] = chance.choice(["p", 5])
    if chance.random() < 0.1:
        options["skip_notify"] = True
    return ["set", path, value_for(chance, path), options]


def delete(chance: random.Random, state: dict[str, Any], backend: str) -> list[Any]:
    return ["delete", any_path(chance, backend), chance.choice([None, "p"])]


def get(chance: random.Random, state: dict[str, Any], backend: str) -> list[Any]:
    path = chance.choice([any_path(chance, backend), "/s", "/t", "/d", "/o"])
    is_leaf = path in LEAVES
    return ["get", path, chance.choice([None, 7]), is_leaf and chance.random() < 0.2]


def ping(chance: random.Random, state: dict[str, Any], backend: str) -> list[Any]:
    path = any_path(chance, backend)
    # a default that is announced is what the peer derives from; we derive from what is there
    default = chance.choice([None, 7]) if path in TREE else None
    return ["ping", path, default, chance.choice([None, "p"])]


def write(chance: random.Random, state: dict[str, Any], backend: str) -> list[Any]:
    path = chance.choice(TREE)
    return ["write", path, chance.choice(VALUES)]


def subscribe(chance: random.Random, state: dict[str, Any], backend: str) -> list[Any]:
    label = f"c{len(state['labels'])}"
    path = chance.choice([*LEAVES, *TREE[:-1], *PATTERNS, "/", "/s", "/d", "/o", "/d/1"])
    behaviour = chance.choice(["record", "record", "record", "write", "read", "late"])
    if behaviour == "late" and (path in PATTERNS or path == "/"):
        behaviour = "record"
    if path in {"/", "/o", "/*"}:
        behaviour = "record"  # anything else would call itself again
    if not state["is_stopped"] and chance.random() < 0.15:
        state["is_stopped"] = True
        path, behaviour = TREE[-1], chance.choice(["stop", "raise"])
    state["labels"].append((label, path, behaviour))
    return ["subscribe", label, path, behaviour, chance.choice([None, None, f"id-{label}"])]


def unsubscribe(chance: random.Random, state: dict[str, Any], backend: str) -> list[Any]:
    plain = [each for each in state["labels"] if each[2] == "record"]
    if not plain:
        return get(chance, state, backend)
    label, path, _ = chance.choice(plain)
    return ["unsubscribe", label, path, chance.choice(["callback", "id"])]


def replace(chance: random.Random, state: dict[str, Any], backend: str) -> list[Any]:
    return ["register", chance.choice(["one", "two"]), "shared", chance.random() < 0.5]


def derive(chance: random.Random, state: dict[str, Any], backend: str) -> list[Any]:
    number = chance.randrange(1, 5)
    if number not in state["derived"]:
        earlier = [f"/d/{each}" for each in state["derived"] if each < number]
        state["derived"][number] = chance.choice([*LEAVES[:3], *earlier])
    source = state["derived"][number]
    kind = chance.choice(["same", "text", "parity"])
    return ["derive", f"/d/{number}", source, kind, chance.choice([None, "dp"])]


def derive_many(chance: random.Random, state: dict[str, Any], backend: str) -> list[Any]:
    number = chance.randrange(5, 7)
    if number not in state["derived"]:
        state["derived"][number] = chance.sample(LEAVES[:3], 2)
    return ["derive_many", f"/d/{number}", state["derived"][number], chance.choice([None, "dp"])]


def track(chance: random.Random, state: dict[str, Any], backend: str) -> list[Any]:
    state["trackers"] = state.get("trackers", 0) + 1
    return ["track", f"t{state['trackers']}", chance.choice(["fixed", "switching"])]


def atom(chance: random.Random, state: dict[str, Any], backend: str) -> list[Any]:
    verb = chance.choice(["get", "set", "delete", "ping"])
    default = None if verb == "ping" else chance.choice([0, 1, None])
    return ["atom", chance.choice(LEAVES[:3]), default, verb, chance.randrange(3)]


# --- running them ---------------------------------------------------------------------------------


class World:
    """One program as it runs: its controller, and the tree of calls so far."""

    def __init__(self, module: Any, plan: dict[str, Any], folder: str) -> None:
        self.module = module
        self.is_async = plan["is_async"]
        self.calls: list[list[Any]] = [[]]
        self.callbacks: dict[str, Any] = {}
        self.ids: dict[str, Any] = {}
        kind = "Async" if self.is_async else "Sync"
        backend = module.InMemoryBackend()
        if plan["backend"] == "files":
            backend = module.FileSystemSyncBackend(folder)
        elif plan["backend"] == "cached":
            if self.is_async:
                backend = module.AsyncifyBackend(backend)
            backend = getattr(module, f"Caching{kind}Backend")(backend, flush_interval=0)
        self.controller = getattr(module, f"Controller{kind}")(backend)

    async def settle(self, outcome: Any) -> Any:
        """What a call gives, awaited if it must be."""
        return await outcome if inspect.isawaitable(outcome) else outcome

    def enter(self, label: str, path: str, event: Any) -> None:
        """A callback begins: its calls go below it."""
        paths = [str(event.emitting_path), str(event.current_path)]
        values = [shown(event.prev_value), shown(event.new_value), event.payload]
        below: list[Any] = []
        self.calls[-1].append([label, path, *paths, *values, event.bubbling, below])
        self.calls.append(below)

    def leave(self) -> None:
        """A callback ends."""
        self.calls.pop()

    def callback(self, label: str, path: str, behaviour: str) -> Any:
        """A callback that records its event, and perhaps does something."""

        async def act(event: Any) -> None:
            if behaviour == "write":
                await self.settle(
                    event.set_state(
                        f"/o/{label}/{event.emitting_path.name}", shown(event.new_value)
                    )
                )
            elif behaviour == "read":
                self.calls[-1].append(["read", shown(await self.settle(event.get_state("/t/x/y")))])
            elif behaviour == "late":
                above = path.rpartition("/")[0] or "/"
                if (late := f"{label}-late") not in self.callbacks:
                    self.callbacks[late] = self.callback(late, above, "record")
                self.controller.subscribe(above, self.callbacks[late])
            elif behaviour == "stop":
                event.bubbling = False
            elif behaviour == "raise":
                raise LookupError(label)

        async def awaited(event: Any) -> None:
            self.enter(label, path, event)
            try:
                await act(event)
            finally:
                self.leave()

        def plain(event: Any) -> None:
            self.enter(label, path, event)
            try:
                finished(act(event))
            finally:
                self.leave()

        return awaited if self.is_async else plain

    def tracked(self, label: str, kind: str) -> Any:
        """A tracked callback; what it reads stands in the trace."""

        async def act(event: Any) -> None:
            reads = ["/s/a", "/t/x"]
            if kind == "switching":
                is_on = await self.settle(event.get_state("/s/sw"))
                reads = ["/s/a" if is_on else "/s/b"]
                self.calls[-1].append(["reads", "/s/sw"])
            for path in reads:
                value = await self.settle(event.get_state(path))
                self.calls[-1].append(["reads", path, shown(value)])

        async def awaited(event: Any) -> None:
            self.enter(label, "tracked", event)
            try:
                await act(event)
            finally:
                self.leave()

        def plain(event: Any) -> None:
            self.enter(label, "tracked", event)
            try:
                finished(act(event))
            finally:
                self.leave()

        return awaited if self.is_async else plain

    def transform(self, kind: str) -> Any:
        """A transform; the peer wants a coroutine function where it is async."""

        def of(value: Any) -> Any:
            if kind == "many":
                return [shown(value.get(path)) for path in LEAVES[:3]]
            if kind == "text":
                return repr(value)
            return value if kind == "same" else isinstance(value, int) and value % 2

        async def awaited(value: Any) -> Any:
            return of(value)

        return awaited if self.is_async else of

    async def do(self, operation: list[Any]) -> Any:
        """Do one operation; what it gives."""
        verb, *rest = operation
        return shown(await self.settle(getattr(self, f"do_{verb}")(*rest)))

    def do_set(self, path: str, value: Any, options: dict[str, Any]) -> Any:
        """Write."""
        options = dict(options)
        if "eq_func" in options:
            options["eq_func"] = EQUALITIES[options["eq_func"]]
        return self.controller.set_state(path, value, **options)

    def do_delete(self, path: str, payload: Any) -> Any:
        """Delete."""
        return self.controller.del_state(path, payload=payload)

    def do_get(self, *arguments: Any) -> Any:
        """Read."""
        return self.controller.get_state(*arguments)

    def do_ping(self, *arguments: Any) -> Any:
        """Ping."""
        return self.controller.ping(*arguments)

    def do_write(self, path: str, value: Any) -> Any:
        """Write in silence."""
        return self.controller.write_state(path, value)

    async def do_derive(self, dest: str, source: str, kind: str, payload: Any) -> None:
        """Derive from one source."""
        transform = self.transform(kind)
        await self.settle(self.controller.derive(dest, source, transform, payload))

    async def do_derive_many(self, dest: str, sources: list[str], payload: Any) -> None:
        """Derive from several sources."""
        transform = self.transform("many")
        await self.settle(self.controller.derive_many(dest, sources, transform, payload))

    def do_track(self, label: str, kind: str) -> Any:
        """Track a callback."""
        return self.controller.track(self.tracked(label, kind), "tp")

    async def do_atom(self, path: str, default: Any, verb: str, value: int) -> Any:
        """Do something with an atom."""
        atom = self.controller.atom(path, default=default)
        arguments = [value] if verb == "set" else []
        return await self.settle(getattr(atom, verb)(*arguments))

    def do_subscribe(self, label: str, path: str, behaviour: str, forced: str | None) -> Any:
        """Subscribe a callback of its own."""
        self.callbacks[label] = self.callback(label, path, behaviour)
        self.ids[label] = self.controller.subscribe(path, self.callbacks[label], forced)
        return forced and self.ids[label]

    def do_unsubscribe(self, label: str, path: str, by: str) -> Any:
        """Unsubscribe a callback."""
        if by == "callback":
            return self.controller.unsubscribe(path, self.callbacks[label])
        return self.controller.unsubscribe_by_id(path, self.ids[label])

    def do_register(self, label: str, shared: str, is_replacing: bool) -> Any:  # noqa: FBT001 - JSON
        """Register one of two callbacks under the same id, and subscribe the id."""
        callback = self.callbacks.setdefault(label, self.callback(label, "/s/c", "record"))
        self.controller.register_callback(callback, force_id=shared, replace=is_replacing)
        return self.controller.subscribe_by_id("/s/c", shared)


def finished(coroutine: Any) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("a callback of the sync controller has waited")


def shown(value: Any) -> Any:
    """A value as JSON, dicts in the order of their keys, since the peer's order is not defined."""
    if isinstance(value, dict):
        return {key: shown(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [shown(each) for each in value]
    return value if isinstance(value, int | float | str | None) else repr(value)


async def run(module: Any, plan: dict[str, Any], folder: str) -> list[Any]:
    """The trace of a program: for each operation, what it gave and the calls it caused."""
    world = World(module, plan, folder)
    trace = []
    for operation in plan["operations"]:
        world.calls = [[]]
        try:
            outcome = ["gives", await world.do(operation)]
        except Exception as error:
            outcome = ["raises", kind_of(error)]
        trace.append([operation, outcome, world.calls[0]])
    final = await world.settle(world.controller.get_state("/"))
    trace.append([["get", "/"], ["gives", shown(final)], []])
    return trace


def kind_of(error: Exception) -> str:
    """The builtin class of an error: ours have classes of their own below it."""
    return next(
        each.__name__
        for each in type(error).__mro__
        if each.__module__ == "builtins" and each is not Exception
    )


def run_sync(module: Any, plan: dict[str, Any], folder: str) -> list[Any]:
    """The same without a running loop, which the sync controllers do not like."""
    coroutine = run(module, plan, folder)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        trace: list[Any] = stop.value
        return trace
    raise AssertionError("a sync program has waited")


def main() -> None:
    """Run the seeds that are asked for."""
    module = importlib.import_module(sys.argv[1])
    first, count = int(sys.argv[2]), int(sys.argv[3])
    for seed in range(first, first + count):
        plan = program(seed)
        with tempfile.TemporaryDirectory() as folder:
            if plan["is_async"]:
                trace = asyncio.run(run(module, plan, folder + "/state"))
            else:
                trace = run_sync(module, plan, folder + "/state")
        print(json.dumps({"seed": seed, "plan": plan, "trace": trace}), flush=True)


if __name__ == "__main__":
    main()
