"""What `make orders` runs: a shop whose processes are killed while orders are under way.

Starts the services (`statefun serve`) and the embedded runtime (`statefun run`) as processes, and
places orders over HTTP. It kills both with SIGKILL, several times, approves and declines the large
orders, and checks stock and bank in the end. Exits 1 if anything is lost or was done twice.

The ports are 9080 and 8080, or those given as two arguments.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PORTS = (9080, 8080)
ITEMS = {"tea": 40, "lamp": 12}
FILLED = {"tea": 200, "lamp": 9}
ORDERS = 30
KILLS = 3
PATIENCE_S = 60


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


class Shop:
    """The processes of the example, and a client of theirs."""

    def __init__(self, work: Path, ports: tuple[int, ...] = PORTS) -> None:
        self.work = work
        self.endpoint, self.ingress = map(port_for, ports)
        text = (HERE / "module.yaml").read_text()
        (work / "module.yaml").write_text(re.sub("9080", str(self.endpoint), text))
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("services", "runtime"):
            self.start(name)

    def start(self, name: str) -> None:
        """Start a process, and wait until it can be reached."""
        arguments, port = {
            "services": (("serve", "shop:app", "--port", str(self.endpoint)), self.endpoint),
            "runtime": (
                (
                    *("run", str(self.work / "module.yaml"), "--data", str(self.work / "data")),
                    *("--ingress-port", str(self.ingress)),
                ),
                self.ingress,
            ),
        }[name]
        environment = {**os.environ, "BANK": str(self.work / "bank.jsonl")}
        with (self.work / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "statefun", *arguments],
                cwd=HERE,
                env=environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE_S
        while not is_open(port):
            if time.monotonic() > deadline or self.running[name].poll() is not None:
                raise SystemExit(self.logs() + f"\nthe {name} did not start")
            time.sleep(0.02)

    def kill(self, name: str) -> None:
        """Kill a process, and start it again."""
        self.running[name].kill()
        self.running[name].wait()
        self.start(name)

    def ask(self, path: str, body: Any = None, method: str = "POST") -> tuple[int, Any]:
        """The answer to a request. Nobody there: ask again, which changes nothing."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            connection = http.client.HTTPConnection("127.0.0.1", self.ingress, timeout=PATIENCE_S)
            headers = {} if body is None else {"content-type": "application/json"}
            try:
                content = None if body is None else json.dumps(body)
                connection.request(method, path, content, headers)
                response = connection.getresponse()
                answer = response.read()
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
                continue
            finally:
                connection.close()
            if response.status != http.client.SERVICE_UNAVAILABLE:
                return response.status, json.loads(answer) if answer else None
            time.sleep(0.05)
        raise SystemExit(self.logs() + f"\nnobody answers {path}")

    def logs(self) -> str:
        """What the processes printed."""
        return "\n".join(path.read_text() for path in sorted(self.work.glob("*.log")))

    def stop(self) -> None:
        """End both processes."""
        for process in self.running.values():
            process.terminate()
            process.wait(20)


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def order(number: int) -> dict[str, Any]:
    """Some are large, some cards are stolen, and there are not enough lamps for all."""
    item = "lamp" if number % 3 == 0 else "tea"
    card = "stolen" if number % 7 == 0 else f"card {number}"
    return {"item": item, "count": 1 + number % 4, "price": ITEMS[item], "card": card}


def place_all(shop: Shop, outcomes: dict[int, tuple[int, Any]]) -> None:
    """Place every order; an order that comes again is the same order."""

    def place(number: int) -> None:
        shop.ask(f"/Order/o-{number}/place/send", order(number))
        time.sleep(0.3)
        wanted = order(number)
        if wanted["count"] * wanted["price"] > 100:
            word = "decline" if number % 5 == 0 else "approve"
            shop.ask(f"/Order/o-{number}/{word}", "the boss")
        outcomes[number] = shop.ask(f"/restate/workflow/Order/o-{number}/attach", method="GET")

    threads = [threading.Thread(target=place, args=(number,)) for number in range(ORDERS)]
    for thread in threads:
        thread.start()
    chance = random.Random(3)
    for kill in range(KILLS):
        for name in ("runtime", "services"):
            time.sleep(chance.random() * 0.3)
            print(f"  kill {kill + 1} of the {name}")
            shop.kill(name)
    for thread in threads:
        thread.join()


def wrong(shop: Shop, outcomes: dict[int, tuple[int, Any]]) -> list[str]:
    """What does not add up in the end."""
    found = [f"order {each} has no outcome" for each in range(ORDERS) if each not in outcomes]
    shipped = [order(number) for number, (status, _) in outcomes.items() if status == 200]
    for item, filled in FILLED.items():
        _, shelf = shop.ask(f"/Stock/{item}/look", method="GET")
        gone = sum(each["count"] for each in shipped if each["item"] == item)
        if shelf != {"left": filled - gone, "reserved": 0}:
            found.append(f"{gone} of {filled} {item} were shipped, and the stock is {shelf}")
    lines = (shop.work / "bank.jsonl").read_text().splitlines()
    booked = [json.loads(line) for line in lines]
    paid, due = sum(amount for _, amount in booked), sum(e["count"] * e["price"] for e in shipped)
    if paid != due:
        found.append(f"the bank has {paid}, and what was shipped costs {due}")
    if len({key for key, _ in booked}) != len(booked):
        found.append("the bank has carried out a payment twice")
    return found


def main(arguments: list[str]) -> int:
    """Run the example; 0 if everything adds up."""
    ports = tuple(map(int, arguments)) or PORTS
    outcomes: dict[int, tuple[int, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="orders-") as work:
        shop = Shop(Path(work), ports)
        try:
            for item, count in FILLED.items():
                shop.ask(f"/Stock/{item}/fill", count)
            print(f"{ORDERS} orders are placed; both processes are killed (SIGKILL) meanwhile:")
            place_all(shop, outcomes)
            found = wrong(shop, outcomes)
        finally:
            shop.stop()
    for status in sorted({status for status, _ in outcomes.values()}):
        told = [answer for code, answer in outcomes.values() if code == status]
        example = told[0]["message"] if status != 200 else told[0]
        print(f"  {len(told):2} orders end with {status}, one of them: {example}")
    if found:
        print("WRONG", *found, sep="\n  ", file=sys.stderr)
        return 1
    print("No order is lost; stock and bank agree with what was shipped.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
