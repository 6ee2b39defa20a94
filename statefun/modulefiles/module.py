"""Module files: which endpoints, ingresses and egresses a runtime has.

A file is a stream of YAML documents, each a `kind` and its `spec`, or a single document of the
older form. Everything that is wrong in all of the files is found at once, each problem with its
file, its line and what to write instead.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from statefun.errors import ConfigurationError
from statefun.modulefiles.components import (
    Component,
    is_older_form,
    older_form_unknown_keys,
    read_older_form,
)
from statefun.modulefiles.dialects import DEFAULT_DIALECT, DIALECTS, Dialect, ParseContext
from statefun.modulefiles.kinds import KINDS, PLAYGROUND_KINDS, EndpointSpec, Kind
from statefun.modulefiles.validation import validate
from statefun.modulefiles.yaml import Document, Problem, read_documents, unknown_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from statefun.modulefiles.fields import Spec
    from statefun.modulefiles.kinds import Role

__all__ = ["Module", "ModuleReport", "load_modules", "read_modules"]

logger = logging.getLogger("statefun.runtime")

_COMPONENT_KEYS: Final = ("kind", "spec")


@dataclass(frozen=True, slots=True)
class Module:
    """What module files say, all of them together.

    Attributes:
        components: Every component that is right, in the order of the files: its kind and spec.
        dialect: How they are understood.
        kinds: The kinds there are.
    """

    components: tuple[tuple[str, Spec], ...] = ()
    dialect: Dialect = DIALECTS[DEFAULT_DIALECT]
    kinds: Mapping[str, Kind] = field(default_factory=lambda: KINDS)

    @property
    def endpoints(self) -> tuple[EndpointSpec, ...]:
        """Where functions are."""
        return tuple(spec for _, spec in self.components if isinstance(spec, EndpointSpec))

    @property
    def ingresses(self) -> tuple[tuple[str, Spec], ...]:
        """The ingresses, each with its kind."""
        return self._of("ingress")

    @property
    def egresses(self) -> tuple[tuple[str, Spec], ...]:
        """The egresses, each with its kind."""
        return self._of("egress")

    def _of(self, role: Role) -> tuple[tuple[str, Spec], ...]:
        return tuple(each for each in self.components if self.kinds[each[0]].role == role)


@dataclass(frozen=True, slots=True)
class ModuleReport:
    """The module that files make, and their problems.

    Attributes:
        module: What is right in them.
        errors: What is wrong, ordered by file and line.
        warnings: What has no effect, or can hardly be meant, likewise.
    """

    module: Module
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def load_modules(
    paths: Iterable[str],
    *,
    strict: bool = False,
    dialect: str = DEFAULT_DIALECT,
    connectors: Mapping[str, Kind] = PLAYGROUND_KINDS,
) -> Module:
    """Read module files for the embedded runtime, and log their warnings.

    Args:
        paths: The files; together they are one module.
        strict: Whether an unknown key is an error, not a warning.
        dialect: One of `DIALECTS`.
        connectors: The kinds that the embedded runtime can run, besides endpoints.

    Raises:
        ConfigurationError: If anything is wrong; one line a problem.
    """
    reading = read_modules(
        paths, strict=strict, dialect=dialect, runs_here=True, connectors=connectors
    )
    for warning in reading.warnings:
        logger.warning("%s", warning)
    if reading.errors:
        raise ConfigurationError(
            "\n".join(map(str, reading.errors)), problems=tuple(reading.errors)
        )
    return reading.module


def read_modules(
    paths: Iterable[str],
    *,
    strict: bool = False,
    dialect: str = DEFAULT_DIALECT,
    runs_here: bool | None = None,
    connectors: Mapping[str, Kind] = PLAYGROUND_KINDS,
) -> ModuleReport:
    """Read module files and find everything that is wrong in them.

    Args:
        paths: The files; together they are one module.
        strict: Whether an unknown key is an error, not a warning.
        dialect: One of `DIALECTS`.
        runs_here: Whether the embedded runtime is to run them; if not, they must be whole enough
            for a cluster. None to decide by the dialect.
        connectors: The kinds that the embedded runtime can run, besides endpoints; they may be new.
    """
    chosen = DIALECTS[dialect]
    if runs_here is None:
        runs_here = chosen.is_embedded
    names = tuple(paths)
    reader = _Reader(ParseContext(chosen, runs_here), connectors, strict=strict)
    for path in names:
        documents, problems = read_documents(path)
        reader.errors += problems
        if not documents and not problems:
            reader.warnings.append(Problem(path, 0, "is empty: no component stands in it"))
        reader.read(documents)
    module = Module(tuple(reader.components), chosen, reader.kinds)
    if not (runs_here or reader.errors):
        reader.errors += _missing(module, ", ".join(names))
    return ModuleReport(module, tuple(sorted(reader.errors)), tuple(sorted(reader.warnings)))


def _missing(module: Module, names: str) -> list[Problem]:
    """What a cluster refuses to start without."""
    needed = (
        (module.ingresses, "ingress", "io.statefun.kafka.v1/ingress"),
        (module.endpoints, "endpoint", "io.statefun.endpoints.v2/http"),
    )
    return [
        Problem(names, 0, f"has no {noun}: add a component, for example of the kind {example!r}")
        for found, noun, example in needed
        if not found
    ]


class _Reader:
    """Collects components and problems, file by file."""

    def __init__(
        self, reading: ParseContext, connectors: Mapping[str, Kind], *, strict: bool
    ) -> None:
        self.kinds = {**KINDS, **connectors}
        self.components: list[tuple[str, Spec]] = []
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []
        self._reading = reading
        self._unknown_keys = self.errors if strict else self.warnings
        self._taken: dict[str, Problem] = {}
        self._kinds = tuple(
            kind for kind in self.kinds if kind in reading.dialect.kinds or _is_everywhere(kind)
        )
        endpoints = (name for name, kind in KINDS.items() if kind.role == "endpoint")
        self._kinds_here = (*endpoints, *connectors)

    def read(self, documents: list[Document]) -> None:
        """Read the documents of one file."""
        if is_older_form(documents):
            components, problems = read_older_form(documents)
            self.errors += problems
            self._unknown_keys += older_form_unknown_keys(documents)
        else:
            found = [self._component(document) for document in documents]
            components = [each for each in found if each is not None]
        for component in components:
            self._read_component(component)

    def _component(self, document: Document) -> Component | None:
        """The component of a document of the current form."""
        content = document.value
        if not (isinstance(content, dict) and isinstance(content.get("kind"), str)):
            text = f"a component needs a 'kind': write one of {_list(self._proposed_kinds)}"
            self.errors.append(document.problem(("kind",), text))
            return None
        kind, spec = content["kind"], content.get("spec")
        if not isinstance(spec, dict):
            refusal = self._refusal(kind)
            text = refusal or "the component has no 'spec': write it as a mapping below 'kind'"
            self.errors.append(document.problem(("kind",), text))
            return None
        for key in content.keys() - _COMPONENT_KEYS:
            text = unknown_key(str(key), _COMPONENT_KEYS)
            self._unknown_keys.append(document.problem((key,), text))
        return Component(document, kind, ("kind",), spec, ("spec",))

    def _read_component(self, component: Component) -> None:
        kind = component.kind.rstrip("/")
        refusal = self._refusal(component.kind)
        if refusal:
            self.errors.append(component.document.problem(component.kind_path, refusal))
        if kind not in self._kinds:
            return
        if kind in PLAYGROUND_KINDS and not self._reading.runs_here:
            text = f"{kind!r} exists in the image of the playground only: other clusters refuse it"
            self.warnings.append(component.document.problem(component.kind_path, text))
            fixed = self.kinds[kind].spec.model_fields["id"].default
            if component.id_path is None and component.spec.get("id", fixed) != fixed:
                text = f"'id' has no effect on a cluster: the id is always {fixed!r} there"
                self._unknown_keys.append(component.problem(("id",), f"{text}, use that one"))
        result = validate(component, self.kinds[kind].spec, self._reading)
        self.errors += result.errors
        self._unknown_keys += result.unknown_keys
        self.warnings += result.warnings
        if result.spec is not None and self._is_first(component, kind, result.spec):
            self.components.append((kind, result.spec))

    @property
    def _proposed_kinds(self) -> tuple[str, ...]:
        return self._kinds_here if self._reading.runs_here else self._kinds

    def _refusal(self, written: str) -> str:
        """Why a kind cannot be used; empty if it can."""
        kind = written.rstrip("/")
        proposed = _list(self._proposed_kinds)
        if kind not in self.kinds:
            close = get_close_matches(kind, self._kinds, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            return f"unknown kind {written!r}: {hint}known kinds: {proposed}"
        if kind not in self._kinds:
            return (
                f"the dialect {self._reading.dialect.name} has no {kind!r}: use one of {proposed}"
            )
        if self._reading.runs_here and kind not in self._kinds_here:
            like = tuple(
                each for each in self._kinds_here if each.endswith(kind.rpartition("/")[2])
            )
            instead = f"use {_list(like)}, or " if like else ""
            having = (name for name, each in DIALECTS.items() if kind in each.kinds)
            return (
                f"{kind!r} is not available in the embedded runtime yet: {instead}run this file on "
                f"a cluster, and check it with --dialect {next(having, 'apache')}"
            )
        return ""

    def _is_first(self, component: Component, kind: str, spec: Any) -> bool:
        """Whether nothing read before takes the same functions, id or port."""
        claims: list[tuple[str, str]] = []
        role = self.kinds[kind].role
        if role == "endpoint":
            claims.append(("functions", f"functions {spec.functions!r} have an endpoint"))
        elif role in ("ingress", "egress") and hasattr(spec, "id"):
            claims.append(("id", f"there is an {role} {spec.id!r}"))
        if getattr(spec, "port", 0):
            claims.append(("port", f"port {spec.port} is in use"))
        is_first = True
        for key, claim in claims:
            here = component.problem((key,), claim)
            before = self._taken.setdefault(claim, here)
            if before is not here:
                is_first = False
                where = f"{before.file}:{before.line}"
                text = f"{claim} already, see {where}: remove or change one of them"
                self.errors.append(component.problem((key,), text))
        return is_first


def _is_everywhere(kind: str) -> bool:
    """Whether every dialect has a kind."""
    return not any(kind in each.kinds for each in DIALECTS.values())


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
