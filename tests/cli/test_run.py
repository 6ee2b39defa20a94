"""`statefun run` as a process, and the commands that talk to it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from statefun.cli import main
from tests.cli.process import Outcome, Server, statefun

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTORS = """\
kind: io.statefun.playground.v1/ingress
spec: {port: 0}
---
kind: io.statefun.playground.v1/egress
spec: {port: 0, topics: [accounts]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with functions and a file of connectors."""
    return fill(tmp_path)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A runtime that all tests of this module may send to, and the directory it runs in."""
    folder = fill(tmp_path_factory.mktemp("shared"))
    with run(folder, "--admin-port", "0") as server:
        yield server, folder


def fill(folder: Path) -> Path:
    shutil.copy(Path(__file__).with_name("ledger.py"), folder)
    (folder / "module.yaml").write_text(CONNECTORS)
    return folder


def run(folder: Path, *options: str) -> Server:
    return Server("run", "module.yaml", "--functions", "ledger:functions", *options, cwd=folder)


def send(server: Server, folder: Path, *arguments: str) -> Outcome:
    return statefun("send", "--to", server.url("ingress"), *arguments, cwd=folder)


def get(url: str, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(url.removeprefix("http://"))
    connection.request(method, path)
    answer = connection.getresponse()
    content = answer.status, dict(answer.headers), answer.read()
    connection.close()
    return content


def state(folder: Path, typename: str, address_id: str) -> Any:
    outcome = statefun("state", "get", typename, address_id, "--json", cwd=folder)
    assert (outcome.code, outcome.err) == (0, "")
    return json.loads(outcome.out)["values"]


# --- sending, looking, reading --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typename", "text", "value"),
    [
        ("io.statefun.types/string", "", ""),
        ("io.statefun.types/string", "grüße", "grüße"),
        ("io.statefun.types/int", "-5", -5),
        ("io.statefun.types/long", "9007199254740993", 9007199254740993),
        ("io.statefun.types/float", "1.5", 1.5),
        ("io.statefun.types/double", "nan", "NaN"),
        ("io.statefun.types/double", "-inf", "-Infinity"),
        ("io.statefun.types/bool", "TRUE", True),
        ("io.statefun.types/bool", "0", False),
    ],
)
def test_a_value_of_a_built_in_type_is_parsed(
    runtime: tuple[Server, Path], typename: str, text: str, value: object
) -> None:
    """What `send --type` parses is what the function gets, and `state get --json` shows it."""
    server, folder = runtime
    target = "com.example/types", f"{typename} {text}"

    sent = send(server, folder, "--type", typename, "--", *target, text)

    assert sent == Outcome(0, f"sent to {target[0]} {target[1]!r}\n", "")
    wait_until_idle(server)
    assert state(folder, *target) == {
        typename.rpartition("/")[2]: {"typename": typename, "value": value}
    }


def test_a_value_of_another_type_is_sent_as_it_is(runtime: tuple[Server, Path]) -> None:
    """The bytes of a type that is not built in are the UTF-8 of the text, shown as both."""
    server, folder = runtime

    send(server, folder, "com.example/types", "raw", "é", "--type", "com.example/raw")

    wait_until_idle(server)
    assert state(folder, "com.example/types", "raw") == {
        "raw": {"typename": "com.example/raw", "base64": "w6k=", "text": "é"}
    }
    assert statefun("state", "get", "com.example/types", "raw", cwd=folder) == Outcome(
        0, "raw: 'é' (com.example/raw)\n", ""
    )


def test_any_id_reaches_its_function(runtime: tuple[Server, Path]) -> None:
    """Slashes, dots, line ends and other scripts are part of the id."""
    server, folder = runtime
    ids = [".", "..", "/", "a/b//", "%2F", "日本", "two\nlines", "?#"]

    for each in ids:
        sent = send(server, folder, "com.example/account", each, "x")
        assert (sent.code, sent.err) == (0, "")

    wait_until_idle(server)
    listed = statefun("state", "list", "com.example/account", "--json", cwd=folder)
    assert set(ids) <= set(json.loads(listed.out))
    lines = statefun("state", "list", "com.example/account", cwd=folder).out.splitlines()
    assert {"a/b//", "'two\\nlines'", "日本"} <= set(lines)


def test_one_value_can_be_asked_for(runtime: tuple[Server, Path]) -> None:
    """A name picks one value; a name that has no value is a failure that names the others."""
    server, folder = runtime
    target = "com.example/types", "one"
    send(server, folder, *target, "text")
    send(server, folder, *target, "1", "--type", "io.statefun.types/int")
    wait_until_idle(server)

    one = statefun("state", "get", *target, "int", cwd=folder)
    none = statefun("state", "get", *target, "other", cwd=folder)

    assert one == Outcome(0, "int: 1 (io.statefun.types/int)\n", "")
    assert none == Outcome(
        1, "", f"statefun state: {target[0]} 'one' has no value 'other'; values: int, string\n"
    )


def test_expired_values_are_not_shown(runtime: tuple[Server, Path]) -> None:
    """State looks as a function would see it, even before the runtime has removed a value."""
    server, folder = runtime
    send(server, folder, "com.example/short", "1", "x")
    wait_until_idle(server)

    listed = statefun("state", "list", "com.example/short", cwd=folder)

    absence = (
        "statefun state: no id of com.example/short has values in .statefun. Check the spelling, "
        "and the name of the data directory\n"
    )
    assert listed == Outcome(0, "", absence)
    assert state(folder, "com.example/short", "1") == {}


def test_records_and_timers_are_seen(runtime: tuple[Server, Path]) -> None:
    """An egress record is read once, and a delayed message can be looked at while it waits."""
    server, folder = runtime
    send(server, folder, "com.example/later", "1", "x")
    wait_until_idle(server)

    records = []
    while (record := get(server.url("egress"), "/accounts"))[0] == 200:
        records.append((record[1]["Content-Type"], record[1].get("Record-Key"), record[2]))
    [timer] = json.loads(statefun("timers", "list", "--json", cwd=folder).out)
    line = statefun("timers", "list", cwd=folder).out

    assert ("application/octet-stream", "the%20key", b"\x00set") in records
    due = timer["due"]
    assert timer == {
        "id": timer["id"],
        "due": due,
        "due_ms": timer["due_ms"],
        "target": {"typename": "com.example/account", "id": "later"},
        "sender": {"typename": "com.example/later", "id": "1"},
        "token": "token",
        "message": {"typename": "io.statefun.types/string", "value": "reminder"},
    }
    assert line == (
        f"{timer['id']}  {due}  to com.example/account 'later' from com.example/later '1': "
        "'reminder' (io.statefun.types/string), token 'token'\n"
    )


def test_what_the_runtime_refuses_is_passed_on(runtime: tuple[Server, Path]) -> None:
    """`send` fails with the status and the reason."""
    server, folder = runtime

    sent = send(server, folder, "com.example/gone", "1", "x")

    assert (sent.code, sent.out) == (1, "")
    assert sent.err.startswith(
        f"statefun send: {server.url('ingress')} answered 404: no function is registered as "
        "'com.example/gone'; registered: com.example/account, "
    )


def test_the_admin_port_tells_health_and_figures(runtime: tuple[Server, Path]) -> None:
    """`/health` is 200 while all is well, `/metrics` is Prometheus text; nothing else is there."""
    server, folder = runtime
    send(server, folder, "com.example/account", "1", "x")
    admin = server.url("admin")

    status, headers, figures = get(admin, "/metrics")

    assert get(admin, "/health")[::2] == (200, b"ready\n")
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    assert b"# TYPE statefun_ingress_messages_total counter" in figures
    assert b"# TYPE statefun_waiting_timers gauge" in figures
    assert b"process_cpu_seconds_total" in figures
    assert get(admin, "/other")[::2] == (
        404,
        b"nothing is served at '/other': ask for /health or /metrics\n",
    )
    assert get(admin, "/health", "POST")[0] == 405


def test_a_second_runtime_on_the_directory_is_refused(runtime: tuple[Server, Path]) -> None:
    """One process has a data directory; the other one ends with one clear line."""
    _, folder = runtime

    second = statefun(
        "run", "module.yaml", "--functions", "ledger:functions", "--admin-port", "0", cwd=folder
    )

    assert second == Outcome(
        1,
        "",
        "statefun run: the data directory .statefun is in use by another process: stop that one, "
        "or give this one a directory of its own\n",
    )


def wait_until_idle(server: Server) -> None:
    """Ask until no address has messages; what one more message is stored with is stored too."""
    while b"\nstatefun_busy_addresses 0.0\n" not in get(server.url("admin"), "/metrics")[2]:
        pass
    to = server.url("ingress")
    assert main(["send", "com.example/types", "barrier", "", "--to", to]) == 0


# --- starting and stopping ------------------------------------------------------------------------


def test_a_stopped_runtime_goes_on_where_it_was(folder: Path) -> None:
    """State, timers and unread records are there after SIGTERM, and after the next start."""
    with run(folder, "--data", "kept") as server:
        send(server, folder, "com.example/account", "a", "first")
        send(server, folder, "com.example/later", "b", "x")
        assert server.stop() == 0
        assert server.errors() == ""

    (folder / ".statefun").symlink_to("kept")
    assert state(folder, "com.example/account", "a")["seen"]["typename"] == "com.example/seen"
    assert len(json.loads(statefun("timers", "list", "--json", cwd=folder).out)) == 1

    with run(folder, "--data", "kept") as server:
        records = {get(server.url("egress"), "/accounts")[2] for _ in range(2)}
        assert server.stop() == 0

    assert records == {b"first", b"\x00set"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_lets_calls_end_and_takes_nothing_new(
    folder: Path, number: signal.Signals
) -> None:
    """What a function has begun is finished and stored before the process ends with 0."""
    for pipe in ("begun", "may_end"):
        os.mkfifo(folder / pipe)
    with run(folder) as server:
        send(server, folder, "com.example/slow", "1", "x")
        assert (folder / "begun").read_text() == "x"

        server.send_signal(number)
        while can_connect(server.ports["ingress"]):
            pass
        (folder / "may_end").write_text("x")

        assert server.wait() == 0

    assert state(folder, "com.example/slow", "1") == {
        "ended": {"typename": "io.statefun.types/bool", "value": True}
    }


def test_an_interrupt_that_a_function_raises_does_not_stop_the_process(folder: Path) -> None:
    """It is a failed attempt, and the log says where; Ctrl-C alone stops the process."""
    with run(folder) as server:
        send(server, folder, "com.example/interrupted", "1", "x")
        send(server, folder, "com.example/account", "1", "x")
        deadline = time.monotonic() + 30
        while state(folder, "com.example/account", "1") == {}:
            assert time.monotonic() < deadline, "the next message is never worked on"

        assert server.stop() == 0
        assert "KeyboardInterrupt" in server.errors()


@pytest.mark.parametrize("name", ["cancelled", "thread", "blocking"])
def test_a_function_that_does_not_end_does_not_keep_the_process(folder: Path, name: str) -> None:
    """It has as long as `--drain` says; then the process ends with 0, and the message is kept."""
    with run_stuck(folder, name) as server:
        assert server.stop() == 0
        assert "Traceback" not in server.errors()

    with run_stuck(folder, name) as server:  # the call is made again
        server.kill()


def test_a_function_that_holds_up_the_event_loop_does_not_keep_the_process(folder: Path) -> None:
    """It has as long as `--stop-timeout` says; then the process ends with 1 and says so."""
    with run_stuck(folder, "inline", "--stop-timeout", "1") as server:
        assert server.stop() == 1
        assert server.errors().endswith(
            "statefun run: not stopped 1 s after the signal: something holds up the event loop "
            "or does not end; ended without it, what was answered for is kept\n"
        )


@pytest.mark.parametrize("name", ["cancelled", "inline"])
def test_an_interrupt_says_what_the_stop_waits_for_and_a_second_one_stops_now(
    folder: Path, name: str
) -> None:
    """Also if a function holds up the event loop."""
    with run_stuck(folder, name, "--drain", "1000") as server:
        server.send_signal(signal.SIGINT)
        waited = server.error_lines_until("Ctrl-C once more stops now")
        server.send_signal(signal.SIGINT)

        assert server.wait() == 130
        assert "statefun run: stopped now" in server.errors()

    what = "the call of com.example/cancelled '1'" if name == "cancelled" else "inline ("
    assert "waits up to 10" in waited
    assert what in waited


@pytest.mark.parametrize("name", ["inline", "coroutine"])
def test_a_function_that_blocks_is_named_while_it_does(folder: Path, name: str) -> None:
    """After half a second, with its place and the way out."""
    with run_stuck(folder, name) as server:
        told = server.error_lines_until("blocking=True")
        server.kill()

    place = re.search(rf"{name} \((.+):(\d+)\) has held up the event loop for 0.5 s", told)
    assert place is not None, told
    assert "time.sleep" in Path(place[1]).read_text().splitlines()[int(place[2]) - 1]


def test_a_process_that_ignores_hang_ups_goes_on_when_the_terminal_is_closed(
    folder: Path,
) -> None:
    """As `nohup` wants it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited
    try:
        server = run(folder)
        with server:
            server.send_signal(signal.SIGHUP)
            send(server, folder, "com.example/account", "1", "x")
            assert server.stop() == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def run_stuck(folder: Path, name: str, *more: str) -> Iterator[Server]:
    """A runtime whose function is in a call that does not end; the message is sent once."""
    shutil.copy(Path(__file__).with_name("stuck.py"), folder)
    if is_first := not (folder / "begun").exists():
        os.mkfifo(folder / "begun")
    options = "--functions", "stuck:functions", "--drain", "0", *more
    with Server("run", "module.yaml", *options, cwd=folder) as server:
        connection = HTTPConnection("127.0.0.1", server.ports["ingress"])
        if is_first:
            kind = {"Content-Type": "application/vnd.com.example/raw"}
            connection.request("PUT", f"/com.example/{name}/1", "x", kind)
            if name not in ("inline", "coroutine"):  # it lets nothing be answered
                assert connection.getresponse().status == 200
        assert (folder / "begun").read_text() == "x"
        yield server
        connection.close()


def can_connect(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_memory_leaves_nothing_behind(folder: Path) -> None:
    """With the durability `memory` there is no data directory."""
    with run(folder, "--durability", "memory") as server:
        send(server, folder, "com.example/account", "a", "x")
        assert server.ready.endswith(", in memory")
        assert server.stop() == 0

    assert not (folder / ".statefun").exists()


def test_functions_alone_need_no_module_file(folder: Path) -> None:
    """Without a file there is an ingress on the port that `send` uses, if that port is free."""
    server = Server("run", "--functions", "ledger:functions", cwd=folder)
    if server.has_said_ready():
        assert statefun("send", "com.example/account", "a", "x", cwd=folder).code == 0
        assert server.stop() == 0
    else:
        assert "cannot listen on 127.0.0.1:8090" in server.errors()
    server.close()


def test_a_remote_endpoint_is_called_and_waited_for(folder: Path) -> None:
    """While an endpoint is away messages wait for it; a restarted one gets them, once each."""
    with Server("serve", "ledger:functions", "--port", "0", cwd=folder) as endpoint:
        port = endpoint.ports["serve"]
        (folder / "endpoint.yaml").write_text(
            "kind: io.statefun.endpoints.v2/http\n"
            "spec:\n"
            "  functions: com.example/*\n"
            f"  urlPathTemplate: http://127.0.0.1:{port}/statefun\n"
        )
        options = ("module.yaml", "endpoint.yaml", "--admin-port", "0")
        with Server("run", *options, cwd=folder) as server:
            send(server, folder, "com.example/account", "a", "first")
            wait_until_idle(server)
            endpoint.kill()
            send(server, folder, "com.example/account", "a", "second")
            again = ("serve", "ledger:functions", "--port", str(port))
            with Server(*again, cwd=folder):
                wait_until_idle(server)
            assert server.stop() == 0

    assert state(folder, "com.example/total", "all") == {
        "total": {"typename": "io.statefun.types/int", "value": 2}
    }


def test_functions_of_the_process_go_before_an_endpoint(folder: Path) -> None:
    """An endpoint that names the same functions is not called."""
    (folder / "endpoint.yaml").write_text(
        "kind: io.statefun.endpoints.v2/http\n"
        "spec: {functions: com.example/*, urlPathTemplate: 'http://127.0.0.1:9/'}\n"
    )
    with run(folder, "endpoint.yaml", "--admin-port", "0") as server:
        send(server, folder, "com.example/account", "a", "x")
        wait_until_idle(server)
        assert server.stop() == 0

    assert state(folder, "com.example/account", "a") != {}


# --- what is wrong --------------------------------------------------------------------------------


def test_a_taken_port_ends_the_start(folder: Path) -> None:
    """The port and what to do are named, and the data directory is free again."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        (folder / "module.yaml").write_text(CONNECTORS.replace("{port: 0}", f"{{port: {port}}}"))
        refused = statefun("run", "module.yaml", "--functions", "ledger:functions", cwd=folder)

    assert refused == Outcome(
        1,
        "",
        f"statefun run: cannot listen on 127.0.0.1:{port}: Address already in use; stop what uses "
        "the port, or choose another one\n",
    )
    with run(folder) as server:
        assert server.stop() == 0


def test_every_problem_of_the_files_is_a_line(folder: Path) -> None:
    """All that is wrong is shown before anything is started."""
    (folder / "bad.yaml").write_text("kind: a/b\nspec: {}\n---\nspec: {}")

    refused = statefun("run", "module.yaml", "bad.yaml", "missing.yaml", cwd=folder)

    assert (refused.code, refused.out) == (1, "")
    assert [line.split(": ", 2)[:2] for line in refused.err.splitlines()] == [
        ["statefun run", "bad.yaml:1"],
        ["statefun run", "bad.yaml:4"],
        ["statefun run", "missing.yaml"],
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["module.yaml"],
            (
                "module.yaml names no functions: add a component of the kind "
                "'io.statefun.endpoints.v2/http', or pass --functions MODULE:ATTR"
            ),
        ),
        (
            ["endpoint.yaml"],
            (
                "endpoint.yaml brings no messages in: add a component of the kind "
                "'io.statefun.playground.v1/ingress', here or in another file"
            ),
        ),
        (
            ["module.yaml", "endpoint.yaml", "--strict"],
            "endpoint.yaml:3: unknown key 'extra': it has no effect; known keys: kind, spec",
        ),
        (
            ["module.yaml", "--functions", "ledger:nothing"],
            "the module 'ledger' has no 'nothing'; what can be served there: functions",
        ),
    ],
)
def test_what_cannot_run_is_one_clear_line(
    folder: Path, arguments: list[str], sentence: str
) -> None:
    """A configuration that does not make a runtime says what is missing."""
    (folder / "endpoint.yaml").write_text(
        "kind: io.statefun.endpoints.v2/http\n"
        "spec: {functions: com.example/*, urlPathTemplate: 'http://127.0.0.1:9/'}\n"
        "extra: 1\n"
    )

    refused = statefun("run", *arguments, cwd=folder)

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.splitlines()[-1] == f"statefun run: {sentence}"
