"""Files of JSON lines as ingresses and egresses, for development."""

from statefun.connectors.files.egress import FileEgress
from statefun.connectors.files.ingress import FileIngress

__all__ = ["FileEgress", "FileIngress"]
