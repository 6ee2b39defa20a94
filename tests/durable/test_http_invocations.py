"""The ingress of invocations over HTTP, on a real runtime: paths, statuses, headers and bodies."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import pytest
from yarl import URL

from statefun import durable
from statefun.durable import (
    Context,
    ObjectContext,
    ObjectSharedContext,
    Service,
    TerminalError,
    VirtualObject,
    Workflow,
    WorkflowContext,
    WorkflowSharedContext,
)
from statefun.durable.harness import create_test_harness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.durable import HarnessEnvironment

greeter = Service("Greeter")
counter = VirtualObject("Counter")
order = Workflow("Order")


@dataclass
class Line:
    sku: str
    quantity: int = 1


@greeter.handler()
async def greet(ctx: Context, name: str) -> str:
    return f"Hello {name}"


@greeter.handler()
async def ping(ctx: Context) -> None: ...


@greeter.handler()
async def nothing_said(ctx: Context, name: str):  # type: ignore[no-untyped-def]  # noqa: ANN201
    return name


@greeter.handler()
async def buy(ctx: Context, line: Line) -> Line:
    return Line(line.sku, line.quantity + 1)


@greeter.handler()
async def fail(ctx: Context, code: int) -> None:
    raise TerminalError("no money", code, {"order": "7"})


@greeter.handler()
async def tell_headers(ctx: Context) -> dict[str, Any]:
    request = ctx.request()
    return {"headers": request.headers, "key": request.idempotency_key, "id": request.id}


@greeter.handler()
async def wait(ctx: Context) -> str:
    name, value = ctx.awakeable(type_hint=str)
    await ctx.object_call(note, "awakeable", name)
    return await value


@greeter.handler(content_type="text/plain", output_serde=durable.serde.BytesSerde())
async def text(ctx: Context) -> bytes:
    return b"plain"


@counter.handler(journal_retention=timedelta(hours=1))
async def add_kept(ctx: ObjectContext, by: int) -> int:
    return await add(ctx, by)


@counter.handler()
async def add(ctx: ObjectContext, by: int) -> int:
    total = (await ctx.get("total", int) or 0) + by
    ctx.set("total", total)
    return total


@counter.handler()
async def note(ctx: ObjectContext, value: str) -> None:
    ctx.set("note", value)


@counter.handler(kind="shared")
async def noted(ctx: ObjectSharedContext) -> str | None:
    return await ctx.get("note", str)


@counter.handler(kind="shared")
async def total(ctx: ObjectSharedContext) -> int:
    return await ctx.get("total", int) or 0


@order.main()
async def run(ctx: WorkflowContext, request: str) -> str:
    approver = await ctx.promise("approved", str)
    return f"{request}, approved by {approver}"


@order.handler()
async def approve(ctx: WorkflowSharedContext, who: str) -> None:
    await ctx.promise("approved", str).resolve(who)


class Answer(NamedTuple):
    status: int
    body: bytes
    content_type: str | None
    invocation_id: str | None
    source: str | None
    expires: str | None

    @property
    def told(self) -> Any:
        return json.loads(self.body)


class Ingress:
    """Requests as curl would make them."""

    def __init__(self, session: aiohttp.ClientSession, harness: HarnessEnvironment) -> None:
        self._session = session
        self.harness = harness

    async def ask(
        self,
        path: str,
        body: bytes = b"",
        *,
        method: str = "POST",
        url: str | None = None,
        **headers: str,
    ) -> Answer:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if body and "content-type" not in fields:
            fields["content-type"] = "application/json"
        whole = URL(f"{url or self.harness.ingress_url}{path}", encoded=True)
        async with self._session.request(
            method, whole, data=body or None, headers=fields, skip_auto_headers=["content-type"]
        ) as answer:
            got = answer.headers
            return Answer(
                answer.status,
                await answer.read(),
                got.get("content-type"),
                got.get("x-restate-id"),
                got.get("x-restate-error-source"),
                got.get("idempotency-expires"),
            )

    async def get(self, path: str) -> Answer:
        return await self.ask(path, method="GET")

    async def noted(self) -> str:
        """The awakeable that a handler gave away."""
        async with asyncio.timeout(20):
            while not (answer := await self.ask("/Counter/awakeable/noted")).body:
                pass
        return str(answer.told)


@pytest.fixture
async def ingress() -> AsyncIterator[Ingress]:
    app = durable.app([greeter, counter, order])
    async with create_test_harness(app) as harness, aiohttp.ClientSession() as session:
        yield Ingress(session, harness)


# --- calls ----------------------------------------------------------------------------------------


async def test_a_call_answers_with_the_result(ingress: Ingress) -> None:
    """Body and content type are the handler's; the id of the invocation is told."""
    answer = await ingress.ask("/Greeter/greet", b'"Ada"')

    assert (answer.status, answer.body) == (200, b'"Hello Ada"')
    assert answer.content_type == "application/json"
    assert (answer.invocation_id or "").startswith("inv_1")
    assert answer.source is None


async def test_none_is_an_empty_body(ingress: Ingress) -> None:
    """Without a content type."""
    answer = await ingress.ask("/Greeter/ping")

    assert (answer.status, answer.body, answer.content_type) == (200, b"", None)


async def test_a_handler_that_does_not_say_what_it_returns_has_no_content_type(
    ingress: Ingress,
) -> None:
    """Clients sniff it."""
    answer = await ingress.ask("/Greeter/nothing_said", b'"Ada"')

    assert (answer.body, answer.content_type) == (b'"Ada"', None)


async def test_a_serde_of_the_handler_makes_the_body(ingress: Ingress) -> None:
    """As it is, with the content type of the handler."""
    answer = await ingress.ask("/Greeter/text")

    assert (answer.body, answer.content_type) == (b"plain", "text/plain")


async def test_dataclasses_are_read_and_written(ingress: Ingress) -> None:
    """A field that does not fit is the client's fault."""
    good = await ingress.ask("/Greeter/buy", b'{"sku": "a", "quantity": 2}')
    bad = await ingress.ask("/Greeter/buy", b'{"sku": 1}')

    assert good.told == {"sku": "a", "quantity": 3}
    assert bad.status == 400
    assert "sku" in bad.told["message"]


async def test_unreadable_json_is_the_clients_fault(ingress: Ingress) -> None:
    """400, with a body that says so."""
    answer = await ingress.ask("/Greeter/greet", b"{")

    assert answer.status == 400
    assert "JSON" in answer.told["message"]


async def test_an_object_keeps_its_state_by_key(ingress: Ingress) -> None:
    """A key may have any characters, percent-escaped."""
    for _ in range(2):
        answer = await ingress.ask("/Counter/a%2Fb/add", b"2")
    other = await ingress.ask("/Counter/a/add", b"1")

    assert answer.body == b"4"
    assert other.body == b"1"
    assert (await ingress.get("/Counter/a%2Fb/total")).body == b"4"


async def test_a_call_passes_headers_and_the_idempotency_key(ingress: Ingress) -> None:
    """Names in lower case."""
    answer = await ingress.ask("/Greeter/tell_headers", X_Trace="7", idempotency_key="k")

    assert answer.told["headers"]["x-trace"] == "7"
    assert answer.told["key"] == "k"
    assert answer.told["id"] == answer.invocation_id


# --- failures -------------------------------------------------------------------------------------


async def test_a_terminal_error_is_the_status_of_the_answer(ingress: Ingress) -> None:
    """Code, message and metadata in the body, and who is at fault."""
    answer = await ingress.ask("/Greeter/fail", b"402")

    assert answer.status == 402
    assert answer.told == {
        "code": 402,
        "message": "no money",
        "source": "invocation",
        "metadata": {"order": "7"},
    }
    assert answer.source == "invocation"
    assert answer.invocation_id is not None


@pytest.mark.parametrize("code", [200, 999])
async def test_a_code_that_is_no_error_of_http_is_500(ingress: Ingress, code: int) -> None:
    """The code stands in the body."""
    answer = await ingress.ask("/Greeter/fail", b"%d" % code)

    assert (answer.status, answer.told["code"]) == (500, code)


async def test_a_refused_request_belongs_to_no_invocation(ingress: Ingress) -> None:
    """Its source is the ingress, and there is no id."""
    answer = await ingress.ask("/Nobody/greet", b'"Ada"')

    assert (answer.status, answer.source, answer.invocation_id) == (404, "ingress", None)
    assert answer.told["code"] == 404
    assert answer.content_type == "application/json"


# --- sends ----------------------------------------------------------------------------------------


async def test_a_send_is_accepted_and_runs(ingress: Ingress) -> None:
    """202 with the id, by which the result is attached."""
    sent = await ingress.ask("/Counter/ada/add/send", b"5")
    result = await ingress.get(f"/restate/invocation/{sent.told['invocationId']}/attach")

    assert sent.status == 202
    assert sent.told == {"invocationId": sent.invocation_id, "status": "Accepted"}
    assert (result.status, result.body) == (200, b"5")


async def test_a_delayed_send_says_when_it_runs(ingress: Ingress) -> None:
    """And has no result before."""
    sent = await ingress.ask("/Greeter/greet/send?delay=1day", b'"Ada"')
    output = await ingress.get(f"/restate/invocation/{sent.told['invocationId']}/output")

    assert sent.status == 202
    assert list(sent.told) == ["invocationId", "executionTime", "status"]
    assert sent.told["executionTime"].endswith("000000Z")
    assert (output.status, output.told["message"]) == (
        470,
        "the invocation exists but has not completed yet",
    )


async def test_calls_of_one_idempotency_key_share_an_invocation(ingress: Ingress) -> None:
    """Same id, same stored answer, whatever the second body is; another key is another one."""
    first = await ingress.ask("/Counter/ada/add", b"2", idempotency_key="k")
    again = await ingress.ask("/Counter/ada/add", b"3", idempotency_key="k")
    other = await ingress.ask("/Counter/ada/add", b"3", idempotency_key="k2")

    assert (first.body, again.body, other.body) == (b"2", b"2", b"5")
    assert first.invocation_id == again.invocation_id != other.invocation_id


async def test_a_stored_answer_says_until_when_it_is_kept(ingress: Ingress) -> None:
    """A repeat with the same key says it, success or failure; the first answer does not."""
    before = datetime.now(UTC)
    asks = [("/Counter/ada/add", b"2"), ("/Greeter/fail", b"402")]
    firsts = [await ingress.ask(*each, idempotency_key="k") for each in asks]
    repeats = [await ingress.ask(*each, idempotency_key="k") for each in asks]
    asked = await ingress.get("/restate/invocation/Counter/ada/add/k/output")

    assert [each.expires for each in firsts] == [None, None]
    for each in (*repeats, asked):
        assert each.expires is not None
        kept = datetime.fromisoformat(each.expires) - before
        assert timedelta(hours=23) < kept < timedelta(hours=25)


async def test_the_result_of_a_plain_call_is_kept_if_its_handler_says_so(ingress: Ingress) -> None:
    """With `journal_retention`, attach and output know it by its id; without, they do not."""
    kept = await ingress.ask("/Counter/ada/add_kept", b"2")
    gone = await ingress.ask("/Counter/ada/add", b"2")
    there = await ingress.get(f"/restate/invocation/{kept.invocation_id}/output")
    missing = await ingress.get(f"/restate/invocation/{gone.invocation_id}/output")

    assert (there.status, there.body, missing.status) == (200, b"2", 404)


async def test_a_send_of_the_same_idempotency_key_was_accepted_before(ingress: Ingress) -> None:
    """202 with the first id."""
    first = await ingress.ask("/Greeter/greet/send", b'"Ada"', idempotency_key="k")
    again = await ingress.ask("/Greeter/greet/send", b'"Bob"', idempotency_key="k")
    by_key = await ingress.get("/restate/invocation/Greeter/greet/k/attach")

    assert (first.told["status"], again.told["status"]) == ("Accepted", "PreviouslyAccepted")
    assert first.told["invocationId"] == again.told["invocationId"]
    assert by_key.body == b'"Hello Ada"'


# --- workflows, results and awakeables ------------------------------------------------------------


async def test_a_workflow_runs_once_per_key(ingress: Ingress) -> None:
    """Its promise is resolved by another handler; it cannot be called again."""
    before = await ingress.get("/restate/workflow/Order/o-1/attach")
    sent = await ingress.ask("/Order/o-1/run/send", b'"books"')
    waiting = await ingress.get("/restate/workflow/Order/o-1/output")
    again = await ingress.ask("/Order/o-1/run", b'"more"')
    resent = await ingress.ask("/Order/o-1/run/send", b'"more"')
    approved = await ingress.ask("/Order/o-1/approve", b'"Bob"')
    result = await ingress.get("/restate/workflow/Order/o-1/attach")

    assert before.status == 404
    assert sent.told["status"] == "Accepted"
    assert waiting.status == 470
    assert (again.status, again.told["message"]) == (
        409,
        "the workflow method was already invoked",
    )
    assert again.invocation_id == sent.told["invocationId"] == resent.told["invocationId"]
    assert resent.told["status"] == "PreviouslyAccepted"
    assert approved.status == 200
    assert result.body == b'"books, approved by Bob"'


async def test_an_invocation_that_nobody_knows_is_not_found(ingress: Ingress) -> None:
    """A malformed id is a bad request."""
    known = await ingress.ask("/Greeter/greet/send?delay=1h", b'"Ada"', idempotency_key="other")
    unknown = await ingress.get("/restate/invocation/Greeter/greet/nobody/output")
    malformed = await ingress.get("/restate/invocation/inv/output")

    assert known.status == 202
    assert (unknown.status, unknown.told["message"]) == (404, "invocation not found")
    assert malformed.status == 400
    assert "bad invocation id 'inv'" in malformed.told["message"]


async def test_an_awakeable_is_resolved_over_http(ingress: Ingress) -> None:
    """The first completion counts; each is answered 202."""
    call = asyncio.ensure_future(ingress.ask("/Greeter/wait"))
    name = await ingress.noted()

    first = await ingress.ask(f"/restate/awakeables/{name}/resolve", b'"done"')
    second = await ingress.ask(f"/restate/awakeables/{name}/reject", b"late")

    assert (first.status, first.body) == (202, b"")
    assert second.status == 202
    assert (await call).body == b'"done"'


async def test_an_awakeable_is_rejected_over_http(ingress: Ingress) -> None:
    """The body is the message; the code is 500."""
    call = asyncio.ensure_future(ingress.ask("/Greeter/wait"))
    name = await ingress.noted()

    await ingress.ask(f"/restate/awakeables/{name}/reject", b"no parcel", content_type="text/plain")
    answer = await call

    assert (answer.status, answer.told["message"]) == (500, "no parcel")


async def test_a_malformed_awakeable_is_a_bad_request(ingress: Ingress) -> None:
    """It can never be completed."""
    assert (await ingress.ask("/restate/awakeables/nonsense/resolve", b"1")).status == 400


async def test_health_names_the_services(ingress: Ingress) -> None:
    """Which are public or not."""
    answer = await ingress.get("/restate/health")

    assert (answer.status, answer.told) == (200, {"services": ["Counter", "Greeter", "Order"]})


# --- operators ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "status"), [("cancel", 202), ("kill", 200)])
async def test_an_operator_stops_an_invocation(
    ingress: Ingress, operation: str, status: int
) -> None:
    """Whoever waits for it is told."""
    call = asyncio.ensure_future(ingress.ask("/Greeter/wait", idempotency_key="k"))
    await ingress.noted()
    known = await ingress.get("/restate/invocation/Greeter/wait/k/output")
    sent = await ingress.ask("/Greeter/wait/send", idempotency_key="k")

    done = await ingress.ask(
        f"/invocations/{sent.told['invocationId']}/{operation}",
        method="PATCH",
        url=ingress.harness.admin_api_url,
    )
    answer = await call

    assert known.status == 470
    assert done.status == status
    assert (answer.status, answer.told["message"]) == (
        409,
        {"cancel": "cancelled", "kill": "killed"}[operation],
    )


async def test_an_operator_is_told_of_an_invocation_that_nobody_knows(ingress: Ingress) -> None:
    """404; what has ended cannot be killed, 409."""
    ended = await ingress.ask("/Greeter/greet", b'"Ada"', idempotency_key="k")
    url = ingress.harness.admin_api_url
    kill = await ingress.ask(f"/invocations/{ended.invocation_id}/kill", method="PATCH", url=url)
    malformed = await ingress.ask("/invocations/inv/kill", method="PATCH", url=url)

    assert kill.status == 409
    assert malformed.status == 400


# --- the client -----------------------------------------------------------------------------------


async def test_the_client_speaks_to_the_ingress(ingress: Ingress) -> None:
    """Typed calls, sends, results, completions and failures."""
    client = ingress.harness.client

    assert await client.service_call(greet, "Ada") == "Hello Ada"
    assert await client.object_call(add, "a/b", 2) == 2
    assert await client.service_call(buy, Line("a")) == Line("a", 2)
    sent = await client.object_send(add, "a/b", 3, send_delay=timedelta(milliseconds=1))
    assert await client.attach(sent.invocation_id, int) == 5
    started = await client.workflow_send(run, "o-2", "books")
    assert started.is_new
    assert not await client.is_done(started.invocation_id)
    await client.workflow_call(approve, "o-2", "Bob")
    assert await client.workflow_attach(run, "o-2") == "books, approved by Bob"
    with pytest.raises(durable.HttpError) as caught:
        await client.service_call(fail, 402)
    assert caught.value.status_code == 402
