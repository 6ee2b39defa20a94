"""An engine as data: a TOML file beside this one names its jars, its Java, its configuration.

Jars are resolved by Maven once, into `$STATEFUN_ENGINES_CACHE` or a folder below `~/.cache`. What
is there is named after a digest of what made it, so that an edited file makes a new one.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from tests.tools.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HERE = Path(__file__).parent
DEFAULT = "apache"
"""The engine that is meant where none is named."""
RELEASE = "11"
"""The Java release that our Java sources are compiled for."""
SHORT_LIVED = ("-XX:TieredStopAtLevel=1",)
"""Flags for JVMs that live for a minute: half the processor time; not for measuring speed."""


@dataclass(frozen=True)
class Software:
    """One engine.

    Attributes:
        name: The name of its file.
        title: What people call it, with versions.
        java: The oldest and the newest major version of Java that it runs on.
        jars: Maven coordinates, `group:artifact:version`; what they depend on comes along.
        bare_jars: Coordinates of jars that come without what they depend on.
        sources: Java files below `java/` that are compiled against the jars.
        services: Service interface → the class of ours that provides it.
        files: Name → template of a configuration file.
        mains: Mode → the processes of a session, name → main class, in the order of their start;
            empty for what is no engine.
        dialect: The dialect of its module files.
        job_class: The main class of the job.
        job_jar: A pattern that finds the jar to submit.
    """

    name: str
    title: str
    java: tuple[int, int]
    jars: tuple[str, ...]
    bare_jars: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    services: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    mains: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    dialect: str = ""
    job_class: str = ""
    job_jar: str = ""

    @classmethod
    def load(cls, name: str, folder: Path = HERE) -> Software:
        file = folder / f"{name}.toml"
        if not file.is_file():
            known = ", ".join(known_names(folder))
            raise LabError(f"there is no engine {name!r}; there are: {known}")
        data: dict[str, Any] = tomllib.loads(file.read_text())
        for key in ("jars", "bare_jars", "sources"):
            data[key] = tuple(data.get(key, ()))
        java = data.pop("java")
        return cls(name=name, java=(java["from"], java["to"]), **data)

    def fetched(self, cache: Path | None = None) -> Path:
        """The folder with the jars, after fetching them if need be."""
        pom = self._pom()

        def resolve(target: Path) -> None:
            (target / "pom.xml").write_text(pom)
            goal = ["dependency:copy-dependencies", f"-DoutputDirectory={target}"]
            command = ["mvn", "-q", "-B", "-f", str(target / "pom.xml"), *goal]
            _run(command, f"fetching {self.title}", "install Maven; its program is mvn")

        return _published((cache or default_cache()) / f"{self.name}-{_digest(pom)}", resolve)

    def compiled(self, jars: Path) -> Path:
        """The folder with the classes of our sources; that of the jars if there are none."""
        sources = [HERE / "java" / name for name in self.sources]
        if not sources:
            return jars

        def build(target: Path) -> None:
            flags = ["-nowarn", "--release", RELEASE, "-cp", f"{jars}/*", "-d", str(target)]
            command = [java_program("javac", self), *flags, *map(str, sources)]
            _run(command, "compiling the lab's classes", "install a JDK, not only a JRE")
            for service, provider in self.services.items():
                file = target / "META-INF" / "services" / service
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"{provider}\n")

        digest = _digest(*(source.read_text() for source in sources), repr(self.services))
        return _published(jars.parent / f"{jars.name}-classes-{digest}", build)

    def _pom(self) -> str:
        return (
            '<project xmlns="http://maven.apache.org/POM/4.0.0">\n'
            "<modelVersion>4.0.0</modelVersion><groupId>lab</groupId>"
            f"<artifactId>{escape(self.name)}</artifactId><version>1</version>\n<dependencies>\n"
            + "".join(_dependency(jar, bare=True) for jar in self.bare_jars)
            + "".join(_dependency(jar, bare=False) for jar in self.jars)
            + "</dependencies>\n</project>\n"
        )


def known_names(folder: Path = HERE) -> list[str]:
    """What there is a file for."""
    return sorted(file.stem for file in folder.glob("*.toml"))


def engine_places(folder: Path = HERE) -> dict[str, tuple[str, str]]:
    """Place → the engine and the mode that it stands for; an engine is a file, a mode a part of it.

    The default engine comes first, and its places are called after the modes alone.
    """
    names = sorted(known_names(folder), key=lambda name: name != DEFAULT)
    return {
        mode if name == DEFAULT else f"{name}-{mode}": (name, mode)
        for name in names
        for mode in Software.load(name, folder).mains
    }


def default_cache() -> Path:
    """Where jars are kept."""
    chosen = os.environ.get("STATEFUN_ENGINES_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "statefun-engines"


def java_program(name: str, software: Software) -> str:
    """A program of a JDK that the software runs on.

    It is looked for in the JDK that `$STATEFUN_ENGINES_JAVA` names, else `$JAVA_HOME`, else on the
    search path.

    Raises:
        LabError: If there is none, or its version is not one of the software's.
    """
    home = os.environ.get("STATEFUN_ENGINES_JAVA") or os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else "java"
    oldest, newest = software.java
    wanted = f"{software.title} runs on Java {oldest} to {newest}"
    advice = "install such a JDK, or let STATEFUN_ENGINES_JAVA name the folder of one"
    said = _run([java, "-version"], f"asking {java} for its version", f"{wanted}: {advice}")
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    if not found or not oldest <= int(found[1]) <= newest:
        raise LabError(f"{wanted}, and {java} is {said.splitlines()[0]}: {advice}")
    return str(Path(home) / "bin" / name) if home else name


def _dependency(coordinates: str, *, bare: bool) -> str:
    group, artifact, version = map(escape, coordinates.split(":"))
    nothing = "<exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>"
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version>"
        + (f"<exclusions>{nothing}</exclusions>" if bare else "")
        + "</dependency>\n"
    )


def _run(command: Sequence[str], what: str, advice: str) -> str:
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError as error:
        raise LabError(f"{what} failed: {error}; {advice}") from error
    if done.returncode:
        raise LabError(f"{what} failed with exit code {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def _published(target: Path, build: Callable[[Path], None]) -> Path:
    """Make a folder appear complete or not at all, whoever else is building it."""
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".building-"))
        try:
            build(scratch)
            scratch.rename(target)
        except OSError:
            if not target.is_dir():
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return target


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
