"""How messages come in and egress records go out: the ports, and the connectors that fit them."""
