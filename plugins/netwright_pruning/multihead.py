"""Multi-head attention of PyTorch's own, made able to lose heads: its width need not be that of the stream."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PrunedMultiheadAttention(nn.MultiheadAttention):
    """Computes what `nn.MultiheadAttention` does, from whatever widths its weights have.

    The original insists on `num_heads * head_dim == embed_dim`. An instance is made of one by changing its class, so
    that all names of weights stay.

    Attributes:
        scale: What scores are multiplied by, as before any pruning.
    """

    scale: float

    @property
    def _qkv_same_embed_dim(self) -> bool:
        """Always false, which keeps `nn.TransformerEncoderLayer` off the kernel that insists on the original widths."""
        return False

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,  # noqa: ARG002 - the mask that has to come with it says it all
    ) -> tuple[Tensor, Tensor | None]:
        """As `nn.MultiheadAttention.forward`."""
        batched = query.dim() == 3
        q, k, v = self._project(query, key, value)
        if not batched:
            q, k, v = q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0)
        elif not self.batch_first:
            q, k, v = q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1)
        q, k, v = (self._by_head(x) for x in (q, k, v))
        mask = self._mask(q, k, key_padding_mask, attn_mask)
        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            scores = (q * self.scale) @ k.transpose(-2, -1)
            weights = (scores if mask is None else scores + mask).softmax(-1)
            mixed = F.dropout(weights, dropout) @ v
            weights = weights.mean(1) if average_attn_weights else weights
            weights = weights if batched else weights.squeeze(0)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, mask, dropout, scale=self.scale)
        mixed = self.out_proj(mixed.transpose(1, 2).flatten(2))
        if not batched:
            mixed = mixed.squeeze(0)
        elif not self.batch_first:
            mixed = mixed.transpose(0, 1)
        return mixed, weights

    def _by_head(self, x: Tensor) -> Tensor:
        """From shape (batch, length, heads * width) to (batch, heads, length, width)."""
        return x.view(*x.shape[:2], self.num_heads, -1).transpose(1, 2)

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        packed, bias = self._parameters["in_proj_weight"], self._parameters["in_proj_bias"]
        if packed is not None and query is key and key is value:
            q, k, v = F.linear(query, packed, bias).chunk(3, -1)
            return q, k, v
        separate = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        weights = separate if packed is None else packed.chunk(3)
        biases = (None, None, None) if bias is None else bias.chunk(3)
        q, k, v = (F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))
        return q, k, v

    def _mask(self, q: Tensor, k: Tensor, padding: Tensor | None, mask: Tensor | None) -> Tensor | None:
        """What is added to the scores, to be broadcast to shape (batch, heads, queries, keys)."""
        mask = _additive(mask, q.dtype)
        if mask is not None and mask.dim() == 3:
            mask = mask.view(q.shape[0], -1, *mask.shape[1:])[:, : q.shape[1]]
        padding = _additive(padding, q.dtype)
        if padding is not None:
            padding = padding.reshape(q.shape[0], 1, 1, k.shape[-2])
            mask = padding if mask is None else mask + padding
        return mask


def open_up(model: nn.Module) -> None:
    """Let every multi-head attention in `model` lose heads, in place; it computes the same, up to rounding."""
    for module in model.modules():
        if type(module) is nn.MultiheadAttention and module.bias_k is None and not module.add_zero_attn:
            vars(module).pop("_qkv_same_embed_dim", None)
            module.__class__ = PrunedMultiheadAttention
            vars(module)["scale"] = module.head_dim**-0.5


def close_up(model: nn.Module) -> None:
    """Give those that lost nothing, or as much as the stream did, their original class back, in place."""
    for module in model.modules():
        if isinstance(module, PrunedMultiheadAttention):
            weight = module.q_proj_weight if module.in_proj_weight is None else module.in_proj_weight
            inner = weight.shape[0] if module.in_proj_weight is None else weight.shape[0] // 3
            widths = {module.embed_dim, weight.shape[1], inner, module.num_heads * module.head_dim}
            if len(widths) == 1 and module.scale == module.head_dim**-0.5:
                module.__class__ = nn.MultiheadAttention  # type: ignore[assignment]
                del module.scale
                vars(module)["_qkv_same_embed_dim"] = module.in_proj_weight is not None


def _additive(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill(mask, float("-inf"))
