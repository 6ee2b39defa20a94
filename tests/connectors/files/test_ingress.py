"""The ingress of a file of JSON lines."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statefun.connectors.files import FileIngress
from statefun.errors import AddressBusyError, StoreError
from statefun.ports import Source
from statefun.sdk.address import Address
from statefun.sdk.wire import decode_typed_value
from statefun.testing.ports import FakeIntake
from tests.runtime.driver import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Ingresses:
    """Ingresses of one test, one after another, on one file and one intake."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.intake = FakeIntake()
        self.running: list[FileIngress] = []

    async def start(self) -> FileIngress:
        ingress = FileIngress(
            "t/in", self.path, "t/order", ["t/a"], key="who", poll=timedelta(milliseconds=1)
        )
        await ingress.start(self.intake)
        self.running.append(ingress)
        return ingress

    async def stop(self) -> None:
        while self.running:
            await self.running.pop().stop()

    def write(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    async def has(self, *lines: str) -> None:
        """Wait until just these lines have come, in this order."""
        await until(lambda: len(self.intake.messages) >= len(lines))
        found = [decode_typed_value(each.argument).data.decode() for each in self.intake.messages]
        assert found == list(lines)


@pytest.fixture
async def ingresses(tmp_path: Path) -> AsyncIterator[Ingresses]:
    """None yet, and no file."""
    made = Ingresses(tmp_path / "orders.jsonl")
    yield made
    await made.stop()


async def test_a_line_becomes_a_message_to_the_id_in_it(ingresses: Ingresses) -> None:
    """With its type; a whole number is an id, too, and an empty line is nothing."""
    ingresses.write('{"who": "Ada", "n": 1}\n\n{"who": 7}\r\n')
    await ingresses.start()

    await ingresses.has('{"who": "Ada", "n": 1}', '{"who": 7}')

    targets = [each.target for each in ingresses.intake.messages]
    assert targets == [Address("t/a", "Ada"), Address("t/a", "7")]
    [kind] = {decode_typed_value(each.argument).typename for each in ingresses.intake.messages}
    assert kind == "t/order"


async def test_a_file_is_followed_line_by_line(ingresses: Ingresses) -> None:
    """It may not be there yet; a line counts when its end is there."""
    ingress = await ingresses.start()
    assert ingress.sources() == [Source("t/in/orders.jsonl", 0)]
    ingresses.write('{"who": "a"}\n{"who"')
    await ingresses.has('{"who": "a"}')

    ingresses.write(': "b"}\n')

    await ingresses.has('{"who": "a"}', '{"who": "b"}')
    await until(lambda: ingress.sources() == [Source("t/in/orders.jsonl", 26, 26)])


async def test_a_restart_goes_on_behind_the_last_line_that_is_durable(
    ingresses: Ingresses,
) -> None:
    """Each line is taken in once."""
    ingresses.write('{"who": "a"}\n')
    await ingresses.start()
    await ingresses.has('{"who": "a"}')
    await ingresses.stop()
    ingresses.write('{"who": "b"}\n')

    await ingresses.start()

    await ingresses.has('{"who": "a"}', '{"who": "b"}')


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("no json", "a line is not JSON"),
        ('["who"]', "not an object with text or a whole number at 'who'"),
        ('{"id": "a"}', "not an object with text or a whole number at 'who'"),
        ('{"who": true}', "not an object with text or a whole number at 'who'"),
    ],
)
async def test_a_line_that_cannot_become_a_message_stops_the_ingress(
    ingresses: Ingresses, line: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Those before it are taken in; when it is corrected, a new start goes on with it."""
    ingresses.write(f'{{"who": "a"}}\n{line}\n{{"who": "c"}}\n')
    ingress = await ingresses.start()
    await until(lambda: bool(ingress.problem))
    assert problem in ingress.sources()[0].problem
    assert "stands still at byte 13" in caplog.text
    await ingresses.has('{"who": "a"}')
    await ingresses.stop()

    ingresses.path.write_text('{"who": "a"}\n{"who": "b"}\n{"who": "c"}\n')
    await ingresses.start()

    await ingresses.has('{"who": "a"}', '{"who": "b"}', '{"who": "c"}')


async def test_a_file_that_was_cut_stops_the_ingress(ingresses: Ingresses) -> None:
    """Its position means nothing any more."""
    ingresses.write('{"who": "a"}\n')
    ingress = await ingresses.start()
    await ingresses.has('{"who": "a"}')

    ingresses.path.write_text("")

    await until(lambda: "it has 0 bytes only" in ingress.problem)


@pytest.mark.parametrize("error", [AddressBusyError("busy"), StoreError("full")])
async def test_what_the_runtime_refuses_is_delivered_again(
    ingresses: Ingresses, error: Exception
) -> None:
    """In order, and each once."""
    ingresses.intake.error = error
    lines = [f'{{"who": "{number}"}}' for number in range(5)]
    ingresses.write("".join(f"{line}\n" for line in lines))
    ingress = await ingresses.start()
    if isinstance(error, AddressBusyError):
        await until(lambda: ingress.sources()[0].is_paused)

    ingresses.intake.error = None

    await ingresses.has(*lines)


async def test_a_paused_ingress_reads_nothing(ingresses: Ingresses) -> None:
    """And goes on where it was."""
    ingress = await ingresses.start()
    ingress.pause()
    assert ingress.sources()[0].is_paused
    ingresses.write('{"who": "a"}\n')
    ingress.resume()

    await ingresses.has('{"who": "a"}')
