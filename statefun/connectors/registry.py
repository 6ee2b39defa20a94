"""Connectors by kind: what a package adds so that module files can name its ingress or egress.

Law: a kind is one entry, a `Connector`. A package adds its own as an entry point of the group
`statefun.connectors`: the name is the kind, the value a `Connector`.

    [project.entry-points."statefun.connectors"]
    "com.example.v1/ingress" = "example.connector:INGRESS"
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, Literal

from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from statefun.http import Access
    from statefun.ports import Egress, Ingress
    from statefun.sdk.functions import StatefulFunctions

__all__ = ["GROUP", "Connector", "Surroundings", "installed_connectors"]

GROUP: Final = "statefun.connectors"
"""The group of entry points."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a connector is told besides its spec.

    Attributes:
        host: Where everything listens that listens.
        access: Who may reach it; None for whoever is on this machine.
        dialect: The name of the engine that the module files were written for.
        data: The data directory of the runtime; None if nothing survives the process.
        names: Names of hosts in addresses, with or without a port → what to use instead.
        functions: The functions of this process.
    """

    host: str = "127.0.0.1"
    access: Access | None = None
    dialect: str = "embedded"
    data: Path | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    functions: Sequence[StatefulFunctions] = ()

    def address(self, address: str) -> str:
        """Give an address, or several with commas between them, with its names replaced."""
        return ",".join(self._replaced(each.strip()) for each in address.split(","))

    def url(self, url: str) -> str:
        """Give a URL with the name of its host replaced."""
        scheme, separator, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme}{separator}{self._replaced(host)}{slash}{path}"

    def _replaced(self, address: str) -> str:
        host, colon, port = address.rpartition(":")
        if address in self.names:
            return self.names[address]
        value = self.names.get(host, host)
        return (
            value if ":" in value.removeprefix("[") and value != host else f"{value}{colon}{port}"
        )


@dataclass(frozen=True, slots=True)
class Connector:
    """A kind of ingress or egress.

    Attributes:
        role: Whether it brings messages in or takes records out.
        spec: A pydantic model, a subclass of `statefun.modulefiles.fields.Spec`: what a module file
            may say. Its field `id`, if it has one, is unique among all of the role.
        make: Makes an ingress or an egress of a spec; see `statefun.ports`. It opens nothing, and
            imports the libraries that it needs.
    """

    role: Literal["ingress", "egress"]
    spec: type[Any]
    make: Callable[[Any, Surroundings], Ingress | Egress]


def installed_connectors() -> Mapping[str, Connector]:
    """The connectors that installed packages add, by kind.

    Raises:
        ConfigurationError: If one cannot be loaded, or is something else.
    """
    found: dict[str, Connector] = {}
    for entry in entry_points(group=GROUP):
        try:
            connector = entry.load()
        except Exception as error:
            raise ConfigurationError(
                f"the connector {entry.name!r} cannot be loaded from {entry.value!r} "
                f"({type(error).__name__}: {error}): repair or remove the package that adds it",
                option=GROUP,
                given=entry.value,
            ) from error
        if not isinstance(connector, Connector):
            raise ConfigurationError(
                f"the connector {entry.name!r} is a {type(connector).__name__}: let "
                f"{entry.value!r} be a statefun.connectors.Connector",
                option=GROUP,
                given=entry.value,
            )
        found[entry.name] = connector
    return found
