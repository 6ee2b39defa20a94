"""What `make greeter` runs: the greeter behind HTTP, a SIGKILL in the middle, and the sums.

Starts the functions (`statefun serve`) and the embedded runtime (`statefun run`) as processes,
sends visits over HTTP, kills the runtime while visits are under way, starts it again, and checks
that every acknowledged visit was counted exactly once. Exits 1 if one was not.

The ports are 8000, 8090 and 8091, or those given as three arguments.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PORTS = (8000, 8090, 8091)
PEOPLE = ("Ann", "Bob", "Cai")
CROWD = tuple(f"guest-{number}" for number in range(8))
VISITS_BEFORE_THE_KILL = 200
HEADERS = {"Content-Type": "application/vnd.com.example/Visit"}


def port_for(wanted: int) -> int:
    """The wanted port, or another one if somebody uses it."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("no port is free")


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Greeter:
    """The processes of the example, and a client of theirs."""

    def __init__(self, work: Path, ports: tuple[int, ...] = PORTS) -> None:
        self.work = work
        self.endpoint, self.ingress, self.egress = map(port_for, ports)
        taken = (self.endpoint, self.ingress, self.egress)
        port_of = dict(zip(map(str, PORTS), map(str, taken), strict=True))
        for name in ("module.yaml", "embedded.yaml"):
            text = (HERE / name).read_text()
            text = re.sub("|".join(port_of), lambda found: port_of[found[0]], text)
            (work / name).write_text(text)
        self.functions = self.start("serve", "functions:functions", "--port", str(self.endpoint))
        self.runtime = self.start_runtime()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `statefun ...`; what it prints goes to a log file."""
        command = [sys.executable, "-m", "statefun", *arguments]
        with (self.work / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=HERE, stdout=log, stderr=log)

    def start_runtime(self) -> subprocess.Popen[bytes]:
        """Start the runtime, and wait until it takes visits."""
        files = [str(self.work / name) for name in ("module.yaml", "embedded.yaml")]
        process = self.start("run", *files, "--data", str(self.work / "data"))
        deadline = time.monotonic() + 60
        for port in (self.endpoint, self.ingress, self.egress):
            while not is_open(port):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit(self.logs() + "\nthe greeter did not start")
                time.sleep(0.05)
        return process

    def visit(self, name: str) -> bool:
        """Send one visit; True once the runtime has it on disk."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ingress, timeout=10)
        try:
            body = json.dumps({"name": name})
            connection.request("PUT", f"/com.example/person/{name}", body, HEADERS)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def greeting(self, patience: float = 20.0) -> str:
        """The next greeting."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            connection = http.client.HTTPConnection("127.0.0.1", self.egress, timeout=10)
            connection.request("GET", "/greetings")
            response = connection.getresponse()
            body = response.read().decode()
            connection.close()
            if response.status == http.client.OK:
                return body
            time.sleep(0.02)
        raise SystemExit(self.logs() + "\nno greeting came")

    def logs(self) -> str:
        """What the processes printed."""
        return "\n".join(path.read_text() for path in sorted(self.work.glob("*.log")))

    def stop(self) -> None:
        """End both processes."""
        for process in (self.runtime, self.functions):
            process.terminate()
            process.wait(20)


def visits_by_all(greeter: Greeter) -> None:
    """One visit of each person, and their greetings."""
    for name in PEOPLE:
        if not greeter.visit(name):
            raise SystemExit(greeter.logs() + f"\nthe visit of {name} was not taken")
        print("  " + greeter.greeting())


def kill_in_the_middle(greeter: Greeter) -> dict[str, tuple[int, int]]:
    """Eight guests keep visiting while the runtime is killed.

    Returns:
        Guest → visits acknowledged, and visits without an answer.
    """
    outcomes: dict[str, list[bool]] = {name: [] for name in CROWD}
    is_over = threading.Event()

    def keep_visiting(name: str) -> None:
        while not is_over.is_set():
            outcomes[name].append(greeter.visit(name))
            if not outcomes[name][-1]:
                return

    threads = [threading.Thread(target=keep_visiting, args=(name,)) for name in CROWD]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while sum(map(len, outcomes.values())) < VISITS_BEFORE_THE_KILL:
        if time.monotonic() > deadline or not any(thread.is_alive() for thread in threads):
            raise SystemExit(greeter.logs() + "\nthe runtime stopped taking visits")
        time.sleep(0.01)
    os.kill(greeter.runtime.pid, signal.SIGKILL)
    greeter.runtime.wait()
    is_over.set()
    for thread in threads:
        thread.join()
    return {name: (sum(known), len(known) - sum(known)) for name, known in outcomes.items()}


def last_greetings(greeter: Greeter) -> dict[str, int]:
    """Guest → the number of the visit that was greeted last, after one more visit of each."""
    for name in CROWD:
        if not greeter.visit(name):
            raise SystemExit(greeter.logs() + f"\nthe last visit of {name} was not taken")
    counts: dict[str, list[int]] = {name: [] for name in CROWD}
    while True:
        try:
            words = greeter.greeting(patience=2.0).rstrip(".").replace(",", "").split()
        except SystemExit:
            return {name: max(each, default=0) for name, each in counts.items()}
        counts[words[1]].append(int(words[-1]))


def main(arguments: list[str]) -> int:
    """Run the example; 0 if every count is right."""
    ports = tuple(map(int, arguments)) or PORTS
    with tempfile.TemporaryDirectory(prefix="greeter-") as work:
        greeter = Greeter(Path(work), ports)
        try:
            print("Three people visit, twice:")
            visits_by_all(greeter)
            visits_by_all(greeter)
            print("Eight guests keep visiting; the runtime is killed (SIGKILL) and starts again.")
            outcomes = kill_in_the_middle(greeter)
            greeter.runtime = greeter.start_runtime()
            wrong = []
            counts = last_greetings(greeter)
            for name, (acknowledged, unanswered) in outcomes.items():
                expected = range(acknowledged + 1, acknowledged + unanswered + 2)
                if counts[name] not in expected:
                    wrong.append(
                        f"{name}: {acknowledged} visits acknowledged, {unanswered} not "
                        f"answered, one more after the restart; counted {counts[name]}"
                    )
            print("The three people visit once more:")
            visits_by_all(greeter)
        finally:
            greeter.stop()
    if wrong:
        print("WRONG COUNTS", *wrong, sep="\n  ", file=sys.stderr)
        return 1
    print("Every acknowledged visit was counted exactly once.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
