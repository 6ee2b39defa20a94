"""State kept by a stateful function: one tree for each id, changed in turns.

`bind_state_tree` makes the function; `FunctionBackend` talks to one id of it, through anything that
can call a function: the embedded runtime, or a `KafkaCaller` where the function runs behind Flink.
The whole tree is one value of the function, so it is for trees of some thousand nodes, not more.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from statefun.errors import (
    CallTimeoutError,
    StateBackendError,
    TransactionConflictError,
    ValueSerializationError,
)
from statefun.reactive.backends.base import (
    MISSING,
    AsyncBackend,
    Backend,
    Delete,
    Expect,
    ForeignChange,
    Forwarding,
    Node,
    TreeBackend,
    Write,
    view_of,
)
from statefun.reactive.paths import is_related, relative
from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.egress import kafka_egress_message
from statefun.sdk.specs import ValueSpec
from statefun.sdk.types import make_json_type

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from statefun.reactive.backends.base import Operation
    from statefun.sdk.context import Context
    from statefun.sdk.functions import StatefulFunctions
    from statefun.sdk.messages import Message
    from statefun.sdk.types import Type

__all__ = [
    "REQUEST",
    "Caller",
    "FunctionBackend",
    "FunctionSyncBackend",
    "KafkaCaller",
    "Reply",
    "bind_state_tree",
]

DEFAULT_TYPENAME = "statefun.reactive/tree"

REQUEST = make_json_type("statefun.reactive/request")
_REPLY = make_json_type("statefun.reactive/reply")
_STATE = make_json_type("statefun.reactive/state")

# How many changes the function remembers, for conflicts and for `refresh`.
_KEPT_CHANGES = 1_000


# --- the function ---------------------------------------------------------------------------------


@dataclass
class _State:
    """The tree of one id, as it is stored.

    Attributes:
        revision: How many changes there have been.
        nodes: Canonical path → value, in the order of creation.
        changes: The last ones: number, writer, path, the value before and after in lists of one,
            empty where there is none.
    """

    revision: int = 0
    nodes: dict[str, Any] = field(default_factory=dict)
    changes: list[list[Any]] = field(default_factory=list)

    def below(self, path: str) -> dict[str, Any]:
        """Give what is at and below a path, by paths as seen from there."""
        found = ((relative(each, path), value) for each, value in self.nodes.items())
        return {inner: value for inner, value in found if inner is not None}

    def conflict(self, paths: list[str], since: int) -> str | None:
        """Give one of some paths that has changed since a revision."""
        changed = [change[2] for change in self.changes if change[0] > since]
        is_cut = len(changed) < self.revision - since
        for path in paths:
            if is_cut or any(is_related(path, each) for each in changed):
                return path
        return None

    def change(self, writer: str, path: str, after: list[Any]) -> None:
        """Write a path, or delete it if there is nothing after; the same value changes nothing."""
        before = [self.nodes[path]] if path in self.nodes else []
        if after and json.dumps(before) == json.dumps(after):
            return
        if after:
            self.nodes[path] = after[0]
        else:
            below = self.below(path)
            if not below:
                return
            before = [view_of(below.items())]
            gone = [each for each in self.nodes if relative(each, path) is not None]
            for each in gone:
                del self.nodes[each]
        self.revision += 1
        self.changes.append([self.revision, writer, path, before, after])
        del self.changes[:-_KEPT_CHANGES]


def _answer(state: _State, request: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Do what a request asks; give the answer, and whether the state has changed."""
    match request["verb"]:
        case "read":
            return {"nodes": state.below(request["path"])}, False
        case "revision":
            return {}, False
        case "changes":
            since = request["since"]
            changes = [change for change in state.changes if change[0] > since]
            is_cut = len(changes) < state.revision - since
            return {"changes": changes, "is_cut": is_cut}, False
        case _:
            conflict = state.conflict(request["expected"], request["since"])
            if conflict is not None:
                return {"conflict": conflict}, False
            before = state.revision
            for path, *after in request["operations"]:
                state.change(request["writer"], path, after)
            return {}, state.revision > before


def bind_state_tree(
    functions: StatefulFunctions,
    typename: str = DEFAULT_TYPENAME,
    *,
    egress: str | None = None,
    topic: str | None = None,
) -> None:
    """Bind the function that keeps trees, one for each id.

    It answers whoever called it. A request that came through an ingress has no caller: its answer
    goes into a Kafka topic, under the key of the request.

    Args:
        functions: Where to bind it.
        typename: Its typename.
        egress: Typename of the Kafka egress for answers to requests without a caller.
        topic: The topic of those answers.
    """

    async def keep(context: Context, message: Message) -> None:
        request: Any = message.as_type(REQUEST)
        stored = context.storage.tree
        state = _State() if stored is None else _State(**stored)
        answer, has_changed = _answer(state, request)
        if has_changed:
            context.storage.tree = vars(state)
        reply = {"id": request["id"], "revision": state.revision, **answer}
        if context.caller is not None:
            target = (context.caller.typename, context.caller.id)
            context.send(message_builder(*target, value=reply, value_type=_REPLY))
        elif egress is not None and topic is not None:
            content = json.dumps(reply).encode()
            context.send_egress(
                kafka_egress_message(egress, topic=topic, key=request["id"], value=content)
            )

    functions.register(typename, keep, specs=[ValueSpec("tree", _STATE)])


# --- calling it -----------------------------------------------------------------------------------


class Reply(Protocol):
    """What a call gives: the value that the function has sent back."""

    def as_type(self, value_type: Type[Any]) -> Any:
        """Read the value as a type."""


class Caller(Protocol):
    """Something that calls functions, as `statefun.runtime.Runtime` does."""

    def call(
        self, message: Message, *, timeout: timedelta | None = None
    ) -> Coroutine[Any, Any, Reply]:
        """Send a message, and wait for the first message that the function sends back."""


class FunctionBackend(TreeBackend, AsyncBackend):
    """A tree that a stateful function keeps, for `ControllerAsync`.

    A write is durable when it returns. Several controllers, in several processes, may share a tree,
    as they may share a SQLite file: `refresh` and `watch` announce what others have changed, and a
    transaction is one turn of the function. Values must be JSON.

    Args:
        caller: Calls the function: a running `Runtime`, or a `KafkaCaller`.
        target_id: Which of the function's trees.
        typename: The function, as it was bound by `bind_state_tree`.
        timeout: How long to wait for each answer. When it is over, a write may have been done or
            not.
    """

    has_revisions = True

    def __init__(
        self,
        caller: Caller,
        target_id: str,
        typename: str = DEFAULT_TYPENAME,
        *,
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        self.target_id = target_id
        self.typename = typename
        self.timeout = timeout
        self._caller = caller
        self._writer = secrets.token_hex(8)
        self._numbers = count(1)
        self._seen: int | None = None

    async def get(self, path: str, default: Any) -> Any:
        """Return what a path reads as, or `default` itself."""
        value = view_of((await self._ask("read", path=path))["nodes"].items())
        return default if value is MISSING else value

    def check(self, path: str, value: Any) -> None:
        """Raise what writing a value at a path would raise."""
        _as_json(Write(path, value))

    async def put(self, path: str, value: Any) -> None:
        """Write the value of a node; its children stay."""
        await self.apply([Write(path, value)])

    async def remove(self, path: str) -> None:
        """Delete a node and everything below it."""
        await self.apply([Delete(path)])

    async def node(self, path: str) -> Node:
        """Return the node at a path."""
        below = (await self._ask("read", path=path))["nodes"]
        names = dict.fromkeys(inner.split("/")[1] for inner in below if inner != "/")
        return Node(below.get("/", MISSING), tuple(names), exists=bool(below))

    async def apply(self, operations: Sequence[Operation]) -> None:
        """Do all operations in one turn of the function.

        Raises:
            TransactionConflictError: If a path of an `Expect` has changed since its revision.
        """
        expected = [each for each in operations if isinstance(each, Expect)]
        answer = await self._ask(
            "apply",
            writer=self._writer,
            expected=[each.path for each in expected],
            since=expected[0].revision if expected else 0,
            operations=[_as_json(each) for each in operations if not isinstance(each, Expect)],
        )
        if "conflict" in answer:
            raise TransactionConflictError(answer["conflict"])

    async def revision(self) -> int:
        """Return the number of the last change."""
        number: int = (await self._ask("revision"))["revision"]
        return number

    async def changes(self) -> list[ForeignChange]:
        """Return what others have changed since the last call, or since the first answer."""
        since = await self.revision() if self._seen is None else self._seen
        answer = await self._ask("changes", since=since)
        self._seen = answer["revision"]
        found = [
            ForeignChange(path, _first(before), _first(after), is_delete=not after)
            for _, writer, path, before, after in answer["changes"]
            if writer != self._writer
        ]
        if answer["is_cut"]:
            found.insert(0, ForeignChange("/", None, await self.get("/", None), False, True))  # noqa: FBT003
        return found

    async def _ask(self, verb: str, **facts: Any) -> dict[str, Any]:
        request = {"id": f"{self._writer}-{next(self._numbers)}", "verb": verb, **facts}
        message = message_builder(self.typename, self.target_id, value=request, value_type=REQUEST)
        reply = await self._caller.call(message, timeout=self.timeout)
        answer: dict[str, Any] = reply.as_type(_REPLY)
        if self._seen is None:
            self._seen = answer["revision"]
        return answer


def _first(values: list[Any]) -> Any:
    return values[0] if values else None


def _as_json(operation: Operation) -> list[Any]:
    """Give an operation as the function reads it: a path, and the value of a write."""
    if not isinstance(operation, Write):
        return [operation.path]
    try:
        return [operation.path, json.loads(json.dumps(operation.value))]
    except (TypeError, ValueError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueSerializationError(operation.path, "written", reason) from error


class FunctionSyncBackend(Forwarding, Backend):
    """The same for `ControllerSync`, in a thread beside the event loop of an embedded runtime.

    Args:
        backend: The backend.
        loop: The running loop of its caller. Whoever uses this in that loop's own thread waits for
            ever.
    """

    def __init__(self, backend: FunctionBackend, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(backend)
        self.backend = backend
        self._loop = loop

    def _forward(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(function(*arguments), self._loop).result()


# --- behind Flink ---------------------------------------------------------------------------------


class _KafkaReply:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def as_type(self, value_type: Type[Any]) -> Any:
        return value_type.serializer().deserialize(self._content)


class KafkaCaller:
    """Calls the function where it runs behind Flink: by a topic of requests, and one of answers.

    The cluster's ingress takes the topic of requests in with the type `statefun.reactive/request`
    and the record's key as the id. `close` ends the thread that reads answers.

    Args:
        producer: A `confluent_kafka.Producer`.
        consumer: A `confluent_kafka.Consumer` with a group of its own, not subscribed yet.
        requests: The topic of requests.
        replies: The topic of answers, the one that `bind_state_tree` was given.
    """

    def __init__(self, producer: Any, consumer: Any, *, requests: str, replies: str) -> None:
        self._producer = producer
        self._consumer = consumer
        self._requests = requests
        self._waiting: dict[str, Callable[[bytes], object]] = {}
        self._is_closed = threading.Event()
        self._is_assigned = threading.Event()
        consumer.subscribe([replies], on_assign=self._begin_at_the_end)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    async def call(self, message: Message, *, timeout: timedelta | None = None) -> Reply:  # noqa: ASYNC109 - as `Runtime.call`
        """Send a request, and wait for its answer.

        Raises:
            StateBackendError: If Kafka does not take the request.
            CallTimeoutError: If no answer comes in time.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        content = REQUEST.serializer().serialize(message.as_type(REQUEST))
        request_id = json.loads(content)["id"]
        seconds = None if timeout is None else timeout.total_seconds()
        self._waiting[request_id] = lambda got: loop.call_soon_threadsafe(_finish, answer, got)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.to_thread(self._is_assigned.wait, seconds)
                self._producer.produce(self._requests, key=message.target_id, value=content)
                self._producer.poll(0)
                return _KafkaReply(await answer)
        except TimeoutError:
            address = Address(message.target_typename, message.target_id)
            raise CallTimeoutError(address, seconds or 0, is_accepted=False) from None
        except BufferError as error:
            raise StateBackendError("/", "written", f"BufferError: {error}") from error
        finally:
            self._waiting.pop(request_id, None)

    def close(self) -> None:
        """End the thread, send what is left within ten seconds, and leave the group."""
        self._is_closed.set()
        self._thread.join()
        self._producer.flush(10)
        self._consumer.close()

    def _begin_at_the_end(self, consumer: Any, partitions: list[Any]) -> None:
        """Settle where to read from before the first request, so that no answer is missed."""
        for partition in partitions:
            _, partition.offset = consumer.get_watermark_offsets(partition, timeout=10)
        consumer.assign(partitions)
        self._is_assigned.set()

    def _read(self) -> None:
        while not self._is_closed.is_set():
            record = self._consumer.poll(0.1)
            if record is not None and record.error() is None and record.key() is not None:
                found = self._waiting.get(record.key().decode())
                if found is not None:
                    found(record.value())


def _finish(answer: asyncio.Future[bytes], content: bytes) -> None:
    if not answer.done():
        answer.set_result(content)
