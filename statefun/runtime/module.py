"""Module files: which endpoints, ingresses and egresses a runtime has.

A file is a stream of YAML documents, each a `kind` and its `spec`. Everything that is wrong in all
of the files is found at once, each problem with its file, its line and what to write instead.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from statefun.errors import ConfigurationError
from statefun.runtime.documents import Document, Problem, read_documents
from statefun.runtime.kinds import (
    ASYNC_TRANSPORT,
    KINDS,
    KINDS_OF_ENGINES,
    OKHTTP_TRANSPORT,
    AsyncTransport,
    EgressSpec,
    EndpointSpec,
    IngressSpec,
    OkHttpTransport,
    Spec,
    Timeouts,
)

try:
    from pydantic import BaseModel, ValidationError
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "module files need pydantic: pip install 'statefun[runtime]'"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

__all__ = ["Module", "ModuleReading", "load_modules", "read_modules"]

logger = logging.getLogger("statefun.runtime")

_EXAMPLES: Final = {
    "functions": "com.example/*",
    "urlPathTemplate": "http://localhost:8000/statefun",
    "port": "8090",
    "topics": "[greetings]",
}
_HINTS: Final = {
    "timeouts": "write it inside 'transport'",
    "transports": "write 'transport'",
    "maxRetries": "the embedded runtime retries by a policy of its own",
}

_NO_MAX_BATCH: Final = (
    "'maxNumBatchRequests' has no effect in the embedded runtime yet: all messages that wait for "
    "an address become one request"
)


@dataclass(frozen=True, slots=True)
class Module:
    """What module files say, all of them together."""

    endpoints: tuple[EndpointSpec, ...] = ()
    ingresses: tuple[IngressSpec, ...] = ()
    egresses: tuple[EgressSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class ModuleReading:
    """What came of reading module files.

    Attributes:
        module: What is right in them.
        errors: What is wrong, ordered by file and line.
        warnings: What has no effect, likewise.
    """

    module: Module
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def load_modules(paths: Iterable[str], *, strict: bool = False) -> Module:
    """Read module files, and log their warnings.

    Args:
        paths: The files; together they are one module.
        strict: Whether an unknown key is an error, not a warning.

    Raises:
        ConfigurationError: If anything is wrong; one line a problem.
    """
    reading = read_modules(paths, strict=strict)
    for warning in reading.warnings:
        logger.warning("%s", warning)
    if reading.errors:
        raise ConfigurationError("\n".join(map(str, reading.errors)))
    return reading.module


def read_modules(paths: Iterable[str], *, strict: bool = False) -> ModuleReading:
    """Read module files and find everything that is wrong in them.

    Args:
        paths: The files; together they are one module.
        strict: Whether an unknown key is an error, not a warning.
    """
    reader = _Reader(strict=strict)
    for path in paths:
        documents, problems = read_documents(path)
        reader.errors += problems
        if not documents and not problems:
            reader.warnings.append(Problem(path, 0, "is empty: no component stands in it"))
        for document in documents:
            reader.read(document)
    specs = reader.specs
    return ModuleReading(
        Module(
            tuple(spec for spec in specs if isinstance(spec, EndpointSpec)),
            tuple(spec for spec in specs if isinstance(spec, IngressSpec)),
            tuple(spec for spec in specs if isinstance(spec, EgressSpec)),
        ),
        tuple(sorted(reader.errors)),
        tuple(sorted(reader.warnings)),
    )


class _Reader:
    """Collects specs and problems, document by document."""

    def __init__(self, *, strict: bool) -> None:
        self.specs: list[Spec] = []
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []
        self._unknown_keys = self.errors if strict else self.warnings
        self._taken: dict[str, Problem] = {}

    def read(self, document: Document) -> None:
        """Read one document, which is one component."""
        model = self._model(document)
        if model is None:
            return
        known = ("kind", "spec")
        for key in document.value.keys() - known:
            self._unknown_keys.append(document.problem((key,), _unknown_key(str(key), known)))
        spec = self._validate(document, model)
        if isinstance(spec, EndpointSpec) and spec.max_batch is not None:
            path = ("spec", "maxNumBatchRequests")
            self.warnings.append(document.problem(path, _NO_MAX_BATCH))
        if spec is not None and self._is_first(document, spec):
            self.specs.append(spec)

    def _model(self, document: Document) -> type[Spec] | None:
        content = document.value
        if isinstance(content, dict) and "kind" not in content and "version" in content:
            problem = (
                "the form with 'version' and 'module' is not supported yet: write one document "
                "with 'kind' and 'spec' for each component"
            )
        elif not (isinstance(content, dict) and isinstance(content.get("kind"), str)):
            problem = f"a component needs a 'kind': write one of {_list(KINDS)}"
        elif content["kind"].rstrip("/") not in KINDS:
            problem = _unknown_kind(content["kind"])
        elif not isinstance(content.get("spec"), dict):
            problem = "the component has no 'spec': write it as a mapping below 'kind'"
        else:
            return KINDS[content["kind"].rstrip("/")]
        self.errors.append(document.problem(("kind",), problem))
        return None

    def _validate(self, document: Document, model: type[Spec]) -> Spec | None:
        spec = document.value["spec"]
        try:
            return model.model_validate(spec)
        except ValidationError as error:
            details = error.errors(include_url=False)
        unknown = [each for each in details if each["type"] == "extra_forbidden"]
        for each in details:
            problems = self._unknown_keys if each in unknown else self.errors
            path = _key_path(each)
            problems.append(document.problem(("spec", *path), _sentence(each, path, model)))
        if len(unknown) < len(details):
            return None
        for each in unknown:
            spec = _without(spec, _key_path(each))
        return model.model_validate(spec)

    def _is_first(self, document: Document, spec: Spec) -> bool:
        """Whether nothing read before takes the same functions, id or port."""
        claims: list[tuple[str, str]] = []
        if isinstance(spec, EndpointSpec):
            claims.append(("functions", f"functions {spec.functions!r} have an endpoint"))
        else:
            direction = "ingress" if isinstance(spec, IngressSpec) else "egress"
            claims.append(("id", f"there is an {direction} {spec.id!r}"))
            if spec.port:
                claims.append(("port", f"port {spec.port} is in use"))
        is_first = True
        for key, claim in claims:
            here = document.problem(("spec", key), claim)
            before = self._taken.setdefault(claim, here)
            if before is not here:
                is_first = False
                where = f"{before.file}:{before.line}"
                text = f"{claim} already, see {where}: remove or change one of them"
                self.errors.append(document.problem(("spec", key), text))
        return is_first


def _key_path(error: ErrorDetails) -> tuple[str | int, ...]:
    """Where an error is; pydantic also names the member of a union."""
    return tuple(step for step in error["loc"] if step not in (ASYNC_TRANSPORT, OKHTTP_TRANSPORT))


def _without(spec: Any, path: tuple[str | int, ...]) -> Any:
    first, *rest = path
    if not rest:
        return {key: value for key, value in spec.items() if key != first}
    return {**spec, first: _without(spec[first], tuple(rest))}


def _sentence(
    error: ErrorDetails,
    path: tuple[str | int, ...],
    model: type[Spec],
) -> str:
    name = ".".join(map(str, path)) or "spec"
    match error["type"]:
        case "extra_forbidden":
            return _unknown_key(str(path[-1]), _known_keys(model, error["loc"][:-1]))
        case "missing":
            example = _EXAMPLES.get(str(path[-1]), "…")
            return f"{name!r} is missing: write for example '{path[-1]}: {example}'"
        case "union_tag_invalid" | "union_tag_not_found":
            return (
                f"{name!r} is of no known type: write 'type: {ASYNC_TRANSPORT}' or "
                f"'type: {OKHTTP_TRANSPORT}' into it"
            )
        case "tuple_type" | "model_type" | "model_attributes_type" as kind:
            shape = "list" if kind == "tuple_type" else "mapping"
            return f"{name!r} should be a {shape}, got {error['input']!r}"
        case "value_error":
            sentence = str(error["ctx"]["error"])
            return sentence if sentence.startswith(name) else f"{name!r}: {sentence}"
        case _:
            what = error["msg"].removeprefix("Input ")
            return f"{name!r} {what}, got {error['input']!r}"


def _known_keys(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys of a spec, or of what stands at `loc` inside it."""
    if loc and loc[-1] == "timeouts":
        model = Timeouts
    elif loc:
        model = OkHttpTransport if OKHTTP_TRANSPORT in loc else AsyncTransport
    return [field.alias or name for name, field in model.model_fields.items()]


def _unknown_key(key: str, known: Iterable[str]) -> str:
    known = list(known)
    close = get_close_matches(key, known, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"{_HINTS.get(key, 'it has no effect')};"
    return f"unknown key {key!r}: {hint} known keys: {', '.join(known)}"


def _unknown_kind(kind: str) -> str:
    if kind.rstrip("/") in KINDS_OF_ENGINES:
        return f"{kind!r} is not supported by the embedded runtime yet: use one of {_list(KINDS)}"
    close = get_close_matches(kind, KINDS, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown kind {kind!r}: {hint}known kinds: {_list(KINDS)}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
