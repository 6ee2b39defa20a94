"""Wrong usage and failures: one line on stderr, exit code 2 or 1, a traceback only when asked."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from statefun.cli import main
from statefun.sdk.wire import CORE
from tests.cli.process import Outcome, statefun

if TYPE_CHECKING:
    from pathlib import Path

FORM = "is not of the form 'namespace/name': write for example 'com.example/greeter'"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["serve"], "statefun serve: the following arguments are required: MODULE:ATTR"),
        (
            ["serve", "greeter"],
            (
                "statefun serve: argument MODULE:ATTR: 'greeter' is not of the form MODULE:ATTR: "
                "write for example 'greeter:functions'"
            ),
        ),
        (
            ["serve", "a:b", "--port", "x"],
            "statefun serve: argument --port: 'x' is not a port: write a number from 0 to 65535",
        ),
        (
            ["run", "--admin-port", "65536"],
            (
                "statefun run: argument --admin-port: '65536' is not a port: write a number from 0 "
                "to 65535"
            ),
        ),
        (["run", "--bogus"], "statefun: unrecognized arguments: --bogus"),
        (
            ["send", "greeter", "1", "x"],
            f"statefun send: argument NS/TYPE: typename 'greeter' {FORM}",
        ),
        (
            ["send", "a/b", "1", "x", "--type", "integer"],
            f"statefun send: argument --type: typename 'integer' {FORM}",
        ),
        (
            ["send", "a/b", "\udcff", "x"],
            "statefun send: argument ID: '\\udcff' is not valid UTF-8",
        ),
        (
            ["serve", "greeter.py:functions"],
            (
                "statefun serve: argument MODULE:ATTR: 'greeter.py' is a file, not a module: write "
                "'greeter:functions'"
            ),
        ),
        (
            ["run", "greeter:functions"],
            (
                "statefun run: argument FILE: 'greeter:functions' is not a module file: write "
                "--functions greeter:functions"
            ),
        ),
        (["state"], "statefun state: the following arguments are required: ACTION"),
        (["state", "get", "a/b"], "statefun state get: the following arguments are required: ID"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong is said in one line that ends with where to look."""
    code = main(arguments)

    program = line.split(":", maxsplit=1)[0]
    assert (code, *capsys.readouterr()) == (2, "", f"{line}; '{program} --help' shows the usage\n")


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (
            ["run"],
            2,
            (
                "statefun run: nothing to run: pass module files, --functions MODULE:ATTR, "
                "--listen HOST:PORT, or several of them"
            ),
        ),
        (
            ["send", "a/b", "", "x"],
            2,
            "statefun send: the ID is empty, and the HTTP ingress takes no empty ids: pass another",
        ),
        (
            ["send", "a/b", "1", "x", "--type", "io.statefun.types/int"],
            2,
            "statefun send: 'x' is not a value of io.statefun.types/int: write a whole number",
        ),
        (
            ["send", "a/b", "1", "maybe", "--type", "io.statefun.types/bool"],
            2,
            "statefun send: 'maybe' is not a value of io.statefun.types/bool: write true or false",
        ),
        (
            ["send", "a/b", "1", "2147483648", "--type", "io.statefun.types/int"],
            2,
            (
                "statefun send: 2147483648 does not fit io.statefun.types/int (32 bits, signed): "
                "use io.statefun.types/long"
            ),
        ),
        (
            ["send", "a/b", "1", "x", "--to", "localhost:8090"],
            2,
            (
                "statefun send: --to 'localhost:8090' is not a URL: write for example "
                "'http://127.0.0.1:8090'"
            ),
        ),
        *(
            (
                ["send", "a/b", "1", "x", "--to", url],
                2,
                f"statefun send: --to {url!r} is not a URL: write for example 'http://127.0.0.1:8090'",
            )
            for url in ("http://127.0.0.1:1/a b", "http://127.0.0.1:1/\n", "http://127.0.0.1:1/é")
        ),
        *(
            (
                ["send", "a/b", "1", "x", "--type", typename],
                2,
                (
                    f"statefun send: --type {typename!r} cannot be part of a content type: take "
                    "one without semicolons, line ends, and blanks at its end"
                ),
            )
            for typename in ("a/b;c", "a/b\nc", "a/b ")
        ),
        (
            ["send", "a/b", "1", "x", "--to", "http://127.0.0.1:1"],
            1,
            (
                "statefun send: no runtime answers at http://127.0.0.1:1 ([Errno 111] Connection "
                "refused): start one with 'statefun run', or name its ingress with --to"
            ),
        ),
        (
            ["serve", "no_such_module:functions"],
            1,
            (
                "statefun serve: there is no module 'no_such_module' in {cwd} nor among the "
                "installed packages: run this from the directory that contains it"
            ),
        ),
        *(
            (
                [*command, "--data", "none"],
                1,
                (
                    f"statefun {command[0]}: there is no none/statefun.db: no runtime has used "
                    "this directory yet. Check the name of the data directory"
                ),
            )
            for command in (
                ["state", "list", "a/b"],
                ["state", "get", "a/b", "1"],
                ["timers", "list"],
            )
        ),
    ],
)
def test_a_failure_is_one_line(arguments: list[str], code: int, line: str, tmp_path: Path) -> None:
    """A command that cannot do what it was asked for says what, where and what to do."""
    assert statefun(*arguments, cwd=tmp_path) == Outcome(code, "", f"{line.format(cwd=tmp_path)}\n")


@pytest.mark.parametrize("position", [0, 1])
def test_a_traceback_comes_with_debug_only(
    position: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--debug` shows where an error comes from, before or behind the command."""
    arguments = ["run", "none.yaml"]
    arguments.insert(position, "--debug")

    code = main(arguments)

    errors = capsys.readouterr().err.splitlines()
    assert (code, errors[0], errors[-1]) == (
        1,
        "Traceback (most recent call last):",
        (
            "statefun run: none.yaml: cannot be read: No such file or directory; check the path "
            "and its permissions"
        ),
    )


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the name, the version, and which core runs."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"statefun {version('statefun')}, {CORE} core\n"


@pytest.mark.parametrize(
    "command", ["", "serve", "run", "send", "state list", "state get", "timers list", "check"]
)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` prints the usage and ends with 0."""
    assert main([*command.split(), "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: statefun {command}".rstrip())


@pytest.mark.parametrize(
    ("module", "arguments", "line"),
    [
        ("yaml", "check m.yaml", "statefun check: module files need PyYAML"),
        ("pydantic", "check m.yaml", "statefun check: module files need pydantic"),
        ("pydantic", "run m.yaml", "statefun run: module files need pydantic"),
        (
            "httptools",
            "run m.yaml --functions f:f",
            "statefun run: listening for HTTP needs httptools",
        ),
        ("filelock", "run m.yaml --functions f:f", "statefun run: a data directory needs filelock"),
        (
            "prometheus_client",
            "run m.yaml --functions f:f --admin-port 0",
            "statefun run: the admin port needs prometheus-client",
        ),
    ],
)
def test_a_missing_library_names_what_to_install(
    module: str, arguments: str, line: str, tmp_path: Path
) -> None:
    """Without an extra a command says which line installs it."""
    (tmp_path / "m.yaml").write_text("kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n")
    (tmp_path / "f.py").write_text("from statefun import StatefulFunctions as F; f = F()\n")
    program = (
        f"import sys; sys.modules[{module!r}] = None; from statefun.cli import main; "
        f"sys.exit(main({arguments.split()!r}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        f"{line}: pip install 'statefun[runtime]'\n",
    )


def test_check_prints_every_problem_with_its_line(tmp_path: Path) -> None:
    """Errors and warnings of all files are lines on stderr; an error makes the exit code 1."""
    ingress = "kind: io.statefun.playground.v1/ingress\nspec: {port: %s}\nextra: 1\n"
    (tmp_path / "a.yaml").write_text(ingress % "x")
    (tmp_path / "b.yaml").write_text(ingress % "0")
    key = "unknown key 'extra': it has no effect; known keys: kind, spec"

    both = statefun("check", "a.yaml", "b.yaml", cwd=tmp_path)
    one = statefun("check", "b.yaml", cwd=tmp_path)
    strict = statefun("check", "--strict", "b.yaml", cwd=tmp_path)

    assert both == Outcome(
        1,
        "",
        "a.yaml:2: 'port' should be a valid integer, got 'x': write a whole number, without "
        "quotes\n"
        f"a.yaml:3: {key} (warning)\n"
        f"b.yaml:3: {key} (warning)\n",
    )
    assert one == Outcome(
        0, "b.yaml: 0 endpoints, 1 ingress, 0 egresses\n", f"b.yaml:3: {key} (warning)\n"
    )
    assert strict == Outcome(1, "", f"b.yaml:3: {key}\n")


KAFKA = """\
kind: io.statefun.kafka.v1/ingress
spec:
  id: com.example/in
  address: localhost:9092
  consumerGroupId: group
  topics: [{topic: names, valueType: com.example/Name, targets: [com.example/greeter]}]
---
kind: io.statefun.endpoints.v2/http
spec: {functions: com.example/*, urlPathTemplate: "http://localhost:8000", failureMode: drop}
"""
PIPELINE = """\
kind: io.statefun_tasks.v1/pipeline
spec:
  id: com.example/pipeline
"""
FOREIGN = (
    "m.yaml:9: unknown key 'failureMode': the dialect %s has none, it has no effect; fransking has "
    "it%s\n"
)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--dialect fransking", Outcome(0, "m.yaml: 1 endpoint, 1 ingress, 0 egresses\n", "")),
        (
            "--dialect apache",
            Outcome(
                0,
                "m.yaml: 1 endpoint, 1 ingress, 0 egresses\n",
                FOREIGN % ("apache", " (warning)"),
            ),
        ),
        ("--dialect kzm --strict", Outcome(1, "", FOREIGN % ("kzm", ""))),
        ("--dialect embedded", Outcome(0, "m.yaml: 1 endpoint, 1 ingress, 0 egresses\n", "")),
        ("", Outcome(0, "m.yaml: 1 endpoint, 1 ingress, 0 egresses\n", "")),
    ],
)
def test_check_takes_a_file_as_its_engine_would(
    arguments: str, expected: Outcome, tmp_path: Path
) -> None:
    """The dialect says which kinds and keys there are; this runtime's own is the default."""
    (tmp_path / "m.yaml").write_text(KAFKA)

    assert statefun("check", "m.yaml", *arguments.split(), cwd=tmp_path) == expected


@pytest.mark.parametrize("dialect", ["fransking", "embedded"])
def test_run_names_what_it_has_no_connector_for(dialect: str, tmp_path: Path) -> None:
    """A file of a cluster with pipelines does not run here, and the line says so."""
    (tmp_path / "m.yaml").write_text(PIPELINE)

    outcome = statefun("run", "m.yaml", "--dialect", dialect, cwd=tmp_path)

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("statefun run: m.yaml:1: 'io.statefun_tasks.v1/pipeline' ")


def test_check_says_that_a_file_is_empty(tmp_path: Path) -> None:
    """It is no error, but hardly what was meant."""
    (tmp_path / "empty.yaml").write_text("# later\n")

    assert statefun("check", "empty.yaml", cwd=tmp_path) == Outcome(
        0,
        "empty.yaml: 0 endpoints, 0 ingresses, 0 egresses\n",
        "empty.yaml: is empty: no component stands in it (warning)\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "check a.yaml --strict b.yaml",
        "check --strict a.yaml b.yaml",
        "check a.yaml b.yaml --strict",
    ],
)
def test_files_may_stand_before_and_behind_options(arguments: str, tmp_path: Path) -> None:
    """The order of files and options does not matter."""
    lines = statefun(*arguments.split(), cwd=tmp_path).err.splitlines()

    assert [line.split(":")[0] for line in lines] == ["a.yaml", "b.yaml"]


def test_a_run_of_plain_functions_imports_no_room_that_it_does_not_need() -> None:
    """Durable handlers and workflows would take a quarter of the time of its start."""
    code = (
        "import sys, statefun.cli.assembly, statefun.cli.run\n"
        "print([each for each in sys.modules if each.startswith(('statefun.durable', "
        "'statefun.workflows'))])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == "[]\n"
