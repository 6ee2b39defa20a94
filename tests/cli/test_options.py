"""The options of a runtime: on the command line, in a file, and as `RuntimeOptions`."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from statefun.cli.assembly import assemble
from statefun.cli.options import add_options, file_arguments, function_rules, runtime_options
from statefun.cli.program import main
from statefun.errors import ConfigurationError
from statefun.runtime import FailurePolicy, Limits, Retention, Runtime, RuntimeOptions
from statefun.runtime.options import RuntimeOptionValues

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

MODULE = """
    kind: io.statefun.endpoints.v2/http
    spec:
      functions: com.example/*
      urlPathTemplate: http://localhost:8000/statefun
      maxNumBatchRequests: 70
    ---
    kind: io.statefun.playground.v1/ingress
    spec: {port: 0}
    """
FUNCTIONS = """
    from statefun import StatefulFunctions

    functions = StatefulFunctions()
    functions.register("com.example/here", lambda context, message: None)
    """
LINE = [
    *("--durability", "normal", "--drain", "30", "--flush", "1.5", "--max-waiting-bytes", "4096"),
    *("--keep-dead-letters", "1000", "--keep-dead-letters", "7 d", "--keep-keys", "1 h"),
    *("--on-topic-failure", "orders=pause", "--on-failure", "drop"),
    *("--on-failure", "com.example/*=pause", "--limit", "max-batch=100"),
    *("--limit", "com.example/greeter=max-waiting=5"),
]
FILE = """
    durability = "normal"
    drain = 30
    flush = 1.5
    max-waiting-bytes = 4096
    keep-dead-letters = [1000, "7 d"]
    keep-keys = "1 h"
    on-topic-failure = {orders = "pause"}

    [on-failure]
    "*" = "drop"
    "com.example/*" = "pause"

    [limit]
    max-batch = 100
    "com.example/greeter" = {max-waiting = 5}
    """


def parsed(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(exit_on_error=False)
    add_options(parser)
    return parser.parse_args(arguments)


def test_a_file_says_what_the_command_line_says(tmp_path: Path) -> None:
    """A list gives an option several times, a table one for each of its keys."""
    (tmp_path / "run.toml").write_text(dedent(FILE))

    by_file = parsed(file_arguments(str(tmp_path / "run.toml")))

    assert runtime_options(by_file) == runtime_options(parsed(LINE))
    assert function_rules(by_file) == function_rules(parsed(LINE))


def test_every_option_of_a_runtime_can_be_given() -> None:
    """None of them is for programs alone."""
    arguments = parsed(LINE)

    assert runtime_options(arguments) == RuntimeOptions(
        durability="normal",
        topic_failure={"orders": FailurePolicy("pause")},
        max_waiting_bytes=4096,
        dead_letters=Retention(1000, timedelta(days=7)),
        idempotency_keys=Retention(max_age=timedelta(hours=1)),
        drain=timedelta(seconds=30),
        flush=timedelta(seconds=1.5),
    )
    rules = function_rules(arguments)
    assert rules.on_failure == {"*": "drop", "com.example/*": "pause"}
    assert rules.limits == {"*": {"max_batch": 100}, "com.example/greeter": {"max_waiting": 5}}
    assert RuntimeOptions.__dataclass_fields__.keys() == {
        *("durability", "topic_failure", "max_waiting_bytes", "dead_letters", "idempotency_keys"),
        *("drain", "flush", "failure", "limits"),  # the last two by `function_rules`
    }


def test_the_options_by_name_are_the_options() -> None:
    """`Runtime(functions, drain=…)` takes each of them, and nothing else."""
    assert RuntimeOptionValues.__annotations__.keys() == RuntimeOptions.__dataclass_fields__.keys()


def test_nothing_said_is_the_default() -> None:
    """The command line has no defaults of its own."""
    assert runtime_options(parsed([])) == RuntimeOptions()


def test_single_options_go_before_the_others() -> None:
    """Programs share options, and change some."""
    shared = RuntimeOptions(durability="normal", drain=timedelta(seconds=1))

    runtime = Runtime(data=None, options=shared, drain=timedelta(seconds=2))

    assert runtime.options == RuntimeOptions(durability="normal", drain=timedelta(seconds=2))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"drain": 5}, "drain is 5: pass a timedelta of zero or more"),
        ({"flush": timedelta(-1)}, "flush is datetime.timedelta.*: pass a timedelta of zero or"),
        ({"dead_letters": 5}, "dead_letters is 5: give a Retention"),
        ({"limits": 5}, "limits is 5: give a Limits"),
        ({"max_waiting_bytes": 0}, "max_waiting_bytes is 0: write 1 or more"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(values: dict[str, object], sentence: str) -> None:
    """When it is given, not when the runtime starts."""
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        RuntimeOptions(**values)  # type: ignore[arg-type]

    assert caught.value.option == next(iter(values))


def test_a_stop_takes_no_longer_than_the_sum_of_its_parts() -> None:
    """Whoever gives more time to one of them gives it to the whole."""
    longer = RuntimeOptions(drain=timedelta(seconds=60), flush=timedelta(seconds=20))

    assert RuntimeOptions().stop_bound == timedelta(seconds=27)
    assert longer.stop_bound == RuntimeOptions().stop_bound + timedelta(seconds=50 + 17)


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("--limit=max-batch", "'max-batch' is not a limit: write NAME=N with one of max-batch, "),
        ("--limit=max-batch=0", "'0' is not a count: write a whole number from 1 on"),
        ("--limit=greeter=max-batch=1", "typename 'greeter' is not of the form"),
        ("--keep-keys=often", "'often' is neither a count nor a time"),
        ("--on-topic-failure=pause", "'pause' names no topic: write for example 'orders=pause'"),
        ("--on-failure=sometimes", "'sometimes' is not a policy: write one of dead-letter, "),
    ],
)
def test_an_argument_that_makes_no_sense_is_wrong_usage(
    argument: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what to write."""
    assert main(["run", "--functions", "greeter:functions", argument]) == 2

    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "the file of options 'run.toml' cannot be read: No such file or directory"),
        ("drain: 5", "the file of options 'run.toml' is not TOML: "),
        ("drian = 5", "'run.toml' has the option 'drian', which does not exist"),
        ("drain = 'long'", "'long' is not a time: write a number of seconds"),
    ],
)
def test_a_file_that_makes_no_sense_is_wrong_usage(
    text: str | None,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing starts with half of it."""
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "run.toml").write_text(text)

    assert main(["run", "--options", "run.toml", "--functions", "greeter:functions"]) == 2

    [line] = capsys.readouterr().err.splitlines()
    assert sentence in line


def limits_of(tmp_path: Path, *arguments: str) -> dict[str, Limits]:
    """The limits of functions behind an endpoint, and of one in this process."""
    (tmp_path / "module.yaml").write_text(dedent(MODULE))
    (tmp_path / "greeting.py").write_text(dedent(FUNCTIONS))
    assembly = assemble(
        ["module.yaml"],
        ["greeting:functions"],
        data="data",
        rules=function_rules(parsed(list(arguments))),
    )
    limits = assembly.runtime.options.limits
    assert isinstance(limits, dict)
    return limits


def test_a_limit_changes_nothing_else_of_an_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the module file says of its functions goes on being so."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    given = ("--limit", "max-batch=9", "--limit", "com.example/greeter=max-value-bytes=10")
    limits = limits_of(tmp_path, *given)

    assert limits == {
        "*": Limits(max_batch=9),
        "com.example/*": Limits(max_batch=9, max_waiting=70),
        "com.example/greeter": Limits(max_batch=9, max_waiting=70, max_value_bytes=10),
        "com.example/here": Limits(max_batch=9),
    }
    assert limits_of(tmp_path) == {}
    with pytest.raises(ConfigurationError, match="--limit names 'a/b', and no function is"):
        limits_of(tmp_path, "--limit", "a/b=max-batch=1")
