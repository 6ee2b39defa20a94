"""Administration: edits of a data directory, while its runtime runs or not."""
