"""Rewrite rules: each computes the same with less work, in a file named after it; `catalogue` lists them all."""
