"""Totals: what a whole model costs, from what its modules cost; one concept per file, integers wherever possible."""
