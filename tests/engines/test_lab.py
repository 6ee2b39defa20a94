"""The lab says what is missing before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.process import statefun
from tests.tools.lab.__main__ import main
from tests.tools.lab.errors import LabError, causes
from tests.tools.lab.server import Server, filled, first_port_lent, free_port
from tests.tools.lab.software import (
    DEFAULT,
    HERE,
    Software,
    engine_places,
    java_program,
    known_names,
)

if TYPE_CHECKING:
    from pathlib import Path


def java_that_says(folder: Path, version: str) -> Path:
    """A JDK's folder with a `java` that only knows its version."""
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("name", known_names())
def test_an_engine_is_a_file(name: str) -> None:
    """A TOML file beside the lab is all that an engine needs, but for its Java sources."""
    software = Software.load(name)

    assert software.title
    assert all(len(jar.split(":")) == 3 for jar in software.jars + software.bare_jars)
    assert [each for each in software.sources if not (HERE / "java" / each).is_file()] == []


def test_an_engine_whose_file_is_added_has_places(tmp_path: Path) -> None:
    """Each of its modes is one; what is no engine has none."""
    file = (HERE / "apache.toml").read_text()
    for name, text in {
        "another": file.replace("Apache", "Another"),
        DEFAULT: file,
        "kafka": (HERE / "kafka.toml").read_text(),
    }.items():
        (tmp_path / f"{name}.toml").write_text(text)

    assert engine_places(tmp_path) == {
        "single": ("apache", "single"),
        "cluster": ("apache", "cluster"),
        "another-single": ("another", "single"),
        "another-cluster": ("another", "cluster"),
    }
    assert "Another Stateful" in Software.load("another", tmp_path).title


@pytest.mark.parametrize("name", sorted({name for name, _ in engine_places().values()}))
def test_the_module_file_of_the_scenarios_is_of_the_dialect_of_its_engine(
    name: str, tmp_path: Path
) -> None:
    """It stands in the engine's file; only the ways in and out are the lab's own."""
    engine = Software.load(name)
    file = tmp_path / "module.yaml"
    endpoint = engine.files["module.yaml"].partition("---\nkind: test/")[0]
    numbers = ("max_waiting", "call_ms", "connect_ms", "payload_max_bytes")
    file.write_text(filled(endpoint, {"url": "http://127.0.0.1/", **dict.fromkeys(numbers, 1)}))

    checked = statefun(
        "check", "module.yaml", "--strict", "--dialect", engine.dialect, cwd=tmp_path
    )

    assert checked.err.startswith("module.yaml: has no ingress")
    assert checked.err.count("\n") == 1


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    """A mistyped name shows what there is."""
    with pytest.raises(LabError) as caught:
        Software.load("apachee")

    assert (
        str(caught.value) == f"there is no engine 'apachee'; there are: {', '.join(known_names())}"
    )


@pytest.mark.parametrize("version", ["1.8.0_402", "25.0.1"])
def test_a_java_that_the_engine_does_not_run_on_is_refused(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names what is wanted, what is there, and what to do."""
    home = java_that_says(tmp_path, version)
    monkeypatch.setenv("STATEFUN_ENGINES_JAVA", str(home))

    with pytest.raises(LabError) as caught:
        java_program("java", Software.load("apache"))

    assert str(caught.value) == (
        "Apache Stateful Functions 3.3.0 on Flink 1.16.2 runs on Java 11 to 17, and "
        f'{home}/bin/java is openjdk version "{version}" 2025-01-01: install such a JDK, or let '
        "STATEFUN_ENGINES_JAVA name the folder of one"
    )


def test_a_java_of_a_known_version_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programs of that JDK are used, not those of the search path."""
    home = java_that_says(tmp_path, "17.0.15")
    monkeypatch.setenv("STATEFUN_ENGINES_JAVA", str(home))

    program = java_program("javac", Software.load("apache"))

    assert program == str(home / "bin" / "javac")


def test_without_java_the_lab_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback of a missing file, but what is needed."""
    monkeypatch.setenv("STATEFUN_ENGINES_JAVA", str(tmp_path))

    with pytest.raises(LabError, match="runs on Java 11 to 25: install such a JDK"):
        java_program("java", Software.load("kafka"))


def test_without_maven_the_lab_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jars that are not there yet are fetched by Maven."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LabError, match="install Maven; its program is mvn"):
        Software.load("kafka").fetched(tmp_path)


def test_what_is_missing_is_said_once_and_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`make engines` ends with a sentence when there is no Java."""
    monkeypatch.setenv("STATEFUN_ENGINES_JAVA", str(tmp_path))

    code = main()

    said = capfd.readouterr()
    assert code == 1
    assert said.out == f"{Software.load(known_names()[0]).title}: not ready\n"
    assert said.err.startswith(f"make engines: asking {tmp_path}/bin/java for its version failed")
    assert said.err.count("\n") == 1


def test_a_server_that_has_stopped_starts_nothing_more(tmp_path: Path) -> None:
    """Who interrupts a start leaves no process behind, though the start goes on in its thread."""
    server = Server(tmp_path)
    first = server.spawn("first", ["sleep", "600"])
    server.stop()

    with pytest.raises(LabError) as caught:
        server.spawn("second", ["sleep", "600"])

    assert str(caught.value) == "second is not started: its server has stopped"
    assert list(server.processes.values()) == [first]
    assert not first.alive


def test_no_port_is_given_out_twice() -> None:
    """Who was given one may take long until it listens there."""
    ports = [free_port() for _ in range(3000)]

    assert len(set(ports)) == len(ports)


def test_no_connection_that_goes_out_is_at_a_port_that_was_given_out() -> None:
    """The kernel lends a port to each of them, from a range of its own."""
    assert free_port() < first_port_lent()


def test_of_a_stack_trace_the_causes_are_shown() -> None:
    """Frames say nothing to whoever wrote a module file."""
    trace = "java.lang.A: no\n\tat b.c(D.java:1)\nCaused by: e.F: never\n\t... 12 more\n"

    assert causes(trace) == "java.lang.A: no\nCaused by: e.F: never"
