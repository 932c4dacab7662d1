"""Heads: how an attention module splits its width, and how far it looks."""

from collections.abc import Iterator, Mapping

from torch import nn

from netwright_predictor.analyzers.analyzer import Site

QUERY = ("q_proj", "query", "q_b_proj", "q", "wq", "q_lin", "query_proj", "Wq", "wq_b")
OUTPUT = ("o_proj", "out_proj", "dense", "o", "wo", "out_lin", "c_proj", "Wo", "output", "output_proj", "linear_out")
HEADS = (
    "num_attention_heads",
    "num_heads",
    "n_head",
    "n_heads",
    "num_q_heads",
    "attention_heads",
    "nheads",
    "n_local_heads",
)


def head_sizes(site: Site) -> Iterator[Mapping[str, int]]:
    """Sizes of an attention's heads that its attributes or its projections tell, best guess first.

    What is missing from a guess is left to the population of parameters. A `value_head_dim` of 0 is the same as
    `head_dim`.
    """
    module = site.module
    wide = _first(module, ("qk_head_dim",)) or _sum(module, ("qk_nope_head_dim", "qk_rope_head_dim"))
    value = _first(module, ("v_head_dim", "value_head_dim", "head_v_dim"))
    if wide and value:
        yield {"head_dim": wide, "value_head_dim": value}
    if value:
        yield {"value_head_dim": value}
    yield {"value_head_dim": 0}
    heads = _first(module, HEADS) or _first_of(site.config, HEADS)
    if heads is None:
        return
    known = {"num_attention_heads": heads}
    shared = _first(module, ("num_key_value_heads", "num_kv_heads", "n_kv_heads")) or heads
    for query in _widths(module, QUERY, output=True):
        for output in _widths(module, OUTPUT, output=False):
            for gated in (1, 2):
                if query % (heads * gated) == 0 and output % heads == 0:
                    dims = {"head_dim": query // heads // gated, "value_head_dim": output // heads}
                    yield {**known, "num_key_value_heads": shared, **dims}
    for output in _widths(module, OUTPUT, output=False):
        if output % heads == 0:
            yield {**known, "num_key_value_heads": shared, "head_dim": output // heads, "value_head_dim": 0}


def windows(site: Site) -> tuple[int, int]:
    """How many keys a query sees by the mask, and how many the cache keeps for it; 0 for all.

    A cache of transformers keeps as many as `layer_types` say, or, where a config has none, as many in all layers as
    its `sliding_window` or chunk holds.
    """
    kind = layer_type(site.module, site.config)
    sliding = _first_of(site.config, ("sliding_window",)) or 0
    chunk = _first_of(site.config, ("attention_chunk_size",)) or 0
    own = _first(site.module, ("sliding_window", "window_size")) or 0
    if kind is None:
        mask = own if "sliding_window" in vars(site.module) else own or sliding
    else:
        configured = own or sliding or _first_of(site.config, ("window_size",)) or 0
        mask = configured if any(word in kind for word in ("sliding", "local")) else 0
    if not site.config.get("layer_types"):
        return mask, sliding or chunk
    if kind is None or "chunk" not in kind:
        return mask, sliding if kind is not None and "sliding" in kind else 0
    return mask, chunk


def layer_type(module: nn.Module, config: Mapping[str, object]) -> str | None:
    """What the configuration or the module itself calls the layer, such as "sliding_attention"."""
    own = getattr(module, "layer_type", getattr(module, "attention_type", None))
    if isinstance(own, str):
        return own
    types, index = config.get("layer_types"), getattr(module, "layer_idx", None)
    if isinstance(types, list | tuple) and isinstance(index, int) and index < len(types):
        return str(types[index])
    return None


def is_causal(site: Site) -> bool:
    """Whether a query sees no later key: decoders' attention to themselves."""
    own = getattr(site.module, "is_causal", None)
    return (
        own if isinstance(own, bool) else not any(word in type(site.module).__name__ for word in ("Cross", "Encoder"))
    )


def _widths(module: nn.Module, names: tuple[str, ...], *, output: bool) -> Iterator[int]:
    for name in names:
        child = module._modules.get(name)
        width = getattr(
            child, "out_features" if output else "in_features", getattr(child, "nf" if output else "nx", None)
        )
        if isinstance(width, int):
            yield width


def _first(module: nn.Module, names: tuple[str, ...]) -> int | None:
    return _first_of({name: getattr(module, name, None) for name in names}, names)


def _first_of(values: Mapping[str, object], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = values.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _sum(module: nn.Module, names: tuple[str, ...]) -> int | None:
    values = [_first(module, (name,)) for name in names]
    return sum(value for value in values if value is not None) if None not in values else None
