"""The connectors of the embedded runtime: which kinds of module files run here, and as what.

Law: a kind is one entry of `CONNECTORS`, or an entry point of an installed package. A connector's
library is imported when one is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from statefun.connectors.http import HttpEgress, HttpIngress
from statefun.connectors.registry import Connector, Surroundings, installed_connectors
from statefun.errors import ConfigurationError
from statefun.modulefiles.durable import INVOCATIONS, InvocationIngressSpec
from statefun.modulefiles.kinds import EgressSpec, IngressSpec, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONNECTORS", "connectors", "kinds_of"]


def _http_ingress(spec: IngressSpec, around: Surroundings) -> HttpIngress:
    return HttpIngress(spec.port, around.host, access=around.access)


def _http_egress(spec: EgressSpec, around: Surroundings) -> HttpEgress:
    return HttpEgress(spec.port, spec.topics, around.host, spec.id, access=around.access)


CONNECTORS: Final[Mapping[str, Connector]] = {
    "io.statefun.playground.v1/ingress": Connector("ingress", IngressSpec, _http_ingress),
    "io.statefun.playground.v1/egress": Connector("egress", EgressSpec, _http_egress),
}


def connectors() -> Mapping[str, Connector]:
    """All connectors by kind: those of this package, and those that installed packages add.

    Raises:
        ConfigurationError: If a package adds something else, or a kind that exists.
    """
    installed = installed_connectors()
    for kind in installed.keys() & CONNECTORS.keys():
        raise ConfigurationError(
            f"an installed package adds the connector {kind!r}, which exists: remove that package"
        )
    return {**CONNECTORS, **installed}


def kinds_of(known: Mapping[str, Connector]) -> Mapping[str, Kind]:
    """The kinds that run here, for whoever reads module files.

    The ingress of invocations is no connector: it is made of the apps, by `assembly`.
    """
    kinds = {kind: Kind(each.role, each.spec) for kind, each in known.items()}
    return {**kinds, INVOCATIONS: Kind("ingress", InvocationIngressSpec)}
