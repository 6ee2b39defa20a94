"""A codec of values: all that an app keeps and sends is encoded, and no failure is."""

from __future__ import annotations

import asyncio
import json
import urllib.request
import zlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from statefun.durable import (
    Context,
    HttpError,
    JournalValueCodec,
    ObjectContext,
    RunOptions,
    Service,
    TerminalError,
    VirtualObject,
    Workflow,
    WorkflowContext,
    WorkflowSharedContext,
    app,
    create_test_harness,
    test_harness,
)
from statefun.durable.endpoint import Endpoint
from statefun.errors import ConfigurationError
from statefun.testing import Harness

SECRET = "the secret of ada"


class Sealed(JournalValueCodec):
    """Compresses, and marks what it has made."""

    def encode(self, buf: bytes) -> bytes:
        return b"sealed" + zlib.compress(buf)

    async def decode(self, buf: bytes) -> bytes:
        if not buf.startswith(b"sealed"):
            raise ValueError("the seal is missing")
        return zlib.decompress(buf.removeprefix(b"sealed"))


@dataclass
class Notes:
    last: str = ""


service, notes, flow = Service("S"), VirtualObject("N", state=Notes), Workflow("W")


def echo(text: str) -> str:
    return text


@notes.handler()
async def note(ctx: ObjectContext[Notes], text: str) -> str | None:
    before = ctx.state.last or None
    ctx.state.last = text
    ctx.set("all", [*(await ctx.get("all", list) or []), text])
    return before


@service.handler()
async def everything(ctx: Context, text: str) -> list[Any]:
    told: list[Any] = [await ctx.run_typed("echo", echo, RunOptions(), text)]
    name, promised = ctx.awakeable(type_hint=str)
    ctx.resolve_awakeable(name, text)
    told.append(await promised)
    told.append(await ctx.object_call(note, "n", text))
    told.append(json.loads(await ctx.generic_call("N", "note", json.dumps(text).encode(), "n")))
    ctx.object_send(note, "n", text)
    await ctx.sleep(timedelta(milliseconds=1))
    return told


@service.handler()
async def fail(ctx: Context, text: str) -> None:
    raise TerminalError("no " + text, 418)


@flow.main()
async def run(ctx: WorkflowContext, text: str) -> str:
    return await ctx.promise("given", type_hint=str)


@flow.handler()
async def give(ctx: WorkflowSharedContext, text: str) -> bool:
    promise = ctx.promise("given", type_hint=str)
    has_been = await promise.peek() is not None
    await promise.resolve(text)
    return has_been


SERVICES = [service, notes, flow]


@pytest.mark.parametrize("is_cold", [False, True], ids=["warm", "cold"])
async def test_values_are_what_they_are_without_a_codec(*, is_cold: bool) -> None:
    """Arguments, results, effects, awakeables, promises, state, by whatever way they travel."""
    sealed = app(SERVICES, journal_value_codec=Sealed())
    async with create_test_harness(
        sealed, always_replay=is_cold, journal_value_codec=Sealed()
    ) as harness:
        told = await harness.client.service_call(everything, SECRET)
        started = asyncio.ensure_future(harness.client.workflow_call(run, "w", ""))
        has_been = await harness.client.workflow_call(give, "w", SECRET)
        given = await started
        with pytest.raises(HttpError) as failed:
            await harness.client.service_call(fail, "ada")

    assert told == [SECRET, SECRET, None, SECRET]
    assert (has_been, given) == (False, SECRET)
    assert json.loads(failed.value.body or "")["message"] == "no ada"


def test_all_that_is_kept_is_encoded() -> None:
    """State is not readable without the codec."""
    sealed = app(SERVICES, journal_value_codec=Sealed())
    harness = Harness(sealed)
    harness.send(sealed.invoke(note, SECRET, key="n"))
    harness.run()
    kept = harness.state("durable/N", "n")["entries"].data

    assert SECRET.encode() not in kept
    assert kept.count(b"sealed") == 2


async def test_who_does_not_encode_is_told_so() -> None:
    """A plain body is the client's fault: 400, and no further attempt."""
    async with create_test_harness(app(SERVICES, journal_value_codec=Sealed())) as harness:
        with pytest.raises(HttpError) as refused:
            await harness.client.service_call(fail, "ada")

    assert refused.value.status_code == 400
    assert "the codec of the app does not decode it" in (refused.value.body or "")


async def test_a_codec_may_be_made_by_a_function_that_waits() -> None:
    """It is called once, whatever asks for the codec first."""
    made = []

    async def provide() -> JournalValueCodec:
        await asyncio.sleep(0)
        made.append("codec")
        return Sealed()

    sealed = Endpoint().bind(*SERVICES).set_journal_value_codec(provide).app()
    sealed.invoke(note, SECRET, key="n")
    async with create_test_harness(sealed, journal_value_codec=Sealed()) as harness:
        assert await harness.client.object_call(note, "n", SECRET) is None

    assert made == ["codec"]


def test_a_codec_that_waits_while_it_decodes_is_refused() -> None:
    """Values are read while a handler runs, which waits for durable steps only."""

    class Slow(Sealed):
        async def decode(self, buf: bytes) -> bytes:
            await asyncio.sleep(0)
            return buf

    with pytest.raises(ConfigurationError, match="waits for something"):
        app([], journal_value_codec=Slow()).directory.codec.decode(b"x")


# --- the endpoint and the harness that is not async -----------------------------------------------


def test_an_endpoint_collects_services() -> None:
    """As `app` does, in steps."""
    endpoint = Endpoint().bind(service).bind(notes).streaming_protocol()

    assert list(endpoint.services) == ["S", "N"]
    assert endpoint.request_response_protocol().app().services == (service, notes)
    with pytest.raises(ConfigurationError, match="identity_keys is not supported"):
        endpoint.identity_key("publickeyv1_x")


def test_a_test_need_not_be_async() -> None:
    """The app runs in a thread until the block is left, and again in another block."""
    harness = test_harness(app(SERVICES), always_replay=True)
    for _ in range(2):
        with harness:
            request = urllib.request.Request(
                f"{harness.ingress_url}/N/n/note",
                json.dumps(SECRET).encode(),
                {"content-type": "application/json"},
            )
            with urllib.request.urlopen(request) as answer:
                assert (answer.status, answer.read()) == (200, b"")


def test_a_harness_that_cannot_start_says_why() -> None:
    """In the thread of the test."""
    with pytest.raises(AttributeError), test_harness(object()):  # type: ignore[arg-type]
        pass
