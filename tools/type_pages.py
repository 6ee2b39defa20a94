"""Check the types of every program that a reader may copy.

These are the examples, the code of the pages, and what `statefun new` writes.

The Python blocks of a page are one module, each line where it stands in the page, so that an error
names the page's own line. Both checkers read them as they would read a user's file: mypy with
`--strict`, pyright with its standard rules. No suppression is allowed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
SUPPRESSION = re.compile(r"type: ?ignore|pyright: ?ignore|# noqa|\bcast\(")


def module_of(page: str) -> str:
    """Give the Python of a page, each line at its number."""
    lines: list[str] = []
    for block in BLOCK.finditer(page):
        lines += [""] * (page[: block.start(1)].count("\n") - len(lines))
        lines += block[1].splitlines()
    return "".join(f"{line}\n" for line in lines)


def write_modules(folder: Path) -> list[Path]:
    """Write the pages with code as modules, and the examples beside them."""
    written = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        if code := module_of(page.read_text()):
            written.append(folder / f"{page.stem.replace('-', '_').lower()}.py")
            written[-1].write_text(code)
    for example in sorted((ROOT / "examples").glob("*/*.py")):
        written.append(folder / example.parent.name / example.name)
        written[-1].parent.mkdir(exist_ok=True)
        written[-1].write_text(example.read_text())
    for template in sorted((ROOT / "statefun" / "cli" / "project").glob("*.py.txt")):
        written.append(folder / "new" / template.stem)
        written[-1].parent.mkdir(exist_ok=True)
        written[-1].write_text(template.read_text().replace("$namespace", "shop"))
    return written


def check(folder: Path, modules: list[Path]) -> bool:
    """Run both checkers; they print what they find."""
    settings = {
        "include": ["."],
        "executionEnvironments": [
            {"root": str(group[0].parent), "extraPaths": [str(ROOT)]}
            for group in reversed(groups(modules))  # the first that holds a file is taken
        ],
        "pythonVersion": "3.11",
        "reportRedeclaration": False,  # the next block of a page may improve on the last
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    python = ["--python-executable", sys.executable]
    strict = ["--strict", "--config-file=", "--ignore-missing-imports", *python]
    binaries = Path(sys.executable).parent
    done = [
        subprocess.run([binaries / "mypy", *strict, *group], cwd=folder, check=False)  # noqa: S603
        for group in groups(modules)
    ]
    done.append(
        subprocess.run(  # noqa: S603 - our own tools
            [binaries / "pyright", "-p", folder, "--pythonpath", sys.executable], check=False
        )
    )
    return not any(each.returncode for each in done)


def groups(modules: list[Path]) -> list[list[Path]]:
    """Sort modules into those that may be checked together: each example imports its own files."""
    by_folder: dict[Path, list[Path]] = {}
    for module in modules:
        by_folder.setdefault(module.parent, []).append(module)
    return list(by_folder.values())


def main() -> int:
    """Return 1 if a checker finds anything, or if a program silences one."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        modules = write_modules(folder)
        silenced = [each.name for each in modules if SUPPRESSION.search(each.read_text())]
        if silenced:
            print(f"no suppression may stand in {', '.join(silenced)}")
        return int(bool(silenced) | (not check(folder, modules)))


if __name__ == "__main__":
    sys.exit(main())
