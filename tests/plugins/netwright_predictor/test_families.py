"""Families: every type of the installed transformers has one."""

import pytest

from netwright_predictor.families import FAMILIES, families_of_types


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("llama", "causal_lm"),
        ("mamba", "causal_lm"),
        ("t5", "encoder_decoder"),
        ("wav2vec2", "speech"),
        ("clip", "multimodal"),
        ("vit", "vision"),
        ("albert", "encoder"),
        ("autoformer", "other"),
        ("clip_vision_model", "vision"),
    ],
)
def test_well_known_types(name: str, family: str) -> None:
    assert families_of_types()[name] == family


def test_no_type_is_left_out() -> None:
    from transformers import CONFIG_MAPPING

    found = families_of_types()
    assert set(found) >= set(CONFIG_MAPPING.keys())
    assert set(found.values()) <= set(FAMILIES)
