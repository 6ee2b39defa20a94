"""Requests and replies in topics: the gateway passes requests on, outcomes are Kafka records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from statefun.durable import Context, ObjectContext, Service, VirtualObject, _proto
from statefun.durable.identity import Awakeable, InvocationId
from statefun.durable.outcomes import failure_of, succeeded
from tests.tools.durable.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

REPLIES = "com.example/replies"
TOPIC = "replies.of-a-client"
GATEWAY = ("durable/_gateway", "any key")

greeter, counter = Service("Greeter"), VirtualObject("Counter")
given: list[str] = []


@greeter.handler()
async def greet(ctx: Context, name: str) -> str:
    return f"hello {name}"


@greeter.handler(ingress_private=True)
async def whisper(ctx: Context) -> None: ...


@greeter.handler()
async def wait(ctx: Context) -> str:
    name, value = ctx.awakeable(type_hint=str)
    given.append(name)
    return await value


@counter.handler()
async def add(ctx: ObjectContext, by: int) -> int:
    total = (await ctx.get("total", int) or 0) + by
    ctx.set("total", total)
    return total


class Topics(Stage):
    """The app with what a client sees of it: records that it sends and records that come back."""

    def __init__(self, egresses: Sequence[str] | None = (REPLIES,)) -> None:
        super().__init__([greeter, counter], egresses=egresses)

    def request(self, handler: Any, arg: Any = None, **options: Any) -> _proto.Envelope:
        route = _proto.Route(typename=REPLIES, id="7", is_egress=True, topic=TOPIC)
        message = self.application.invoke(handler, arg, reply=route, **options)
        return _proto.Envelope.FromString(message.raw_value() or b"")

    def ask(self, **content: Any) -> None:
        self.send(GATEWAY, _proto.Envelope(version=1, **content))

    def replies(self) -> list[Any]:
        """Values or codes, of the records that came to the topic under the key of the request."""
        found = []
        for record in self.harness.egress(REPLIES):
            kafka = record.kafka
            assert (kafka.topic, kafka.key) == (TOPIC, "7")
            done = _proto.Envelope.FromString(kafka.value).done
            failure = failure_of(done.outcome)
            found.append(failure.status_code if failure else json.loads(done.outcome.value))
        return found


def test_an_invocation_travels_in_topics() -> None:
    """To a service, to an object, and to one with an idempotency key, by one topic."""
    topics = Topics()
    for request in (
        topics.request(greet, "ada"),
        topics.request(add, 2, key="c"),
        topics.request(add, 3, key="c", idempotency_key="k"),
        topics.request(add, 3, key="c", idempotency_key="k"),
    ):
        topics.send(GATEWAY, request)

    assert topics.replies() == ["hello ada", 2, 5, 5]


def test_an_awakeable_is_completed_and_a_result_attached_to_by_topics() -> None:
    """All that an ingress can do, a topic can."""
    topics = Topics()
    request = topics.request(wait, idempotency_key="k")
    topics.send(GATEWAY, request)
    awakeable = Awakeable.parse(given[-1])
    done = _proto.Done(
        execution=awakeable.invocation, seq=awakeable.seq, outcome=succeeded(b'"given"')
    )
    topics.ask(done=done)
    topics.ask(attach=_proto.Attach(id=request.invoke.id, reply=request.invoke.reply))

    assert topics.replies() == ["given", "given"]


def changed(request: _proto.Envelope, **fields: Any) -> _proto.Envelope:
    for name, value in fields.items():
        setattr(request.invoke, name, value)
    return request


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"id": "inv_1junk"}, 400),
        ({"handler": "whisper"}, 400),
        ({"handler": "wisper"}, 404),
        ({"id": str(InvocationId.parse("inv_1" + "AT7OYR5u0U3nREBlykqrt6ZPcmRlcnMA"))}, 404),
    ],
    ids=["malformed", "private", "no handler", "no service"],
)
def test_a_request_that_asks_for_nothing_that_there_is_is_answered(
    fields: dict[str, Any], code: int
) -> None:
    """Whoever waits for an answer is told; nothing is sent on."""
    topics = Topics()
    topics.send(GATEWAY, changed(topics.request(greet, "ada"), **fields))

    assert topics.replies() == [code]


def test_what_addresses_tell_one_another_is_not_taken_from_outside() -> None:
    """An alarm or a wake in a topic changes nothing."""
    topics = Topics()
    topics.ask(wake=True)
    topics.ask(alarm=_proto.Alarm(due_ms=1, token="t"))

    assert topics.replies() == []


def test_an_outcome_for_an_egress_that_is_not_there_is_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An engine would fail its job on it."""
    topics = Topics(egresses=())
    topics.send(GATEWAY, topics.request(greet, "ada"))

    assert topics.replies() == []
    assert "add it to egresses=" in caplog.text
