"""The documents of a YAML file, with the line of everything in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

try:
    import yaml
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "module files need PyYAML: pip install 'statefun[runtime]'"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Document", "KeyPath", "Problem", "read_documents", "unknown_key"]

KeyPath: TypeAlias = "tuple[str | int, ...]"
"""Where something stands in a document: keys and positions, from the outside in."""

_MOST_BY_ALIASES: Final = 100_000
"""So many keys and values aliases may stand for, in a document, besides those that are written."""

_MERGE_KEY: Final = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong in a file.

    Attributes:
        file: The file, as it was named.
        line: Where; the first line is 1, and 0 stands for the file as a whole.
        text: What is wrong, and what to write instead.
        key: The key that it is about, with those around it, as in `spec.transport.call`; empty for
            the document or the file as a whole.
    """

    file: str
    line: int
    text: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file.

    Attributes:
        file: The file, as it was named.
        value: What it says: mappings, lists and scalars; None if it is empty.
        lines: Path → the line of the key, or of the element of a list, that stands there.
    """

    file: str
    value: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def problem(self, path: KeyPath, text: str) -> Problem:
        """A problem with what stands at `path`, or would stand there."""
        key = ".".join(map(str, path))
        while path and path not in self.lines:
            path = path[:-1]
        return Problem(self.file, self.lines.get(path, 1), text, key)


def read_documents(path: str) -> tuple[list[Document], list[Problem]]:
    """Read a file of YAML documents.

    Args:
        path: The file.

    Returns:
        Those documents that are YAML, without empty ones; and what is wrong with the others.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        text = f"cannot be read: {error.strerror}; check the path and its permissions"
        return [], [Problem(path, 0, text)]
    except UnicodeError as error:
        return [], [Problem(path, 0, f"is not UTF-8: {error}; save it as UTF-8")]
    documents: list[Document] = []
    problems: list[Problem] = []
    try:
        loader = _Loader(text)
        while loader.check_node():
            _read_document(loader, path, documents, problems)
    except yaml.YAMLError as error:  # the parser cannot go on behind it
        problems.append(_yaml_problem(path, error))
    except (ValueError, OverflowError):  # from making a character, or a number
        text = "is not YAML: an escape names no character, or a number is too long: correct it"
        problems.append(Problem(path, loader.get_mark().line + 1, text))
    except RecursionError:
        problems.append(Problem(path, 0, "is nested too deeply: write it flatter"))
    return documents, problems


def unknown_key(key: str, known: Iterable[str], hint: str | None = None) -> str:
    """What to say of a key that nobody reads.

    Args:
        key: The key.
        known: The keys that are read there.
        hint: What to do instead, if none of those is like it.
    """
    known = list(known)
    close = get_close_matches(key, known, 1)
    advice = f"did you mean {close[0]!r}?" if close else f"{hint or 'it has no effect'};"
    return f"unknown key {key!r}: {advice} known keys: {', '.join(known)}"


class _UnreadableError(Exception):
    """A node is YAML, and of no use."""

    def __init__(self, node: yaml.Node, reason: str) -> None:
        super().__init__(node, reason)
        self.line = node.start_mark.line + 1
        self.reason = reason


class _Loader(yaml.SafeLoader):
    """A loader that says where a scalar is that its tag does not fit."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{node.value!r} is not of the type {kind}; put it into quotes",
                node.start_mark,
            ) from error


def _read_document(
    loader: yaml.SafeLoader, path: str, documents: list[Document], problems: list[Problem]
) -> None:
    node = loader.get_node()
    assert node is not None  # noqa: S101 - the caller has checked that there is one
    try:
        _measure(node, set(), {})
        written = list(_walk(node, (), set()))  # before merging, which changes the node
        _merge(node, set())
        value = loader.construct_document(node)
    except _UnreadableError as error:
        text = f"is not YAML that can be read: {error.reason}"
        problems.append(Problem(path, error.line, text))
        return
    except yaml.constructor.ConstructorError as error:
        problems.append(_yaml_problem(path, error))
        return
    if value is None:
        return
    once: set[KeyPath] = set()
    for where, line in written:
        if where in once:
            text = f"{where[-1]!r} is written twice: keep one of them"
            problems.append(Problem(path, line, text, ".".join(map(str, where))))
        once.add(where)
    lines = {(): node.start_mark.line + 1, **dict(_walk(node, (), set()))}
    documents.append(Document(path, value, lines))


def _measure(node: yaml.Node, above: set[int], sizes: dict[int, int]) -> int:
    """How many nodes a node is, with those in it; an alias counts as what it stands for.

    Args:
        node: The node.
        above: The nodes that it is in.
        sizes: The nodes that have been measured.

    Raises:
        _UnreadableError: If it contains itself, or is too large by its aliases.
    """
    if id(node) in above:
        raise _UnreadableError(node, "what is anchored here contains itself")
    if id(node) not in sizes:
        above.add(id(node))
        inside = [] if isinstance(node, yaml.ScalarNode) else node.value
        size = 1
        for each in inside:
            pair = each if isinstance(node, yaml.MappingNode) else (each,)
            size += sum(_measure(inner, above, sizes) for inner in pair)
        above.remove(id(node))
        sizes[id(node)] = size
        if size > len(sizes) + _MOST_BY_ALIASES:
            text = f"its aliases stand for more than {_MOST_BY_ALIASES:,} parts"
            raise _UnreadableError(node, f"{text}: write it with fewer of them")
    return sizes[id(node)]


def _merge(node: yaml.Node, seen: set[int]) -> None:
    """Replace each merge key (`<<`) by the pairs that it merges, in the node and inside it.

    A key of the mapping itself wins over a merged one. Of several merged mappings the first wins.
    PyYAML would do this too, but its releases disagree about the order: 6.0.4 lets the last win.

    Args:
        node: The node; it is changed.
        seen: The nodes that have been merged.

    Raises:
        ConstructorError: If a value to be merged is not a mapping.

    Source: https://yaml.org/type/merge.html
    """
    if isinstance(node, yaml.ScalarNode) or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for element in node.value:
            _merge(element, seen)
        return
    own: list[tuple[yaml.Node, yaml.Node]] = []
    merged: list[tuple[yaml.Node, yaml.Node]] = []
    for key, value in node.value:
        _merge(key, seen)
        _merge(value, seen)
        if key.tag == _MERGE_KEY:
            for source in reversed(_mappings_to_merge(node, value)):
                merged.extend(source.value)
        else:
            own.append((key, value))
    node.value = merged + own  # the last pair of a key is the one that counts


def _mappings_to_merge(node: yaml.Node, value: yaml.Node) -> list[yaml.MappingNode]:
    sources: list[Any] = value.value if isinstance(value, yaml.SequenceNode) else [value]
    for source in sources:
        if not isinstance(source, yaml.MappingNode):
            expected = "a mapping" if source is not value else "a mapping or list of mappings"
            raise yaml.constructor.ConstructorError(
                "while constructing a mapping",
                node.start_mark,
                f"expected {expected} for merging, but found {source.id}",
                source.start_mark,
            )
    return sources


def _walk(node: yaml.Node, path: KeyPath, seen: set[int]) -> Iterator[tuple[KeyPath, int]]:
    """Each key and each element of a list, with its line.

    What an alias stands for is walked once, where it is anchored.
    """
    if id(node) in seen:
        return
    seen.add(id(node))
    inside: list[tuple[str | int, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        inside = [
            (key.value, key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)
        ]
    elif isinstance(node, yaml.SequenceNode):
        inside = [(position, element, element) for position, element in enumerate(node.value)]
    for step, marked, value in inside:
        yield (*path, step), marked.start_mark.line + 1
        yield from _walk(value, (*path, step), seen)


def _yaml_problem(path: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    return Problem(
        path,
        mark.line + 1 if mark is not None else 0,
        f"is not YAML: {f'{context}, ' if context else ''}{what}",
    )
