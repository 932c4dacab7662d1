"""Convolutions on tiles of 6 x 6, as functions whose text goes into the files that call them: torch is all they need.

In one dimension, m outputs of a kernel with r elements are coefficients of a product of polynomials (transposed), which
its values at n = m + r - 1 points determine: y = Aᵀ [(G w) ⊙ (Bᵀ x)] for n inputs x (Toom and Cook; Winograd 1980; for
convolutional networks, Lavin and Gray 2016). The n products of ⊙ stand for m r. Here n is 6, and the points are 0,
±2/3, ±3/2 and infinity, where a polynomial's value is its leading coefficient: with reciprocals, float32 loses the
least.
"""

import torch


def convolution_by_tiles(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, kernel: tuple[int, ...], padding: tuple[int, ...]
) -> torch.Tensor:
    """A convolution of images or volumes with steps of 1, in the last two dimensions on tiles of 6 x 6 (Winograd).

    Args:
        x: (batch, channels, [depth,] height, width).
        weight: What `tile_weights` makes of the kernels.
        kernel: ([depth,] height, width).
        padding: Zeros on both sides of each dimension.
    """
    rows, columns = (7 - size for size in kernel[-2:])  # outputs per tile
    sizes = [size + 2 * pad - reach + 1 for size, pad, reach in zip(x.shape[2:], padding, kernel, strict=True)]
    down, across = -(-sizes[-2] // rows), -(-sizes[-1] // columns)
    lower = down * rows + kernel[-2] - 1 - padding[-2] - x.shape[-2]
    right = across * columns + kernel[-1] - 1 - padding[-1] - x.shape[-1]
    sides = [0, 0, padding[-1], right, padding[-2], lower, *(2 * [0] + 2 * [padding[0]] if x.dim() == 5 else [])]

    # Channels last, the depth first. Strides of its own keep an image in memory: a compiler would compute it six times.
    image = x.permute(2, 0, 3, 4, 1) if x.dim() == 5 else x.permute(0, 2, 3, 1)
    image = image.contiguous()
    image = torch.constant_pad_nd(image.as_strided(image.shape, image.stride()), sides)
    image = image.as_strided(image.shape, image.stride())
    image = image.flatten(0, -4)
    lines = torch.stack(_tile_values([image[:, k : k + rows * down - rows + 1 : rows] for k in range(6)]))
    parts = [lines[:, :, :, k : k + columns * across - columns + 1 : columns] for k in range(6)]
    values = torch.stack(_tile_values(parts)).flatten(2, 4).flatten(0, 1)

    if x.dim() == 5:
        slices = values.view(36, x.shape[2] + 2 * padding[0], -1, x.shape[1])
        parts = [slices[:, k : k + sizes[0]].flatten(1, 2) for k in range(kernel[0])]
        products = torch.bmm(parts[0], weight[0])
        for part, factors in zip(parts[1:], weight[1:], strict=True):
            products = torch.baddbmm(products, part, factors)
    else:
        products = torch.bmm(values, weight)

    products = products.view(6, 6, -1, down, across, weight.shape[-1])
    lines = torch.stack(_tile_outputs(products, columns), 4)
    image = torch.stack(_tile_outputs(lines, rows), 2).flatten(3, 4).flatten(1, 2)[:, : sizes[-2], : sizes[-1]]
    image = image if bias is None else image + bias
    if x.dim() == 5:
        return image.view(sizes[0], -1, *image.shape[1:]).permute(1, 4, 0, 2, 3)
    return image.permute(0, 3, 1, 2)


def tile_weights(weight: torch.Tensor) -> torch.Tensor:
    """G w in both dimensions, computed in float64: ([depth,] 36, channels in, channels out)."""
    exact = weight.double()
    points = exact.new_tensor([[0.0], [2 / 3], [-2 / 3], [3 / 2], [-3 / 2]])
    scales = (points - points.T + torch.eye(5, dtype=exact.dtype, device=exact.device)).prod(1, keepdim=True)
    matrices = []
    for size in weight.shape[-2:]:
        powers = torch.arange(size, dtype=exact.dtype, device=exact.device)
        matrices.append(torch.cat([points**powers / scales, (powers[None] == size - 1).to(exact.dtype)]))
    values = torch.einsum("ia,jb,oc...ab->...jico", *matrices, exact)
    return values.flatten(-4, -3).to(weight.dtype).contiguous()


def _tile_values(x: list[torch.Tensor] | torch.Tensor) -> list[torch.Tensor]:
    """Bᵀ x."""
    near, far = 4 / 9, 9 / 4  # the points' squares, whose product is 1
    first, last = x[0] - (near + far) * x[2] + x[4], x[1] - (near + far) * x[3] + x[5]
    even, odd = x[4] - far * x[2], 2 / 3 * (x[3] - far * x[1])
    even_far, odd_far = x[4] - near * x[2], 3 / 2 * (x[3] - near * x[1])
    return [first, even + odd, even - odd, even_far + odd_far, even_far - odd_far, last]


def _tile_outputs(values: torch.Tensor, count: int) -> list[torch.Tensor]:
    """Aᵀ times what lies along the first dimension."""
    even, odd = values[1] + values[2], values[1] - values[2]
    even_far, odd_far = values[3] + values[4], values[3] - values[4]
    outputs = [values[0] + even + even_far]
    for power in range(1, count):
        near, far = (even, even_far) if power % 2 == 0 else (odd, odd_far)
        outputs.append((2 / 3) ** power * near + (3 / 2) ** power * far)
    outputs[-1] = outputs[-1] + values[5]
    return outputs
