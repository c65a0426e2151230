"""OpenVINO operations for the network's layers: functions from arrays to graph nodes.

Every shape is fixed when a graph is built. A layer's widths and kernels follow from its arrays. A function with the
name of a layer or an operation of torch, or of `model.flow`, mirrors it.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray

from model.flow.arrays import Layers
from model.flow.constants import AFFINE_LIMIT, CHROMA_LIMIT, FREQUENCIES, NORM_EPSILON

__all__ = [
    "Node",
    "add",
    "affine_mean_and_log_scale",
    "average_pool",
    "bilinear",
    "chroma_embedding",
    "constant",
    "conv",
    "conv_by_matrix",
    "conv_of_cells",
    "conv_of_patches",
    "finish_block",
    "flatten_cells",
    "inverted_residual",
    "layer_norm",
    "linear",
    "multiply",
    "nearest",
    "parameter",
    "query_key_value",
    "relu6",
    "reshape",
    "residual",
    "shape",
    "soft_clamp",
    "split",
    "standardize",
    "store_in_bfloat16",
    "transformer_block",
    "unflatten_cells",
    "unshuffle",
]

Node = Any
"""A node's output: openvino has no types of its own that mypy reads."""
Array = NDArray[Any]
ATAN: list[float] = (
    np.polynomial.Chebyshev.interpolate(lambda s: np.arctan(np.sqrt(s)) / np.sqrt(s), 7, (0, 1))
    .convert(kind=np.polynomial.Polynomial)
    .coef.tolist()
)
"""Coefficients of a polynomial in v² for atan(v)/v, v² in (0, 1); its error is below 1e-7."""


def shape(x: Node) -> list[int]:
    return list(x.get_output_shape(0) if hasattr(x, "get_output_shape") else x.get_shape())


def parameter(name: str, size: Sequence[int], dtype: Any = np.float32) -> Node:
    return ops.parameter(list(size), dtype, name=name)


def constant(value: Array | float) -> Node:
    """Make a constant of a number or array, float32."""
    return ops.constant(np.asarray(value, np.float32))


def add(x: Node, y: Node | Array | float) -> Node:
    return ops.add(x, _node(y))


def multiply(x: Node, y: Node | Array | float) -> Node:
    return ops.multiply(x, _node(y))


def reshape(x: Node, *size: int) -> Node:
    """Give x another shape; one size may be −1."""
    return ops.reshape(x, size, special_zero=False)


def split(x: Node, parts: int | Sequence[int], axis: int) -> list[Node]:
    """Cut into a number of equal parts, or into parts of these lengths."""
    cut = ops.split if isinstance(parts, int) else ops.variadic_split
    return list(cut(x, axis, parts).outputs())


def relu6(x: Node) -> Node:
    return ops.clamp(x, 0.0, 6.0)


def soft_clamp(x: Node, limit: float) -> Node:
    """Compute limit·(2/π)·atan(x/limit) by a polynomial: atan(t) = 2·atan(v), v = t/(1 + √(1 + t²)) in (−1, 1).

    OpenVINO's own atan computes one number at a time, and in another memory layout than convolutions.
    """
    v = ops.divide(x, add(ops.sqrt(add(multiply(x, x), limit**2)), limit))
    square = multiply(v, v)
    *lower, highest = (coefficient * limit * 4 / math.pi for coefficient in ATAN)
    y = constant(highest)
    for coefficient in reversed(lower):
        y = add(multiply(y, square), coefficient)
    return multiply(v, y)


def unshuffle(x: Node, factor: int) -> Node:
    return ops.space_to_depth(x, "depth_first", factor)


def average_pool(x: Node, factor: int = 2) -> Node:
    """Shrink by a factor, as `F.avg_pool2d(x, factor)`."""
    return x if factor == 1 else ops.avg_pool(x, [factor] * 2, [0, 0], [0, 0], [factor] * 2, True)


def flatten_cells(x: Node) -> Node:
    """Reshape (B, C, H, W) to (B, H·W, C)."""
    b, channels, height, width = shape(x)
    return ops.transpose(reshape(x, b, channels, height * width), [0, 2, 1])


def unflatten_cells(x: Node) -> Node:
    """Reshape (B, S², C) to (B, C, S, S)."""
    b, cells, channels = shape(x)
    side = math.isqrt(cells)
    return ops.transpose(reshape(x, b, side, side, channels), [0, 3, 1, 2])


def conv_of_cells(x: Node, layer: Layers) -> Node:
    """Mirror a 1×1 convolution, given and returning flattened cells: (B, H·W, out) of (B, H·W, C)."""
    return add(ops.matmul(x, constant(layer.weight[:, :, 0, 0]), False, True), layer.bias)


def bilinear(x: Node) -> Node:
    """Double the size, as `F.interpolate(x, scale_factor=2, mode="bilinear")`."""
    return _double(x, "linear_onnx", "half_pixel")


def nearest(x: Node) -> Node:
    """Double the size, as `F.interpolate(x, scale_factor=2, mode="nearest")`."""
    return _double(x, "nearest", "asymmetric")


def linear(x: Node, layer: Layers) -> Node:
    y = ops.matmul(x, constant(layer.weight), False, True)
    return add(y, layer.bias) if "bias" in layer else y


def layer_norm(x: Node, norm: Layers) -> Node:
    """Mirror `nn.LayerNorm` over the last dimension."""
    y = ops.mvn(x, [-1], True, NORM_EPSILON, "inside_sqrt")
    return add(multiply(y, norm.weight), norm.bias)


def conv(x: Node, layer: Layers, stride: int = 1) -> Node:
    """Mirror `nn.Conv2d` that keeps the size, and `SameConv`: both pad as TensorFlow's "SAME" does."""
    _, channels, *size = shape(x)
    weight = layer.weight
    kernel, groups = weight.shape[2:], channels // weight.shape[1]
    pads = [max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in zip(size, kernel, strict=True)]
    where = [stride] * 2, [p // 2 for p in pads], [p - p // 2 for p in pads], [1, 1]
    if groups == 1:
        y = ops.convolution(x, constant(weight), *where)
    else:
        y = ops.group_convolution(x, constant(weight.reshape(groups, -1, *weight.shape[1:])), *where)
    return add(y, layer.bias.reshape(1, -1, 1, 1)) if "bias" in layer else y


def conv_of_patches(x: Node, *layers: Layers) -> Node:
    """Mirror 1×1 convolutions of `F.pixel_unshuffle(x, 2)`, by one of 2×2 patches; concatenate their results.

    Returns (B, out, H/2, W/2), given (B, C, H, W).
    """
    parts = [layer.weight.reshape(len(layer.weight), -1, 2, 2) for layer in layers]
    y = ops.convolution(x, constant(np.concatenate(parts)), [2, 2], [0, 0], [0, 0], [1, 1])
    return add(y, np.concatenate([layer.bias for layer in layers]).reshape(1, -1, 1, 1))


def conv_by_matrix(x: Node, matrix: Array) -> Node:
    """Multiply the channels of each pixel of (B, C, H, W) by a matrix (out, C)."""
    return ops.convolution(x, constant(matrix[:, :, None, None]), [1, 1], [0, 0], [0, 0], [1, 1])


def inverted_residual(x: Node, block: Layers, stride: int) -> Node:
    h = relu6(conv(x, block.expand)) if "expand" in block else x
    h = conv(relu6(conv(h, block.depthwise, stride)), block.project)
    return add(x, h) if shape(x) == shape(h) else h


def residual(x: Node, blocks: Layers) -> Node:
    """Mirror a sequence of `ResidualBlock`s."""
    for block in blocks:
        x = add(x, conv(ops.relu(conv(ops.relu(x), block.first)), block.last))
    return x


def standardize(x: Node, center: Array, std: Array) -> Node:
    """(x − mean)/std, channel by channel: of (B, C) or (B, C, H, W)."""
    center, std = (each.reshape(1, -1, *(1 for _ in shape(x)[2:])) for each in (center, std))
    return multiply(add(x, -center), 1 / std)


def affine_mean_and_log_scale(condition: Node) -> tuple[Node, Node]:
    """Compute the mean and log-scale of `ConditionalAffine` from its condition, (B, 2C, H, W)."""
    center, raw = split(condition, 2, 1)
    return center, soft_clamp(raw, AFFINE_LIMIT)


def chroma_embedding(x: Node, layer: Layers) -> Node:
    seen = ops.clamp(x, -CHROMA_LIMIT, CHROMA_LIMIT)
    waves = [wave(multiply(seen, f)) for f in FREQUENCIES for wave in (ops.sin, ops.cos)]
    return linear(ops.concat([seen, *waves], -1), layer)


def query_key_value(x: Node, block: Layers) -> Node:
    """Compute query, key and value of a block's attention: (…, 3·width), the query unscaled."""
    return linear(layer_norm(x, block.attention_norm), block.query_key_value)


def finish_block(x: Node, attended: Node, block: Layers) -> Node:
    """Add a block's attention, then its feed-forward output."""
    x = add(x, linear(attended, block.project))
    hidden = ops.relu(linear(layer_norm(x, block.feed_forward_norm), block.expand))
    return add(x, linear(hidden, block.contract))


def transformer_block(x: Node, block: Layers, heads: int, mask: Array | None = None) -> Node:
    """Mirror `TransformerBlock` for all tokens at once: (B, T, width)."""
    b, tokens, width = shape(x)
    head_width = width // heads
    parts = reshape(query_key_value(x, block), b, tokens, 3, heads, head_width)
    query, key, value = (reshape(part, b, tokens, heads, head_width) for part in split(parts, 3, 2))
    query, key, value = (ops.transpose(part, [0, 2, 1, 3]) for part in (query, key, value))
    scores = ops.matmul(multiply(query, 1 / math.sqrt(head_width)), key, False, True)
    shares = ops.softmax(scores if mask is None else add(scores, mask), -1)
    attended = ops.matmul(shares, value, False, False)
    return finish_block(x, reshape(ops.transpose(attended, [0, 2, 1, 3]), b, tokens, width), block)


def store_in_bfloat16(graph: ov.Model) -> None:
    """Keep the matrices of a graph's products in bfloat16: half the bytes, and the same results to the bit.

    A graph compiled for bfloat16 rounds them in the same way: to nearest, ties to even.
    """
    for node in graph.get_ops():
        if node.get_type_name() != "MatMul":
            continue
        weight = node.input_value(1).get_node()
        if weight.get_type_name() == "Constant" and weight.get_element_type() == ov.Type.f32:
            bits = weight.data.view(np.uint32)
            rounded = ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).view(np.float32)  # OpenVINO truncates
            read = ops.convert(ops.constant(rounded, ov.Type.bf16), np.float32)
            read.get_rt_info()["decompression_0"] = True  # else compiling would convert it back and store it so
            node.input(1).replace_source_output(read.output(0))


def _node(value: Node | Array | float) -> Node:
    return constant(value) if isinstance(value, (np.ndarray, float, int)) else value


def _double(x: Node, mode: str, coordinates: str) -> Node:
    size = [2 * n for n in shape(x)[2:]]
    return ops.interpolate(x, size, mode, "sizes", None, None, coordinates, "floor", False, -0.75, [2, 3])
