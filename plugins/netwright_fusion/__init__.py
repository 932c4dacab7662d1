"""Fusion: graph rewrites and Triton kernels that make a module faster, each verified and measured."""
