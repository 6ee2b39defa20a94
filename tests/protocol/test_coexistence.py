"""Other users of protobuf in the same process do not matter, nor does its implementation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMPLEMENTATION = "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"
WHICH = "from google.protobuf.internal import api_implementation as a; print(a.Type())"


def run(*arguments: str, implementation: str | None = None) -> tuple[str, str]:
    """What a fresh interpreter prints, to stdout and to stderr."""
    environment = {name: value for name, value in os.environ.items() if name != IMPLEMENTATION}
    if implementation is not None:
        environment[IMPLEMENTATION] = implementation
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    return finished.stdout, finished.stderr


@pytest.mark.parametrize("first", ["statefun", "neighbour"])
@pytest.mark.parametrize("scenario", ["own-types-proto", "second-copy", "older-copy"])
def test_a_neighbour_with_the_same_names_is_no_trouble(scenario: str, first: str) -> None:
    """Another `types.proto`, or the schema a second time, works in both import orders."""
    output = run("-m", "tests.protocol.neighbour", scenario, first)

    assert output == ("ok\n", ""), output[1]


@pytest.mark.parametrize("scenario", ["greeter", "malformed"])
def test_the_slow_implementation_of_protobuf_will_do(scenario: str) -> None:
    """Where protobuf has no compiled parser, the same functions give the same replies."""
    output = run("-m", "tests.protocol.neighbour", scenario, "statefun", implementation="python")

    assert output == ("ok\n", ""), output[1]


def test_the_two_implementations_are_really_two() -> None:
    """The tests above and the rest of the suite do not run on the same implementation."""
    slow = run("-c", WHICH, implementation="python")
    usual = run("-c", WHICH)

    assert slow == ("python\n", "")
    assert usual in {("upb\n", ""), ("cpp\n", "")}


def test_importing_statefun_leaves_the_default_pool_alone() -> None:
    """Nothing of ours can be found there, so nothing of ours can collide."""
    program = (
        "import statefun, google.protobuf.descriptor_pool as pools\n"
        "try:\n"
        "    pools.Default().FindMessageTypeByName('io.statefun.sdk.reqreply.ToFunction')\n"
        "except KeyError:\n"
        "    print('not there')\n"
    )

    assert run("-c", program) == ("not there\n", "")
