"""The locks: one file of pinned packages for each environment, written by `make lock`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]
LOCKS = {path.stem: path for path in sorted((ROOT / "locks").glob("*.txt"))}
PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[\w.]+)(?: ; (?P<marker>[^\\]+))?")


def pins(lock: str) -> dict[str, set[str]]:
    """The versions of each package in a lock; several where it depends on the Python."""
    found: dict[str, set[str]] = {}
    for line in LOCKS[lock].read_text().splitlines():
        if match := PIN.match(line):
            found.setdefault(canonicalize_name(match["name"]), set()).add(match["version"])
    return found


def asked_for(extra: str) -> list[Requirement]:
    """Everything that the package asks for with an extra, other extras of its own followed."""
    requirements = [Requirement(text) for text in EXTRAS[extra]]
    own = [each for each in requirements if each.name == "statefun"]
    others = [each for each in requirements if each.name != "statefun"]
    others += [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    for each in own:
        for name in sorted(each.extras):
            others += asked_for(name)
    return others


REQUIREMENTS = {
    **{name: asked_for("test" if name == "oldest" else name) for name in {"oldest", *EXTRAS}},
    **{name: [Requirement(text) for text in texts] for name, texts in GROUPS.items()},
}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_everything_that_is_asked_for(lock: str) -> None:
    """A dependency that is added or bounded anew goes into the locks, with `make lock`."""
    locked = pins(lock)

    missing = {
        str(requirement)
        for requirement in REQUIREMENTS[lock]
        for version in locked.get(canonicalize_name(requirement.name), {""})
        if not version or not requirement.specifier.contains(version, prereleases=True)
    }

    assert missing == set(), "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_consists_of_names_versions_and_hashes(lock: str) -> None:
    """Each pin has hashes, and nothing in a lock says where the packages come from."""
    text = "\n".join(
        line for line in LOCKS[lock].read_text().splitlines() if not line.startswith("#")
    )

    entries = text.replace("\\\n", "").splitlines()

    assert entries
    for entry in entries:
        assert re.fullmatch(rf"{PIN.pattern}( +--hash=sha256:[0-9a-f]{{64}})+", entry), entry


def test_each_package_has_one_version_in_all_locks() -> None:
    """One environment takes the locks of several extras; groups and the oldest have their own."""
    versions: dict[str, set[frozenset[str]]] = {}
    for lock in EXTRAS.keys() & LOCKS.keys():
        for name, found in pins(lock).items():
            versions.setdefault(name, set()).add(frozenset(found))

    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_the_oldest_lock_has_the_oldest_that_is_asked_for() -> None:
    """Each direct dependency is there in the release that its lower bound names."""
    locked = pins("oldest")

    lowest = {
        requirement.name: specifier.version
        for requirement in REQUIREMENTS["oldest"]
        for specifier in requirement.specifier
        if specifier.operator == ">="
    }

    assert {name: [*locked[canonicalize_name(name)]] for name in lowest} == {
        name: [each for each in locked[canonicalize_name(name)] if f"{each}.0".startswith(low)]
        for name, low in lowest.items()
    }
