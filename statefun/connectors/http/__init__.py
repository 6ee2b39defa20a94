"""The ingress and the egress of the Flink StateFun playground: messages and records over HTTP."""

from statefun.connectors.http.egress import PLAYGROUND_EGRESS, HttpEgress
from statefun.connectors.http.ingress import HttpIngress

__all__ = ["PLAYGROUND_EGRESS", "HttpEgress", "HttpIngress"]
