"""Unix domain sockets: a path to listen on."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from statefun.errors import ConfigurationError

__all__ = ["UnixPath"]

_NOT_BOUND: Final = -1


class UnixPath:
    """A path at which one process listens, for this user alone.

    Args:
        path: Where the socket is made.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._inode = _NOT_BOUND

    def bind(self) -> socket.socket:
        """A socket at the path, in place of one that nobody listens on.

        Raises:
            ConfigurationError: If somebody does, or the path cannot be used.
        """
        listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)  # whoever may write to it may connect
        try:
            if self._is_abandoned():
                Path(self.path).unlink()
            listener.bind(self.path)
            self._inode = Path(self.path).stat().st_ino
        except OSError as error:
            listener.close()
            raise ConfigurationError(
                f"cannot listen on {self.path}: {error.strerror or error}; stop what uses the "
                "path, or choose another one",
                option="path",
                given=self.path,
            ) from error
        finally:
            os.umask(before)
        return listener

    def remove(self) -> None:
        """Remove the path, unless another process has put its own socket there."""
        with suppress(FileNotFoundError):
            if Path(self.path).stat().st_ino == self._inode:
                Path(self.path).unlink()
        self._inode = _NOT_BOUND

    def _is_abandoned(self) -> bool:
        """Whether there is a socket that nobody listens on."""
        try:
            if not stat.S_ISSOCK(Path(self.path).stat().st_mode):
                return False
        except FileNotFoundError:
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(self.path)
            except ConnectionRefusedError:
                return True
        return False
