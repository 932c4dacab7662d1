"""A netwright plugin to copy from; importing it imports no torch."""
