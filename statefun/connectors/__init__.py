"""How messages come in and records go out: the ports, and the connectors that implement them."""

from statefun.connectors.ports import Delivery, Egress, Ingress, OutgoingRecord

__all__ = ["Delivery", "Egress", "Ingress", "OutgoingRecord"]
