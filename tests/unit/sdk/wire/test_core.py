"""The choice of a core: what `STATEFUN_CORE` says, and what is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

HAS_NATIVE = find_spec("statefun_core") is not None


def outcome(wanted: str | None) -> str:
    """The core that a new process chooses, or the last line of its error."""
    environment = {name: value for name, value in os.environ.items() if name != "STATEFUN_CORE"}
    if wanted is not None:
        environment["STATEFUN_CORE"] = wanted
    code = "from statefun.sdk.wire import CORE; print(CORE)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    return (done.stdout or done.stderr).splitlines()[-1]


def test_native_code_is_used_where_it_is_installed() -> None:
    """Nobody has to ask for it; an empty variable is none."""
    assert {outcome(None), outcome("")} == {"native" if HAS_NATIVE else "python"}


def test_the_reference_can_be_asked_for() -> None:
    """To compare, or to look for the cause of a fault."""
    assert outcome("python") == "python"


def test_whoever_insists_on_native_code_gets_it_or_is_told() -> None:
    """A program that needs the speed does not start without it."""
    told = outcome("native")

    assert told == "native" or told.startswith(
        "statefun.errors.ConfigurationError: STATEFUN_CORE is native, and there is no native core: "
        "pip install statefun-core, or 'make native'"
    )
    assert (told == "native") == HAS_NATIVE


@pytest.mark.parametrize("wanted", ["rust", "Native", "1"])
def test_other_cores_are_refused(wanted: str) -> None:
    """A typing error is not taken for a wish."""
    assert outcome(wanted) == (
        f"statefun.errors.ConfigurationError: STATEFUN_CORE is {wanted!r}: write python or native, "
        "or leave it out"
    )
