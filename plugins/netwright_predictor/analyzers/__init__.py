"""Analyzers: what one call of a module costs, as functions of integers."""
