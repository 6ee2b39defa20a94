"""`statefun serve` as a real process: it answers, stops in order, and replaces what dies."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

import pytest

from tests.serve.requests import GREETER_REQUEST, OCTETS, Heard, request, sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
TARGET = "tests.serve.endpoint_functions:functions"
PATIENCE_SECONDS = 20.0

START = """
import sys
from datetime import timedelta
import statefun.serve.worker as worker
from statefun.serve.server import serve
worker._ENDING_SECONDS = 1
if __name__ == "__main__":
    serve(sys.argv[1], port=0, workers=int(sys.argv[2]), drain=timedelta(seconds=int(sys.argv[3])))
"""


class Served:
    """A running `statefun serve`."""

    def __init__(self, workers: int, drain_s: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, TARGET, str(workers), str(drain_s)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        self.port = int(self.first_line.split("/statefun")[0].rpartition(":")[2])
        self.errors: Queue[str] = Queue()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self.errors.put(line)

    def ask(self, body: bytes, method: str = "POST", path: str = "/statefun") -> Heard:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            client.request(method, path, body, {"Content-Type": OCTETS})
            response = client.getresponse()
            return Heard(response.status, response.headers["Content-Type"], response.read())
        finally:
            client.close()

    def pid_of_a_worker(self) -> int:
        [pid] = sent(self.ask(request("test/telling-its-process")).body)
        assert isinstance(pid, int)
        return pid

    def is_listening(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def end(self, sign: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(sign)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def serving(workers: int = 1, drain_s: int = 10) -> Iterator[Served]:
    served = Served(workers, drain_s)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.process.kill()
            served.process.wait()
        assert served.process.stdout is not None
        served.process.stdout.close()


def until(condition: Callable[[], object]) -> None:
    """Wait for another process; there is no event that reaches us."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("workers", [1, 2])
def test_it_says_where_it_listens_and_answers_there(workers: int) -> None:
    """One line on stdout names the address and the functions; from then on it answers."""
    with serving(workers) as served:
        heard = served.ask(GREETER_REQUEST)
        health = served.ask(b"", "GET", "/health")

        code = served.end()

    assert served.first_line == (
        f"statefun serve: http://127.0.0.1:{served.port}/statefun answers for test/greeter, "
        "test/silent, test/suspending, test/failing, test/panicking, test/interrupted, "
        "test/telling-its-process, test/dying, test/waiting-for-a-file, test/never-ending, "
        "test/blocking\n"
    )
    assert (heard.status, heard.content_type) == (200, OCTETS)
    assert sent(heard.body) == ["Hello Ada for the 1th time"]
    assert health.status == 200
    assert code == 0


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_has_begun_is_answered_before_it_stops(
    workers: int, sign: signal.Signals, tmp_path: Path
) -> None:
    """A signal closes the door, not the requests that are inside; then it exits with 0."""
    batch = tmp_path / "batch"

    with serving(workers) as served, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(served.ask, request("test/waiting-for-a-file", str(batch)))
        until(batch.with_suffix(".begun").exists)
        served.process.send_signal(sign)
        until(lambda: not served.is_listening())
        assert not answer.done()
        batch.with_suffix(".end").touch()

        heard = answer.result(PATIENCE_SECONDS)
        code = served.process.wait(PATIENCE_SECONDS)

    assert (heard.status, sent(heard.body)) == (200, ["done"])
    assert code == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_function_that_never_ends_is_cut_off(workers: int, tmp_path: Path) -> None:
    """The time is bounded: what takes longer is cancelled, and the engine sends it again."""
    batch = tmp_path / "batch"

    with serving(workers, drain_s=1) as served, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(served.ask, request("test/never-ending", str(batch)))
        until(batch.with_suffix(".begun").exists)
        code = served.end()

        with pytest.raises((http.client.HTTPException, ConnectionError)):
            answer.result(PATIENCE_SECONDS)

    assert code == 0


def test_a_function_that_never_gives_the_process_back_is_cut_off(tmp_path: Path) -> None:
    """A function that blocks the event loop cannot be cancelled: the process ends without it."""
    batch = tmp_path / "batch"

    with serving(drain_s=1) as served, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(served.ask, request("test/blocking", str(batch)))
        until(batch.with_suffix(".begun").exists)
        code = served.end()

        with pytest.raises((http.client.HTTPException, ConnectionError)):
            answer.result(PATIENCE_SECONDS)

    lines = [served.errors.get(timeout=PATIENCE_SECONDS) for _ in range(2)]
    assert code == 1
    assert "has held up the event loop" in lines[0]
    assert "holds up the end of this process" in lines[1]


def never_sees_interrupts(pid: str) -> bool:
    """Whether SIGINT is held back from a process, or ignored by it."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    masks = int(status["SigBlk"], 16) | int(status["SigIgn"], 16)
    return bool(masks >> (signal.SIGINT - 1) & 1)


def test_no_worker_ever_sees_an_interrupt() -> None:
    """From its first moment on: one that has just begun would die of it with a traceback."""
    with serving(2) as served:
        pid = served.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

        assert [never_sees_interrupts(child) for child in children] == [True] * len(children)
        assert len(children) >= 2


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_from_the_terminal_stops_it_without_a_word(workers: int) -> None:
    """A terminal sends it to all processes at once, also to those that are still starting."""
    with serving(workers) as served:
        os.killpg(served.process.pid, signal.SIGINT)
        code = served.process.wait(PATIENCE_SECONDS)
        served.listener.join(PATIENCE_SECONDS)

    assert (code, list(served.errors.queue)) == (0, [])


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_that_a_function_raises_is_a_failure_like_any_other(workers: int) -> None:
    """The answer and the log say where it was raised, and the process goes on."""
    with serving(workers) as served:
        heard = served.ask(request("test/interrupted", target_id="Ada"))
        line = served.errors.get(timeout=PATIENCE_SECONDS)
        after = served.ask(request("test/silent"))
        code = served.end()

    reason = (
        "test/interrupted 'Ada' failed on message 1 of 1 (type 'io.statefun.types/string'): "
        "KeyboardInterrupt:"
    )
    assert (heard.status, heard.body) == (500, f"{reason}\n".encode())
    assert line == f"{reason} \n"
    assert (after.status, code) == (200, 0)


def test_a_worker_that_dies_is_replaced() -> None:
    """A crash costs its own requests; the others go on, and soon there are as many as before."""
    with serving(workers=2) as served:
        until(served.pid_of_a_worker)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            served.ask(request("test/dying"))
        line = served.errors.get(timeout=PATIENCE_SECONDS)

        pid = int(line.split()[2])
        assert line == (f"worker process {pid} ended with exit code -9: another one is started\n")
        answering: set[int] = set()

        def both_answer() -> bool:
            answering.add(served.pid_of_a_worker())
            return len(answering) == 2

        until(both_answer)
        code = served.end()

    assert pid not in answering
    assert code == 0


def test_workers_do_not_outlive_the_process_that_watches_them() -> None:
    """If it is killed, they stop: nobody would replace them, and the port would stay taken."""
    with serving(workers=2) as served:
        until(served.pid_of_a_worker)
        served.process.kill()

        until(lambda: not served.is_listening())
