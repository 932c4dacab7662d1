"""The datasets that the training plugin brings, one per file."""
