"""Module files: YAML documents in, plain options out; nothing here runs anything."""
