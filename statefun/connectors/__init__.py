"""Connectors: implementations of the ports in `statefun.ports`, a module each."""
