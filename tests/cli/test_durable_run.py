"""Durable handlers in `statefun run`, killed and started again, and what operators do to them."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.process import Server, statefun
from tests.tools.lab.server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(Path(__file__).with_name("shop.py"), tmp_path)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with run(folder) as server:
        yield server


def run(folder: Path) -> Server:
    (folder / "module.yaml").write_text("kind: io.statefun.playground.v1/ingress\nspec: {port: 0}")
    return Server(
        "run", "module.yaml", "--functions", "shop:app", "--ingress-port", "0", cwd=folder
    )


def ask(
    server: Server, path: str, body: str | None = None, *, method: str = "POST", **headers: str
) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        fields["content-type"] = "application/json"
    with closing(HTTPConnection("127.0.0.1", server.ports["invocations"], timeout=30)) as asking:
        asking.request(method, path, body, fields)
        answer = asking.getresponse()
        content = answer.read()
    return answer.status, json.loads(content) if content else None


def send(server: Server, path: str, body: str | None = None) -> str:
    """The id of an invocation that was sent, and whose first turn is durable.

    What asks for its result is worked on after that turn, so the answer means it.
    """
    status, sent = ask(server, path, body)
    assert status == 202
    invocation_id = str(sent["invocationId"])
    assert ask(server, f"/restate/invocation/{invocation_id}/output", method="GET")[0] == 470
    return invocation_id


def listed(folder: Path, *options: str) -> list[Any]:
    outcome = statefun("invocations", "list", "--json", *options, cwd=folder)
    assert outcome.code == 0, outcome.err
    found: list[Any] = json.loads(outcome.out)
    return found


def test_state_and_results_survive_a_kill(folder: Path) -> None:
    """What was answered is there; a repeat with the same key is not counted again."""
    with run(folder) as server:
        assert ask(server, "/Counter/ada/add", "2") == (200, 2)
        assert ask(server, "/Counter/ada/add", "2", idempotency_key="k") == (200, 4)
        sent = send(server, "/Waiter/sleep/send")
        server.kill()

    with run(folder) as server:
        assert ask(server, "/Counter/ada/add", "2", idempotency_key="k") == (200, 4)
        assert ask(server, "/Counter/ada/add", "1") == (200, 5)
        output = f"/restate/invocation/{sent}/output"
        assert ask(server, output, method="GET")[0] == 470


def test_invocations_are_listed_and_described(server: Server, folder: Path) -> None:
    """While the runtime runs, filtered by service, key, status and age; the journal in words."""
    sent = send(server, "/Waiter/wait/send", '"Ada"')
    send(server, "/Waiter/sleep/send?delay=1day")
    ask(server, "/Counter/ada/add", "2", idempotency_key="k")

    rows = {(each["handler"], each["status"]) for each in listed(folder)}
    described = statefun("invocations", "describe", sent, cwd=folder)

    assert rows == {("wait", "running"), ("sleep", "scheduled"), ("add", "succeeded")}
    assert len(listed(folder, "--service", "Waiter")) == 2
    assert [each["key"] for each in listed(folder, "--key", "ada")] == ["ada"]
    assert [each["handler"] for each in listed(folder, "--status", "running")] == ["wait"]
    assert listed(folder, "--older-than", "3600") == []
    assert 'begun: wait, argument "Ada"' in described.out
    assert '"ADA"' in described.out


@pytest.mark.parametrize("is_running", [True, False])
def test_an_operator_cancels_on_a_running_and_on_a_stopped_runtime(
    folder: Path, *, is_running: bool
) -> None:
    """The command ends once that is durable; who asks for the result is told 409."""
    with run(folder) as server:
        sent = send(server, "/Waiter/wait/send", '"Ada"')
        attach = f"/restate/invocation/{sent}/attach"
        if not is_running:
            server.stop()
        outcome = statefun("invocations", "cancel", sent, cwd=folder)
        if is_running:
            status, told = ask(server, attach, method="GET")
    if not is_running:
        with run(folder) as server:
            status, told = ask(server, attach, method="GET")

    assert outcome.code == 0, outcome.err
    assert outcome.out == f"cancelled {sent}\n"
    assert (status, told["message"]) == (409, "cancelled")


def test_a_paused_invocation_goes_on_when_it_is_resumed(server: Server, folder: Path) -> None:
    """Its status says so meanwhile."""
    sent = send(server, "/Waiter/wait/send", '"Ada"')

    for action, status in (("pause", "paused"), ("resume", "running"), ("kill", "failed")):
        outcome = statefun("invocations", action, sent, cwd=folder)
        assert outcome.code == 0, outcome.err
        # the next answer of the same address shows that the message was worked on
        ask(server, f"/restate/invocation/{sent}/output", method="GET")
        assert [each["status"] for each in listed(folder)] == [status]

    assert statefun("invocations", "purge", sent, cwd=folder).code == 0
    assert listed(folder) == []


def test_what_cannot_be_done_is_told(server: Server, folder: Path) -> None:
    """An id that is unknown, an end that has come, an end that has not."""
    sent = send(server, "/Waiter/wait/send", '"Ada"')
    ask(server, "/Counter/ada/add", "2", idempotency_key="k")
    [ended] = [each["id"] for each in listed(folder, "--service", "Counter")]

    unknown = statefun("invocations", "kill", "inv_1", cwd=folder)
    late = statefun("invocations", "kill", ended, cwd=folder)
    early = statefun("invocations", "purge", sent, cwd=folder)

    assert (unknown.code, late.code, early.code) == (1, 1, 1)
    assert "there is no invocation 'inv_1' in .statefun" in unknown.err
    assert "has succeeded, so there is nothing to kill" in late.err
    assert "has not ended, it is running: kill it first" in early.err


def test_an_ingress_port_needs_durable_handlers(folder: Path) -> None:
    """Whoever opens one without any is told what to pass."""
    shutil.copy(Path(__file__).with_name("ledger.py"), folder)

    outcome = statefun("run", "--functions", "ledger:functions", "--ingress-port", "0", cwd=folder)

    assert outcome.code == 1
    assert "pass --functions MODULE:ATTR with what app([...]) returns" in outcome.err


# --- module files ---------------------------------------------------------------------------------

PLAYGROUND = "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"
INVOCATIONS = "---\nkind: io.statefun.durable.v1/ingress\nspec: {SPEC}\n"


def run_file(folder: Path, *specs: str) -> tuple[str, ...]:
    """The command for a module file with ingresses of invocations."""
    components = "".join(INVOCATIONS.replace("SPEC", spec) for spec in specs)
    (folder / "module.yaml").write_text(PLAYGROUND + components)
    return "run", "module.yaml", "--functions", "shop:app"


def test_a_module_file_says_who_may_invoke_what(folder: Path) -> None:
    """A token opens the ingress; services that are not named are for handlers only."""
    (folder / "tokens").write_text("open-sesame\n")
    command = run_file(folder, "port: 0, tokenFile: tokens, services: [Counter]")

    with Server(*command, cwd=folder) as server:
        closed = ask(server, "/Counter/ada/add", "2")[0]
        token = {"authorization": "Bearer open-sesame"}
        opened = ask(server, "/Counter/ada/add", "2", **token)
        private, told = ask(server, "/Waiter/wait", **token)

    assert (closed, opened, private) == (401, (200, 2), 400)
    assert "the invoked service is not public" in told["message"]


@pytest.mark.parametrize(
    ("specs", "text"),
    [
        (("port: 0", "port: 0"), "one runtime has one ingress of invocations"),
        (("services: [Cuonter]",), "there is none of that name: known are Counter, Waiter"),
        (("tls: {key: k.pem}",), "'tls.certificate' is missing"),
        (("port: 0, tokenFile: none",), "the file of tokens none cannot be read"),
        (("prot: 0",), "prot"),
    ],
)
def test_a_module_file_that_cannot_be_meant_is_refused(
    folder: Path, specs: tuple[str, ...], text: str
) -> None:
    """Before anything is opened, with what is wrong in it."""
    outcome = statefun(*run_file(folder, *specs), "--strict", cwd=folder)

    assert outcome.code == 1
    assert text in outcome.err


# --- remote apps ----------------------------------------------------------------------------------

ENDPOINT = """\
kind: io.statefun.endpoints.v2/http
spec: {functions: durable/*, urlPathTemplate: "http://127.0.0.1:PORT/statefun"}
---
kind: io.statefun.playground.v1/ingress
spec: {port: 0}
"""


def test_an_app_behind_an_endpoint_is_invoked_over_the_ingress(folder: Path) -> None:
    """The endpoint tells its services; one that comes up later is asked when it is needed."""
    port = free_port()
    (folder / "module.yaml").write_text(ENDPOINT.replace("PORT", str(port)))

    with Server("run", "module.yaml", "--ingress-port", "0", cwd=folder) as runtime:
        early, told = ask(runtime, "/Counter/ada/add", "2")
        with Server("serve", "shop:app", "--port", str(port), cwd=folder):
            until = time.monotonic() + 30
            while (answer := ask(runtime, "/Counter/ada/add", "2"))[0] == 404:
                assert time.monotonic() < until, answer
            health = ask(runtime, "/restate/health", method="GET")

    assert (early, told["message"]) == (404, "there is no service 'Counter'; services: none")
    assert answer == (200, 2)
    assert health == (200, {"services": ["Counter", "Waiter"]})


def test_a_body_that_is_too_long_is_refused_in_json(server: Server) -> None:
    """As every refusal of the ingress is; before the body has come."""
    with closing(HTTPConnection("127.0.0.1", server.ports["invocations"], timeout=30)) as asking:
        asking.putrequest("POST", "/Counter/ada/add")
        asking.putheader("content-type", "application/json")
        asking.putheader("content-length", str((32 << 20) + 1))
        asking.endheaders()
        answer = asking.getresponse()
        told = json.loads(answer.read())

    assert (answer.status, told["code"], told["source"]) == (413, 413, "ingress")
