"""Names: what the configs of different models call the same quantity."""

from collections.abc import Mapping
from functools import cache

ALIASES: dict[str, tuple[str, ...]] = {
    "hidden_size": ("n_embd", "d_model", "dim", "emb_dim", "hidden_dim", "embed_dim", "n_embed", "model_dim"),
    "intermediate_size": ("n_inner", "d_ff", "ffn_dim", "ffn_hidden_size", "inner_dim", "mlp_dim"),
    "num_attention_heads": ("n_head", "num_heads", "n_heads", "attention_heads", "num_encoder_attention_heads"),
    "num_key_value_heads": (
        "num_kv_heads",
        "n_kv_heads",
        "n_head_kv",
        "kv_n_heads",
        "multi_query_group_num",
        "num_attention_groups",
    ),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers", "depth", "layers", "num_encoder_blocks"),
    "head_dim": ("d_kv", "kv_channels", "attention_head_dim"),
    "max_position_embeddings": (
        "n_positions",
        "n_ctx",
        "max_seq_len",
        "max_sequence_length",
        "model_max_length",
        "context_length",
        "seq_length",
        "max_target_positions",
    ),
    "vocab_size": ("padded_vocab_size", "n_token", "n_words", "tgt_vocab_size"),
    "rms_norm_eps": ("norm_eps",),
    "num_experts": ("num_local_experts", "n_routed_experts", "moe_num_experts", "num_routed_experts"),
    "num_local_experts": ("num_experts", "n_routed_experts", "moe_num_experts", "num_routed_experts"),
    "n_routed_experts": ("num_experts", "num_local_experts", "moe_num_experts", "num_routed_experts"),
    "num_experts_per_tok": ("num_experts_per_token", "moe_top_k", "moe_topk", "moe_k", "top_k_experts"),
    "moe_intermediate_size": ("expert_ffn_hidden_size",),
    "n_shared_experts": ("num_shared_experts",),
    "sliding_window": ("sliding_window_size", "attention_window_size"),
    "hidden_act": ("activation_function", "hidden_activation", "activation"),
    "layer_types": ("layers_block_type",),
}
"""Per name that transformers' newer models use, other keys for the same."""

ROLE_KEYS: dict[str, tuple[str, ...]] = {
    "num_attention_heads": ("{}_attention_heads", "{}_num_attention_heads"),
    "num_key_value_heads": ("{}_num_key_value_heads",),
    "num_hidden_layers": ("{}_layers", "{}_num_hidden_layers", "num_{}_layers"),
    "intermediate_size": ("{}_ffn_dim", "{}_intermediate_size"),
    "hidden_size": ("{}_hidden_size", "{}_hidden_dim"),
}
"""Keys of models with two halves in one config; {} stands for encoder or decoder."""
ROLES = ("encoder", "decoder")

INSTANCE_ALIASES: dict[str, tuple[str, ...]] = {
    "hidden_size": ("embed_dim", "d_model"),
    "intermediate_size": ("ffn_dim", "d_ff", "expert_dim", "intermediate_dim"),
    "num_attention_heads": ("num_heads", "n_heads", "n_head"),
    "num_key_value_heads": ("num_kv_heads", "n_kv_heads"),
    "head_dim": ("attention_head_size", "head_size", "key_value_proj_dim"),
    "num_experts": ("num_local_experts", "n_routed_experts"),
}
"""Per name, the attributes by which modules call the same of their own. Fewer than above, for names such as `dim` mean
another thing in every module."""

SIZES = frozenset(
    {
        "B",
        "S",
        "hidden_size",
        "intermediate_size",
        "num_attention_heads",
        "num_key_value_heads",
        "num_hidden_layers",
        "head_dim",
        "max_position_embeddings",
        "vocab_size",
        "in_features",
        "out_features",
        "num_embeddings",
        "embedding_dim",
        "dtype_bytes",
        "weight_dtype_bytes",
    }
)
"""Parameters that are never zero or negative."""


@cache
def attribute_map(model_type: str) -> Mapping[str, str]:
    """The names that the installed transformers gives the keys of a model type: standard name to key.

    Empty where transformers is not installed or does not know the type.
    """
    try:
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING

        names: Mapping[str, str] = CONFIG_MAPPING[model_type].attribute_map
    except (ImportError, KeyError, AttributeError):
        return {}
    return names
