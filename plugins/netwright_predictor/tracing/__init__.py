"""Tracing: a model's forward on fake tensors at a few small sizes, and what that tells of every size."""
