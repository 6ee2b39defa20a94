"""The recorded traffic in `vectors/`, as values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OLD_SDK", "Exchange", "bodies_with_headers", "recorded"]

VECTORS = Path(__file__).with_name("vectors")
OLD_SDK = "flink-statefun 3.5.0"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of an engine and the reply to it."""

    name: str
    function: str
    by: str
    request: bytes
    reply: bytes

    def __str__(self) -> str:
        return self.name


def recorded() -> list[Exchange]:
    """All exchanges with an engine, in the order of the indexes, none of them cut short."""
    return [
        _exchange(VECTORS / engine, json.loads(line))
        for engine in ("apache", "apache-kinesis")
        for line in (VECTORS / engine / "index.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def _exchange(folder: Path, entry: dict[str, str | int]) -> Exchange:
    name = f"{folder.name}/{entry['name']}"
    request = (folder / f"{entry['name']}.request.bin").read_bytes()
    reply = (folder / f"{entry['name']}.reply.bin").read_bytes()
    if (len(request), len(reply)) != (entry["request_bytes"], entry["reply_bytes"]):
        raise ValueError(f"the files of {name} are not as long as when they were recorded")
    return Exchange(name, str(entry["function"]), str(entry["by"]), request, reply)


def bodies_with_headers() -> dict[str, bytes]:
    """The constructed requests and replies that carry headers, by name."""
    folder = VECTORS / "kzm-constructed"
    return {path.name.removesuffix(".bin"): path.read_bytes() for path in folder.glob("*.bin")}
