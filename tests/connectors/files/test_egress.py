"""The egress of a file of JSON lines."""

from __future__ import annotations

import errno
import json
import os
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.cli.assembly import assemble
from statefun.cli.options import FunctionRules
from statefun.connectors.files import FileEgress, FileIngress
from statefun.errors import ConfigurationError
from statefun.ports import OutgoingRecord
from statefun.sdk.egress import kafka_egress_message, kinesis_egress_message
from statefun.sdk.wire import encode_typed_value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def started(path: Path, delivered: list[int]) -> AsyncIterator[FileEgress]:
    """An egress that writes."""
    egress = FileEgress("t/out", path)
    await egress.start(delivered.extend)
    try:
        yield egress
    finally:
        await egress.stop()


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_each_record_is_a_line(tmp_path: Path) -> None:
    """Those for Kafka and Kinesis with their keys; values as JSON, as text or as base64."""
    path, delivered = tmp_path / "out.jsonl", list[int]()
    arguments = [
        kafka_egress_message("t/out", topic="greetings", key="Ada", value='{"n": 1}').argument(),
        kinesis_egress_message("t/out", "stream", "hello ü", partition_key="Bob").argument(),
        encode_typed_value("t/bytes", b"\xff\x00"),
    ]
    records = [OutgoingRecord(5 + index, each) for index, each in enumerate(arguments)]

    async with started(path, delivered) as egress:
        for each in arguments:
            egress.accept(each)
        egress.put(1, records)
        await egress.flush()

    assert lines_of(path) == [
        {"record": 5, "topic": "greetings", "key": "Ada", "value": {"n": 1}},
        {"record": 6, "stream": "stream", "key": "Bob", "value": "hello ü"},
        {"record": 7, "type": "t/bytes", "value": {"base64": "/wA="}},
    ]
    assert delivered == [5, 6, 7]


async def test_lines_are_appended_and_a_torn_one_stays_alone(tmp_path: Path) -> None:
    """The process was killed while it wrote; the record comes again."""
    path = tmp_path / "out.jsonl"
    path.write_text('{"record": 1}\n{"reco')

    async with started(path, []) as egress:
        egress.put(1, [OutgoingRecord(2, encode_typed_value("t/text", b"1"))])
        await egress.flush()

    assert path.read_text().splitlines() == [
        '{"record": 1}',
        '{"reco',
        '{"record": 2, "type": "t/text", "value": 1}',
    ]


async def test_what_is_no_record_stays_in_the_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Others go on."""
    path, delivered = tmp_path / "out.jsonl", list[int]()

    async with started(path, delivered) as egress:
        egress.put(
            1, [OutgoingRecord(1, b"\xff"), OutgoingRecord(2, encode_typed_value("t/a", b""))]
        )
        await egress.flush()

    assert delivered == [2]
    assert "keeps record 1 in the store" in caplog.text


async def test_a_file_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    """With its name, and what to look at."""
    egress = FileEgress("t/out", tmp_path / "none" / "out.jsonl")

    with pytest.raises(ConfigurationError, match="check its folder"):
        await egress.start(lambda _: None)
    await egress.stop()


async def test_a_full_disk_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is reported before it is written; a line that was written in part stays alone."""
    path, delivered, write = tmp_path / "out.jsonl", list[int](), os.write
    outcomes = [5, 0, 0, None]

    def limited(file: int, content: bytes) -> int:
        room = outcomes.pop(0) if outcomes else None
        if room == 0:
            assert delivered == []
            raise OSError(errno.ENOSPC, "no space left")
        return write(file, content[:room])

    egress = FileEgress("t/out", path, again=timedelta(milliseconds=1))
    await egress.start(delivered.extend)
    monkeypatch.setattr(os, "write", limited)
    egress.put(1, [OutgoingRecord(1, encode_typed_value("t/a", b"1"))])
    await egress.flush()
    await egress.stop()

    assert "it cannot be written" in caplog.text
    assert delivered == [1]
    torn, line = path.read_text().splitlines()
    assert (torn, json.loads(line)["record"]) == ('{"rec', 1)


async def test_standard_output_is_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    """That is not closed."""
    for number in (1, 2):
        egress = FileEgress("t/out")
        await egress.start(lambda _: None)
        egress.put(1, [OutgoingRecord(number, encode_typed_value("t/a", b"1"))])
        await egress.flush()
        await egress.stop()

    lines = capfd.readouterr().out.splitlines()
    assert [json.loads(line)["record"] for line in lines] == [1, 2]


def test_a_module_file_may_name_files(tmp_path: Path) -> None:
    """The ingress names the member that is the id; an egress without a path writes to stdout."""
    (tmp_path / "module.yaml").write_text(
        "kind: io.statefun.endpoints.v2/http\n"
        'spec: {functions: t/*, urlPathTemplate: "http://localhost:8000"}\n'
        "---\nkind: io.statefun.files.v1/ingress\n"
        "spec: {id: t/in, path: in.jsonl, key: who, valueType: t/order, targets: [t/a]}\n"
        "---\nkind: io.statefun.files.v1/egress\nspec: {id: t/out, path: out.jsonl}\n"
        "---\nkind: io.statefun.files.v1/egress\nspec: {id: t/shown}\n"
    )

    assembly = assemble(
        [str(tmp_path / "module.yaml")],
        [],
        data=str(tmp_path / "data"),
        dialect="embedded",
        names=None,
        options=None,
        rules=FunctionRules({}, {}),
    )

    [ingress], [out, shown] = assembly.ingresses, assembly.egresses
    assert isinstance(ingress, FileIngress)
    assert (ingress._key, ingress._path.name) == ("who", "in.jsonl")
    assert isinstance(out, FileEgress)
    assert isinstance(shown, FileEgress)
    assert (str(out._path), shown._path) == ("out.jsonl", None)
