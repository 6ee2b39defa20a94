"""Every code block of the README and of docs/ is executed, and output shown is compared."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from dataclasses import dataclass
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt

from statefun.cli.options import add_options, file_arguments, runtime_options
from statefun.runtime import RuntimeOptions
from tests.cli.process import Server
from tests.tools.lab.server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])

STATEFUN = [sys.executable, "-m", "statefun"]


def command(text: str) -> list[str]:
    """A line of a page, as a command of this very environment."""
    words = shlex.split(text)
    assert words[0] == "statefun", f"{text!r} is not a command that this test knows"
    return [*STATEFUN, *words[1:]]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    for token in MarkdownIt().parse(page.read_text()):
        if token.type == "fence" and token.map:
            yield Block(page, token.map[0] + 1, token.info.strip(), token.content)


def run_python(block: Block, names: dict[str, Any]) -> None:
    code = "\n" * block.line + block.text  # so that a traceback names the line of the page
    exec(compile(code, str(block.page), "exec"), names)


def run_console(block: Block) -> None:
    """A `$ command`, and below it exactly what it prints."""
    for session in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, expected = session.partition("\n")
        done = subprocess.run(
            command(line), cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
        )
        assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
        assert done.stdout.splitlines() == expected.splitlines(), block


def run_session(block: Block, work: Path) -> None:
    """What a reader types in a shell: a runtime in the background, requests, a kill.

    Here its ingress has a port of its own.
    """
    port = free_port()
    (work / "io.yaml").write_text(
        f"kind: io.statefun.playground.v1/ingress\nspec: {{port: {port}}}\n"
    )
    running: Server | None = None
    try:
        for session in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            line, _, expected = session.replace(":8090", f":{port}").partition("\n")
            if line.endswith(" &"):
                words = shlex.split(line.removesuffix(" &"))
                running = Server(*words[1:], "io.yaml", cwd=work).wait_until_ready()
                shown = f"{running.ready}\n"
            elif line == "kill -9 %1":
                assert running is not None
                running.close()
                shown = ""
            else:
                words = shlex.split(line)
                shown = output_of([*STATEFUN, *words[1:]] if words[0] == "statefun" else words)
            assert shown.splitlines() == expected.splitlines(), f"{block}: {line}"
    finally:
        if running is not None:
            running.close()


def output_of(words: list[str]) -> str:
    """The output of a command, at whose end curl puts no line end."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


def run_shell(block: Block) -> None:
    """An install line: the index cannot be asked here, but the extras can be looked up."""
    for line in block.text.splitlines():
        if line == "python3 -m venv .venv && . .venv/bin/activate":
            continue  # what runs this test
        wanted = re.fullmatch(r"pip install '?(?:statefun|\.)(?:\[([\w,]+)\])?'?", line)
        assert wanted, f"{block}: {line!r} is nothing that this test knows to check"
        known = set(metadata("statefun").get_all("Provides-Extra") or ())
        assert set((wanted[1] or "all").split(",")) <= known, f"{block}: {line}"


def run_yaml(block: Block, work: Path) -> None:
    """A module file."""
    path = work / f"{block.page.stem}-{block.line}.yaml"
    path.write_text(block.text)
    done = subprocess.run(
        [*STATEFUN, "check", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"


def run_toml(block: Block, folder: Path) -> None:
    """A file of options is one that `statefun run` takes."""
    path = folder / "options.toml"
    path.write_text(block.text)
    parser = ArgumentParser()
    add_options(parser)

    arguments = parser.parse_args(file_arguments(str(path)))

    assert runtime_options(arguments) != RuntimeOptions(), f"{block} changes nothing"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_code_block_does_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of a page run in order, in one namespace and one empty folder."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}

    for block in blocks(page):
        match block.language:
            case "python":
                run_python(block, names)
                if page.name == "README.md" and not (tmp_path / "greet.py").exists():
                    (tmp_path / "greet.py").write_text(block.text)
            case "console" if " &\n" in block.text:
                run_session(block, tmp_path)
            case "console":
                run_console(block)
            case "sh":
                run_shell(block)
            case "yaml":
                run_yaml(block, tmp_path)
            case "toml":
                run_toml(block, tmp_path)
            case "text":
                pass  # a picture
            case other:
                pytest.fail(f"{block}: nobody knows how to run a block of {other!r}")


def test_every_page_is_linked_from_the_readme() -> None:
    """A page that the README does not lead to is not found."""
    linked = set(re.findall(r"\]\(([\w./-]+\.md)\)", (ROOT / "README.md").read_text()))

    pages = {str(page.relative_to(ROOT)) for page in PAGES} - {"README.md"}

    assert pages <= linked


def test_the_readme_is_as_long_as_a_readme_should_be() -> None:
    """A stranger reads 120 to 165 lines."""
    assert 120 <= len((ROOT / "README.md").read_text().splitlines()) <= 165


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    """Every relative link of a page names a file of the repository."""
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_test_that_a_page_names_exists() -> None:
    """A guarantee is a sentence that a named test proves."""
    files = [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("statefun/testing/contracts/*.py")]
    sources = "".join(path.read_text() for path in files)
    defined = set(re.findall(r"def (test_\w+)", sources))

    named = {name for page in PAGES for name in re.findall(r"`(test_\w+)`", page.read_text())}

    assert named
    assert sorted(named - defined) == []
