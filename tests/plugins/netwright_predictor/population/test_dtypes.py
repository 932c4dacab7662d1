"""Sizes of number types."""

from fractions import Fraction
from typing import Any

import pytest
import torch

from netwright_predictor.population import ParameterError, bytes_per_element, dtype_bytes, weight_dtype

PLAIN = (
    "float64 float32 float16 bfloat16 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e8m0fnu int64 int32 int16 int8 "
    "uint8 bool"
)


@pytest.mark.parametrize("name", PLAIN.split())
def test_pytorchs_own_types(name: str) -> None:
    dtype: torch.dtype = getattr(torch, name)
    assert dtype_bytes(name) == dtype_bytes(str(dtype)) == dtype.itemsize
    assert type(dtype_bytes(name)) is int


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("int4", Fraction(4)),
        ("nf4", Fraction(4)),
        ("mxfp4", Fraction(32 * 4 + 8, 32)),  # a block of 32 elements and its scale
        ("mxfp8", Fraction(32 * 8 + 8, 32)),
        ("nvfp4", Fraction(16 * 4 + 8, 16)),
    ],
)
def test_types_of_fractions_of_bytes(name: str, bits: Fraction) -> None:
    assert bytes_per_element(name) == bits / 8
    assert dtype_bytes(name) == float(bits) / 8


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ParameterError, match="no number type named 'int5x'; did you mean 'int5'"):
        dtype_bytes("int5x")


@pytest.mark.parametrize(
    ("quantization", "dtype"),
    [
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "fbgemm_fp8"}, "fp8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "gptq", "bits": 4}, "int4"),
        ({"quant_method": "awq", "w_bit": 4}, "int4"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "nf4"),
        ({"quant_method": "bitsandbytes"}, None),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"type": "float", "num_bits": 8}}},
            },
            "fp8",
        ),
        ({"quant_method": "something"}, None),
    ],
)
def test_the_type_of_quantized_weights(quantization: dict[str, Any], dtype: str | None) -> None:
    assert weight_dtype(quantization) == dtype
