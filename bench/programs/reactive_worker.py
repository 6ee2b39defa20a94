"""Works on a state manager as it is told on stdin; the same text for ours and for the peer.

Each line is JSON: `["open", case]` makes a controller and what the case needs, `["time", count]`
does the operation of the case so many times, `["memory", leaves]` and `["leaves", number, count]`
measure a tree; the answer is one line of JSON.
"""

import gc
import importlib
import json
import random
import sys
import time
import tracemalloc
from typing import Any

module: Any = importlib.import_module(sys.argv[1])
operation: Any = None
numbers = iter(range(10**9))


def nothing(event: Any) -> None:
    """A callback."""


def a_set(controller: Any, path: str) -> Any:
    """An operation that writes another number each time."""
    return lambda: controller.set_state(path, next(numbers))


def no_subscribers() -> Any:
    """A write that nobody is told of."""
    return a_set(module.ControllerSync(), "/users/7/name")


def hundred_subscribers() -> Any:
    """A write that one of a hundred subscribers is told of."""
    controller = module.ControllerSync()
    for number in range(99):
        controller.subscribe(f"/others/{number}", nothing)
    controller.subscribe("/users/7/name", nothing)
    return a_set(controller, "/users/7/name")


def a_get() -> Any:
    """A read."""
    controller = module.ControllerSync()
    controller.set_state("/users/7/name", 1)
    return lambda: controller.get_state("/users/7/name")


def ten_derived() -> Any:
    """A write at the head of a chain of ten derived values."""
    controller = module.ControllerSync()
    controller.set_state("/links/0", 0)
    for number in range(10):
        source, dest = f"/links/{number}", f"/links/{number + 1}"
        controller.derive(dest, source, lambda value: (value or 0) + 1)
    return a_set(controller, "/links/0")


def thousand_tracked() -> Any:
    """A write that one of a thousand tracked callbacks depends on."""
    controller = module.ControllerSync()
    for number in range(1000):
        controller.set_state(f"/items/{number}", number)
        controller.track(lambda event, path=f"/items/{number}": event.get_state(path))
    return a_set(controller, "/items/77")


CASES = {
    "set, no subscribers": no_subscribers,
    "set, 100 subscribers, 99 elsewhere": hundred_subscribers,
    "get": a_get,
    "set, a chain of 10 derived values": ten_derived,
    "set, 1000 tracked callbacks, 1 touched": thousand_tracked,
}


def path_of(leaf: int) -> str:
    """The path of one leaf: a thousand to a folder."""
    return f"/leaves/{leaf // 1000}/{leaf:07}"


def tree_of(leaves: int) -> Any:
    """A controller with so many leaves."""
    controller = module.ControllerSync()
    for leaf in range(leaves):
        controller.write_state(path_of(leaf), leaf)
    return controller


def opened(case: str) -> None:
    """Make the operation of a case."""
    global operation  # noqa: PLW0603 - the program has one
    operation = CASES[case]()


def timed(count: int) -> float:
    """Seconds of CPU time of so many operations."""
    gc.collect()
    gc.disable()
    begin = time.process_time()
    for _ in range(count):
        operation()
    spent = time.process_time() - begin
    gc.enable()
    return spent


def memory(leaves: int) -> float:
    """Bytes for each leaf, beyond its value."""
    gc.collect()
    values = list(range(leaves))
    tracemalloc.start()
    controller = module.ControllerSync()
    for leaf in values:
        controller.write_state(path_of(leaf), leaf)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del controller
    return taken / leaves


def leaves(number: int, count: int) -> list[float]:
    """Seconds of CPU time of one set and of one get, of leaves by chance in a tree."""
    controller = tree_of(number)
    chance = random.Random(1)
    paths = [path_of(chance.randrange(number)) for _ in range(count)]
    gc.collect()
    gc.disable()
    begin = time.process_time()
    for value, path in enumerate(paths, start=number):
        controller.set_state(path, value)
    middle = time.process_time()
    for path in paths:
        controller.get_state(path)
    end = time.process_time()
    gc.enable()
    return [(middle - begin) / count, (end - middle) / count]


VERBS: dict[str, Any] = {"open": opened, "time": timed, "memory": memory, "leaves": leaves}

for line in sys.stdin:
    verb, *arguments = json.loads(line)
    print(json.dumps(VERBS[verb](*arguments)), flush=True)
