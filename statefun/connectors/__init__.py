"""Connectors: implementations of the ports in `statefun.ports`, a room each."""

from statefun.connectors.registry import Connector, Surroundings

__all__ = ["Connector", "Surroundings"]
