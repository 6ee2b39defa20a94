"""What an egress has to know again after a restart, beside the runtime's own data.

Law: the id is made once and travels with the data directory, so a copy that runs takes over from
the original: the broker lets only one of them write.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EgressIdentity"]


@dataclass
class _Facts:
    id: str
    topic: str = ""


class EgressIdentity:
    """The id of an egress, and the topic in whose first partition its position stands.

    Args:
        egress_id: The typename of the egress.
        directory: The data directory of the runtime; None if nothing survives the process.

    Raises:
        ConfigurationError: If the file is not what was written there.
    """

    def __init__(self, egress_id: str, directory: Path | None) -> None:
        self._path = directory and directory / f"kafka-{egress_id.replace('/', '-')}.json"
        self._facts = _Facts(secrets.token_hex(8))
        if self._path is None:
            return
        try:
            self._facts = _Facts(**json.loads(self._path.read_text()))
        except FileNotFoundError:
            self._write()
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                f"{self._path} cannot be read: {error}. Put a backup in its place; without it "
                "records of the last moments may come twice"
            ) from error

    @property
    def id(self) -> str:
        """Unique among all egresses, the same in every process on the data directory."""
        return self._facts.id

    @property
    def topic(self) -> str:
        """A topic that exists; empty if no transaction was ever committed."""
        return self._facts.topic

    def settle(self, topic: str) -> None:
        """Keep the topic, for good, before the first transaction is committed."""
        self._facts.topic = topic
        self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        with beside.open("w") as file:
            json.dump(asdict(self._facts), file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
