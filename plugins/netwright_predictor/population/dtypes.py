"""Bytes per element of number types, those that share a scale among several elements included."""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from netwright.errors import nearest
from netwright_predictor.population.errors import ParameterError

BITS: dict[str, Fraction] = {
    **dict.fromkeys(("float64", "double", "int64", "long", "uint64"), Fraction(64)),
    **dict.fromkeys(("float32", "float", "fp32", "tf32", "int32", "uint32"), Fraction(32)),
    **dict.fromkeys(("float16", "half", "fp16", "bfloat16", "bf16", "int16", "uint16"), Fraction(16)),
    **dict.fromkeys(("float8", "fp8", "e4m3", "e5m2", "int8", "uint8", "bool"), Fraction(8)),
    **dict.fromkeys(("int4", "uint4", "float4", "fp4", "nf4", "float4_e2m1fn_x2"), Fraction(4)),
    "int6": Fraction(6),
    "int5": Fraction(5),
    "int3": Fraction(3),
    "int2": Fraction(2),
    "int1": Fraction(1),
    "mxfp8": Fraction(8) + Fraction(8, 32),
    "mxfp6": Fraction(6) + Fraction(8, 32),
    "mxfp4": Fraction(4) + Fraction(8, 32),
    "nvfp4": Fraction(4) + Fraction(8, 16),
}
"""Bits per element. The MX formats add a scale of 8 bits per block of 32 (OCP Microscaling Formats specification v1.0,
section 5.2), NVFP4 one of 8 bits per block of 16. Scales of other integer formats depend on their group size: not
counted."""
FLOAT8 = re.compile(r"float8_e\dm\d\w*")


def bytes_per_element(dtype: str) -> Fraction:
    """The size of one element, exactly.

    Args:
        dtype: A name such as "bfloat16", "torch.float8_e4m3fn", "int4", "mxfp4".

    Raises:
        ParameterError: There is no such type; the nearest name is shown.
    """
    name = dtype.lower().removeprefix("torch.")
    if FLOAT8.fullmatch(name):
        return Fraction(1)
    if name not in BITS:
        guess = nearest(name, BITS)
        raise ParameterError(f"no number type named '{dtype}'", remedy=f"did you mean '{guess}'?" if guess else "")
    return BITS[name] / 8


def dtype_bytes(dtype: str) -> int | float:
    """The size of one element: int where it is whole, as for all types of 8 bits and more; raises as above."""
    size = bytes_per_element(dtype)
    return size.numerator if size.denominator == 1 else float(size)


def weight_dtype(quantization: Mapping[str, Any]) -> str | None:
    """The type in which the weights of a `quantization_config` are stored; None where it does not say."""
    method = str(quantization.get("quant_method", "")).lower()
    if method == "bitsandbytes":
        if quantization.get("load_in_8bit"):
            return "int8"
        return str(quantization.get("bnb_4bit_quant_type") or "fp4") if quantization.get("load_in_4bit") else None
    if "fp8" in method:
        return "fp8"
    if method in BITS:
        return method
    bits = quantization.get("bits") or quantization.get("w_bit")
    if bits is None:
        groups = quantization.get("config_groups") or {}
        weights = [group.get("weights") or {} for group in groups.values()]
        kinds = {(each.get("type"), each.get("num_bits")) for each in weights if each.get("num_bits")}
        if len(kinds) != 1:
            return None
        kind, bits = kinds.pop()
        return f"fp{bits}" if kind == "float" else f"int{bits}"
    return f"int{bits}"
