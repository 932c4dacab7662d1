"""Distances to a codebook's entries, counted by hand."""

import torch
from torch import nn

from netwright_predictor.analyzers.codebook import CodebookAnalyzer, codebook_of


def test_every_frame_is_held_against_every_entry() -> None:
    # 2 sounds of 3 frames and 4 codebooks of 10 entries of 8 numbers: 24 frames in all, 240 products of 8.
    parameters = {"batch": 2, "codebooks": 4, "frames": 3, "codebook_size": 10, "codebook_dim": 8, "dtype_bytes": 4}
    analyzer = CodebookAnalyzer()
    assert analyzer.compute_flops(**parameters) == 2 * 240 * 8
    assert analyzer.compute_memory_writes(**parameters) == 240 * 4
    assert analyzer.compute_memory_reads(**parameters) == (24 * 8 + 40 * 8) * 4  # each codebook is read once


def test_a_codebook_is_found_below_a_model() -> None:
    model = nn.Module()
    model.quantizer = nn.Module()
    model.quantizer.codebook = nn.Module()
    assert codebook_of(model) is None
    model.quantizer.codebook.register_buffer("embed", torch.zeros(10, 8))
    found = codebook_of(model)
    assert found is not None
    assert found.shape == (10, 8)
