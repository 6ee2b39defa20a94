"""State in files: one for each value, in folders that mirror the tree.

`/a/b` is the file `a/b.json` below the base folder, and the root's own value is `.json`. A name
that a file cannot have, or that would be mistaken for another, is percent-encoded. A write goes to
a temporary file that is then renamed, so a file is always whole. No path leads out of the base
folder.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import threading
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from statefun.errors import InvalidPathError, ValueSerializationError
from statefun.reactive.backends.base import (
    MISSING,
    AsyncBackend,
    Backend,
    Forwarding,
    Node,
    Tree,
    apply_each,
    composed,
    failing,
)
from statefun.reactive.paths import join
from statefun.reactive.steps import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.reactive.backends.base import Operation

__all__ = [
    "FileSystemAsyncBackend",
    "FileSystemSyncBackend",
    "Serializer",
    "json_serializer",
]


@dataclass
class Serializer:
    """How values become the content of files.

    Attributes:
        extension: The ending of a file's name, without the dot; may be empty.
        raw_type: What `serialize` gives and `deserialize` takes: `str` (kept as UTF-8) or `bytes`.
        deserialize: Content → value.
        serialize: Value → content.
    """

    extension: str
    raw_type: type[str | bytes]
    deserialize: Callable[[Any], Any]
    serialize: Callable[[Any], Any]

    @property
    def suffix(self) -> str:
        """The ending with its dot; `.txt` or `.bin` if there is no extension."""
        if self.extension:
            return f".{self.extension}"
        return ".txt" if self.raw_type is str else ".bin"

    def encode(self, path: str, value: Any) -> bytes:
        """Turn a value into bytes.

        Raises:
            ValueSerializationError: If the serializer cannot; `__cause__` is its error.
        """
        try:
            content = self.serialize(value)
            return content.encode() if isinstance(content, str) else bytes(content)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueSerializationError(path, "written", reason) from error

    def decode(self, path: str, content: bytes) -> Any:
        """Turn bytes into a value.

        Raises:
            ValueSerializationError: If the serializer cannot; `__cause__` is its error.
        """
        try:
            return self.deserialize(content.decode() if self.raw_type is str else content)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueSerializationError(path, "read", reason) from error


json_serializer = Serializer(
    extension="json", raw_type=str, deserialize=json.loads, serialize=json.dumps
)


# --- names ----------------------------------------------------------------------------------------

_ODD = re.compile(r"[%\x00-\x1f\x7f\ud800-\udfff]")
_TEMPORARY = "%tmp-"  # no encoded name begins like this: the digits after % are missing


def _encoded(name: str) -> str:
    return _ODD.sub(
        lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode(errors="surrogatepass")),
        name,
    )


def _decoded(name: str) -> str:
    if "%" not in name:
        return name
    return unquote_to_bytes(os.fsencode(name)).decode(errors="surrogatepass")


class _Files(Tree):
    """The files of one base folder; each method runs alone."""

    def __init__(self, base_path: Path, serializer: Serializer) -> None:
        self._base = base_path
        self._serializer = serializer
        self._suffix = serializer.suffix
        self._lock = threading.RLock()
        self._numbers = count()

    def get(self, path: str, default: Any) -> Any:
        with self._lock:
            value = self._read(path)
        return default if value is MISSING else value

    def check(self, path: str, value: Any) -> None:
        self._places(path)
        self._serializer.encode(path, value)

    def put(self, path: str, value: Any) -> None:
        file, _ = self._places(path)
        content = self._serializer.encode(path, value)
        with self._lock, failing(path, "written"):
            temporary = file.with_name(f"{_TEMPORARY}{os.getpid()}-{next(self._numbers)}")
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(content)
                temporary.replace(file)
            except BaseException:
                temporary.unlink(missing_ok=True)
                self._prune(file.parent)
                raise

    def remove(self, path: str) -> None:
        file, folder = self._places(path)
        with self._lock, failing(path, "deleted"):
            file.unlink(missing_ok=True)
            for name in self._names(folder):
                self.remove(join(path, name))
            self._prune(folder)
            self._prune(file.parent)

    def node(self, path: str) -> Node:
        file, folder = self._places(path)
        with self._lock:
            value = self._value(path, file)
            names = tuple(name for name in self._names(folder) if self._exists(join(path, name)))
        return Node(value, names, value is not MISSING or bool(names))

    def apply(self, operations: Sequence[Operation]) -> None:
        with self._lock:
            run(apply_each(self, operations))

    def _places(self, path: str) -> tuple[Path, Path]:
        """Give the file of a path's value, and the folder of what is below it."""
        *above, name = names = path[1:].split("/")
        if ".." in names:
            raise InvalidPathError(path, f"'..' would lead out of the folder {str(self._base)!r}")
        if path == "/":
            return self._base / self._suffix, self._base
        folder = self._base.joinpath(*map(self._folder_name, above))
        return folder / (_encoded(name) + self._suffix), folder / self._folder_name(name)

    def _folder_name(self, name: str) -> str:
        """Encode the name of a folder; one that ends like a file would be taken for a file."""
        encoded = _encoded(name)
        if encoded.endswith(self._suffix):
            return f"{encoded.removesuffix(self._suffix)}%2E{self._suffix[1:]}"
        return encoded

    def _read(self, path: str) -> Any:
        file, folder = self._places(path)
        value = self._value(path, file)
        children = {name: self._read(join(path, name)) for name in self._names(folder)}
        return composed(value, {n: each for n, each in children.items() if each is not MISSING})

    def _value(self, path: str, file: Path) -> Any:
        with failing(path, "read"):
            try:
                content = file.read_bytes()
            except OSError as error:
                if _means_absence(error):
                    return MISSING
                raise
        return self._serializer.decode(path, content)

    def _names(self, folder: Path) -> list[str]:
        """Give the names of the children in a folder, in their own order; ignore foreign files."""
        names = set()
        with failing(str(folder), "listed"):
            try:
                entries = list(os.scandir(folder))
            except OSError as error:
                if _means_absence(error):
                    return []
                raise
        for entry in entries:
            if entry.is_dir():
                names.add(_decoded(entry.name))
            elif entry.name.endswith(self._suffix) and entry.name != self._suffix:
                names.add(_decoded(entry.name.removesuffix(self._suffix)))
        return sorted(names)

    def _exists(self, path: str) -> bool:
        file, folder = self._places(path)
        return file.is_file() or any(self._exists(join(path, name)) for name in self._names(folder))

    def _prune(self, folder: Path) -> None:
        """Remove emptied folders upwards, up to the base, which stays."""
        while folder != self._base and folder.is_relative_to(self._base):
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass  # never made
            except OSError:
                return  # something is in it
            folder = folder.parent


def _means_absence(error: OSError) -> bool:
    """Whether there is no such file, and perhaps cannot be one."""
    return error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}


# --- backends -------------------------------------------------------------------------------------


class _FileSystem(Forwarding):
    """A backend of files, sync or async."""

    def __init__(
        self, base_path: str | os.PathLike[str], serializer: Serializer = json_serializer
    ) -> None:
        self.base_path = Path(base_path).absolute()
        self.serializer = serializer
        super().__init__(_Files(self.base_path, serializer))


class FileSystemSyncBackend(_FileSystem, Backend):
    """State in files below a folder, which is made with the first write.

    Safe to use from several threads. Other processes may read the files; none may write them while
    this one does.

    Args:
        base_path: The folder.
        serializer: How values become content; JSON by default. What JSON does not know comes back
            changed: tuples as lists, keys that are numbers as text.
    """

    def _forward(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)


class FileSystemAsyncBackend(_FileSystem, AsyncBackend):
    """The same for `ControllerAsync`; files are touched in threads, off the event loop.

    Args:
        base_path: The folder.
        serializer: How values become content; JSON by default.
    """

    async def _forward(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method in a thread, or here when the process is exiting and none can start."""
        loop = asyncio.get_running_loop()
        try:
            future = loop.run_in_executor(None, function, *arguments)
        except RuntimeError:
            return function(*arguments)
        return await future
