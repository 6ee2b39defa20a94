"""Components: what the documents of a module file consist of, in the current and the older form.

The current form is a document of `kind` and `spec` for each component. The older form is a single
document of `version` and `module`, in which every component stands in a list of its sort.

Source:
    `RemoteModule` and `LegacyRemoteModuleV30` of Flink Stateful Functions 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from statefun.modulefiles.yaml import Document, KeyPath, Problem, unknown_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Component", "is_older_form", "older_form_unknown_keys", "read_older_form"]

_SORTS: Final = {"endpoints": "endpoint", "ingresses": "ingress", "egresses": "egress"}
_KEYS: Final[dict[KeyPath, tuple[str, ...]]] = {
    (): ("version", "module"),
    ("module",): ("meta", "spec"),
    ("module", "meta"): ("type",),
    ("module", "spec"): tuple(_SORTS),
}
for _sort, _noun in _SORTS.items():
    _entry: KeyPath = ("module", "spec", _sort, 0)
    _KEYS[_entry] = (_noun,)
    _KEYS[*_entry, _noun] = ("meta", "spec")
    _KEYS[*_entry, _noun, "meta"] = ("kind",) if _noun == "endpoint" else ("type", "id")
_KINDS: Final = {
    "http": "io.statefun.endpoints.v1/http",
    "io.statefun.kafka/ingress": "io.statefun.kafka.v1/ingress",
    "io.statefun.kafka/egress": "io.statefun.kafka.v1/egress",
    "io.statefun.kinesis/ingress": "io.statefun.kinesis.v1/ingress",
    "io.statefun.kinesis/egress": "io.statefun.kinesis.v1/egress",
}
_VERSIONS: Final = {
    "1.0": "is too old: write \"version: '3.0'\"",
    "2.0": "is too old: write \"version: '3.0'\"",
    "3.1": "is refused by the engine too: write \"version: '3.0'\"",
}


@dataclass(frozen=True, slots=True)
class Component:
    """A component, and where it stands.

    Attributes:
        document: The document that it is in.
        kind: Its kind, as it is written; in the older form, as the current form would write it.
        kind_path: Where the kind stands.
        spec: What it says, a mapping.
        spec_path: Where that stands.
        id_path: Where its id stands, if that is somewhere else.
    """

    document: Document
    kind: str
    kind_path: KeyPath
    spec: dict[str, Any]
    spec_path: KeyPath
    id_path: KeyPath | None = None

    def problem(self, path: KeyPath, text: str) -> Problem:
        """A problem with what stands at `path` of the spec."""
        if path[:1] == ("id",) and self.id_path is not None:
            return self.document.problem(self.id_path, text)
        return self.document.problem((*self.spec_path, *path), text)


def is_older_form(documents: Sequence[Document]) -> bool:
    """Whether a file is of the older form, or was meant to be."""
    return any(
        isinstance(each.value, dict) and "version" in each.value and "kind" not in each.value
        for each in documents
    )


def read_older_form(documents: Sequence[Document]) -> tuple[list[Component], list[Problem]]:
    """The components of a file of the older form, and what is wrong around them.

    Args:
        documents: All documents of the file.
    """
    if len(documents) > 1:
        text = (
            "a document with 'version' must be the only one of its file: move it into another "
            "file, or write one document with 'kind' and 'spec' for each component"
        )
        return [], [each.problem(("version",), text) for each in documents if is_older_form([each])]
    [document] = documents
    problems = list(_head_problems(document))
    if problems:
        return [], problems
    components: list[Component] = []
    spec = document.value["module"]["spec"]
    for sort, noun in _SORTS.items():
        entries = spec.get(sort)
        if entries is None:
            continue
        path: KeyPath = ("module", "spec", sort)
        if not isinstance(entries, list):
            text = f"'{sort}' must be a list: write '- {noun}: {{meta: …, spec: …}}' below it"
            problems.append(document.problem(path, text))
            continue
        for position, entry in enumerate(entries):
            found = _read_entry(document, (*path, position), noun, entry)
            if isinstance(found, Problem):
                problems.append(found)
            else:
                components.append(found)
    return components, problems


def older_form_unknown_keys(documents: Sequence[Document]) -> Iterator[Problem]:
    """Keys around the components of the older form that nobody reads."""
    for document in documents if len(documents) == 1 else ():
        for path in document.lines:
            place = tuple(0 if isinstance(step, int) else step for step in path[:-1])
            known = _KEYS.get(place)
            if path and known and path[-1] not in known:
                yield document.problem(path, unknown_key(str(path[-1]), known))


def _head_problems(document: Document) -> Iterator[Problem]:
    content = document.value
    version = content["version"]
    if not isinstance(version, str):
        text = f"'version' must be text, got {version!r}: write \"version: '{version}'\""
        yield document.problem(("version",), text)
    elif version != "3.0":
        what = _VERSIONS.get(version, "is unknown: write \"version: '3.0'\"")
        yield document.problem(("version",), f"'version' {version!r} {what}")
    module = content.get("module")
    if not isinstance(module, dict):
        text = "'module' is missing: write it as a mapping of 'meta' and 'spec'"
        yield document.problem(("module",), text)
        return
    meta = module.get("meta")
    if not isinstance(meta, dict) or str(meta.get("type")).lower() != "remote":
        text = "the module is not of the type 'remote': write 'meta: {type: remote}' into 'module'"
        yield document.problem(("module", "meta", "type"), text)
    if not isinstance(module.get("spec"), dict):
        text = "'module.spec' is missing: write 'endpoints', 'ingresses' and 'egresses' into it"
        yield document.problem(("module", "spec"), text)


def _read_entry(document: Document, path: KeyPath, noun: str, entry: Any) -> Component | Problem:
    """One element of a list; its kind is `meta.kind` for an endpoint, and `meta.type` else."""
    key = "kind" if noun == "endpoint" else "type"
    inner = entry.get(noun) if isinstance(entry, dict) else None
    if not isinstance(inner, dict):
        text = f"an element must be of the form '{noun}: {{meta: …, spec: …}}'"
        return document.problem(path, text)
    path = (*path, noun)
    meta, spec = inner.get("meta"), inner.get("spec")
    written = meta.get(key) if isinstance(meta, dict) else None
    if not isinstance(written, str):
        example = "http" if noun == "endpoint" else f"io.statefun.kafka/{noun}"
        text = f"the {noun} needs 'meta.{key}': write for example 'meta: {{{key}: {example}}}'"
        return document.problem((*path, "meta", key), text)
    if not isinstance(spec, dict):
        text = f"the {noun} has no 'spec': write it as a mapping beside 'meta'"
        return document.problem((*path, "spec"), text)
    id_path: KeyPath | None = None
    if isinstance(meta, dict) and noun != "endpoint" and "id" in meta:
        spec, id_path = {**spec, "id": meta["id"]}, (*path, "meta", "id")
    kind = _KINDS.get(written.rstrip("/"), written)
    return Component(document, kind, (*path, "meta", key), spec, (*path, "spec"), id_path)
