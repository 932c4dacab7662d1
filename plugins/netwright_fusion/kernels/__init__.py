"""Triton kernels written from templates: which nodes one kernel can stand for, and its readable source."""
