"""The network's passes as OpenVINO graphs. Each mirrors a function of `Cinn`, which defines what it computes.

Tests hold every graph against its definition. Whatever changes in `model.flow` changes here too.
"""

import math
from typing import Any, NamedTuple, cast

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import torch
from torch import Tensor, nn

from model.drawing.runtimes import graph as g
from model.drawing.runtimes.graph import Node
from model.flow.cells import CellDecoder
from model.flow.cinn import Cinn
from model.flow.condition import EARLY_STAGES, ConditionNetwork, InvertedResidual
from model.flow.coupling import ConvSubnet
from model.flow.decoder import SKIPS, Attention, Decoder
from model.flow.detail_level import CHANNELS, COARSER_LIMIT, HEAD_WIDTH, DetailLevel, Recall
from model.flow.haar import KERNELS
from model.flow.propagation import TAPS
from model.flow.sizes import CELLS, LIGHTNESS_SIZE, SIDE
from model.flow.transformer import TransformerBlock

__all__ = ["condition_graph", "details_graph", "encode_graph", "mixtures_graph", "picture_graph", "step_graph"]


def condition_graph(cinn: Cinn, photos: int) -> ov.Model:
    """Mirror `Cinn.condition`, and add what else depends on the photo alone.

    Returns the cells' condition, (B, 64, width), what it says of the next cell and of those before, each with the
    cells' places; then the decoder's maps.
    """
    lightness = g.parameter("lightness", (photos, 1, LIGHTNESS_SIZE, LIGHTNESS_SIZE))
    features = _features(lightness, cinn.network)
    small = g.average_pool(lightness)
    level = cinn.coarsest
    cells = _cells(features, small, cinn)
    upcoming = g.add(g.linear(cells, level.next), level.decoder_places)
    past = g.add(g.linear(cells, level.before), level.decoder_places)
    return ov.Model([cells, upcoming, past, *_maps(features, small, cinn.decoder)], [lightness], "condition")


def picture_graph(cinn: Cinn, pictures: int) -> ov.Model:
    """Mirror `ConditionNetwork.see`, for pictures as large as the lightness that h sees."""
    rgb = g.parameter("rgb", (pictures, 3, LIGHTNESS_SIZE, LIGHTNESS_SIZE))
    _, last = _stages(g.multiply(g.add(rgb, -127), 1 / 128), cinn.network)
    return ov.Model([last], [rgb], "picture")


def step_graph(decoder: CellDecoder, rows: int, length: int, dtype: Any) -> ov.Model:
    """Make one step of `CellStream`: the next cell of every row.

    Inputs: the last cell's a*b* (rows, 2); whether there is one; the rest of the token (rows, width); what is added to
    the scores of each place, (length,); keys and values of each block, (rows, heads, length, head_width). Outputs: the
    mixture's parameters; query, key and value of every block, (blocks, rows, 3·width). The caller writes the latter
    into the caches, which are not copied here: scores of the cached and the new key are computed apart.
    """
    width, heads = len(decoder.start), decoder.decoder[0].heads
    head_width = width // heads
    x, begun, rest = g.parameter("x", (rows, 2)), g.parameter("begun", (1, 1)), g.parameter("rest", (rows, width))
    mask = g.parameter("mask", (length,))
    cache = (rows, heads, length, head_width)
    keys = [g.parameter(f"keys{i}", cache, dtype) for i in range(len(decoder.decoder))]
    values = [g.parameter(f"values{i}", cache, dtype) for i in range(len(decoder.decoder))]

    h = g.add(rest, g.multiply(g.chroma_embedding(x, decoder.chroma), begun))
    made = []
    for block, old_keys, old_values in zip(decoder.decoder, keys, values, strict=True):
        packed = g.query_key_value(h, block)
        made.append(packed)
        query, key, value = (g.reshape(part, rows, heads, 1, head_width) for part in g.split(packed, 3, 1))
        query = g.multiply(query, 1 / math.sqrt(head_width))
        old = g.add(ops.matmul(query, ops.convert(old_keys, np.float32), False, True), mask)
        new = ops.reduce_sum(g.multiply(query, key), ops.constant(np.array([-1], np.int64)), keep_dims=True)
        shares = ops.softmax(g.concat((old, new), -1), -1)
        of_old, of_new = g.split(shares, (length, 1), -1)
        attended = ops.matmul(of_old, ops.convert(old_values, np.float32), False, False)
        attended = g.add(attended, g.multiply(of_new, value))
        h = g.finish_block(h, g.reshape(attended, rows, width), block)
    output = g.linear(g.layer_norm(h, decoder.decoder_norm), decoder.output)
    packed = ops.convert(g.concat([g.reshape(each, 1, rows, 3 * width) for each in made], 0), dtype)
    return ov.Model([output, packed], [x, begun, rest, mask, *keys, *values], "step")


def mixtures_graph(cinn: Cinn, rows: int) -> ov.Model:
    """Mirror `AutoregressiveLevel.mixtures` in dispersed-dot order, up to the network's output (rows, 64, 6·K).

    Inputs: the cells' a*b* in order, (rows, 64, 2); what the photo says of the next cell and of those before, row by
    row, as `condition_graph` returns them.
    """
    level = cinn.coarsest
    width = level.config.width
    x = g.parameter("x", (rows, CELLS, 2))
    upcoming, past = (g.parameter(name, (rows, CELLS, width)) for name in ("upcoming", "past"))
    order, axis = ops.constant(level.order.numpy()), ops.constant(np.int64(1))
    tokens = g.add(g.chroma_embedding(x, level.chroma), ops.gather(past, order, axis))
    before, _ = g.split(tokens, (CELLS - 1, 1), 1)
    start = g.constant(level.start.expand(rows, 1, -1))
    h = g.add(g.concat((start, before), 1), ops.gather(upcoming, order, axis))
    for block in level.decoder:
        h = g.transformer_block(h, block, level.mask)
    return ov.Model([g.linear(g.layer_norm(h, level.decoder_norm), level.output)], [x, upcoming, past], "mixtures")


def details_graph(cinn: Cinn, rows: int) -> ov.Model:
    """Mirror the finer levels in `Cinn.add_details`.

    Inputs: standardized coarsest a*b*, (rows, 2, 8, 8); the decoder's maps; latents of each level. Outputs:
    standardized a*b* of the finest size, and the terms of each level's log-det, to be added up in float64.
    """
    coarsest = g.parameter("coarsest", (rows, 2, SIDE, SIDE))
    maps, latents, terms = [], [], []
    chroma = coarsest
    for level in cinn.details:
        size = level.config.size
        maps.append(g.parameter(f"map{size}", (rows, level.config.condition_width, size, size)))
        latents.append(g.parameter(f"z{size}", (rows, level.dims)))
        data, parts = _details(latents[-1], maps[-1], chroma, level)
        chroma = _join(chroma, data)
        terms.append(g.concat([g.reshape(part, rows, -1) for part in parts], 1))
    return ov.Model([chroma, *terms], [coarsest, *maps, *latents], "details")


def encode_graph(cinn: Cinn, rows: int) -> ov.Model:
    """Mirror the finer levels in `Cinn.log_prob`.

    Inputs: standardized a*b* of the finest size; the decoder's maps. Outputs: standardized a*b* of the coarsest size;
    latents of each level; and the terms of its log-det, to be added up in float64.
    """
    finest = g.parameter("finest", (rows, 2, cinn.chroma_size, cinn.chroma_size))
    maps, latents, terms = list[Node](), list[Node](), list[Node]()
    finer = finest
    for level in reversed(cinn.details):
        size = level.config.size
        maps.insert(0, g.parameter(f"map{size}", (rows, level.config.condition_width, size, size)))
        coarser = g.average_pool(finer)
        z, parts = _latents(_split_details(g.unshuffle(finer, 2)), maps[0], coarser, level)
        latents.insert(0, z)
        terms.insert(0, g.concat([g.reshape(part, rows, -1) for part in parts], 1))
        finer = coarser
    return ov.Model([finer, *latents, *terms], [finest, *maps], "encode")


def _features(lightness: Node, network: ConditionNetwork) -> dict[str, Node]:
    """Mirror `ConditionNetwork.forward`."""
    gray = _gray_input(lightness)
    outputs, last = _stages(g.concat((gray, gray, gray), 1), network)
    at_32, _, at_16, _, at_8 = outputs[EARLY_STAGES - 1 :]
    at_1 = g.mean(last, 2, 3)
    raw = {"at_32": at_32, "at_16": at_16, "at_8": at_8, "at_1": at_1}
    return {name: g.standardize(feature, network.scales(name)) for name, feature in raw.items()}


def _stages(x: Node, network: ConditionNetwork) -> tuple[list[Node], Node]:
    """Return what each stage and the last layer make of pictures."""
    x = g.relu6(g.conv(x, network.stem))
    outputs = []
    for stage in network.stages:
        for block in cast(nn.Sequential, stage):
            x = g.inverted_residual(x, cast(InvertedResidual, block))
        outputs.append(x)
    return outputs, g.relu6(g.conv(x, network.top))


def _gray_input(lightness: Node) -> Node:
    """Mirror `model.flow.condition.gray_input`."""
    f = g.multiply(g.add(lightness, 16), 1 / 116)
    linear = ops.select(
        ops.greater(lightness, g.constant(8)), ops.power(f, g.constant(3)), g.multiply(lightness, 27 / 24389)
    )
    bright = ops.power(ops.maximum(linear, g.constant(0.0031308)), g.constant(1 / 2.4))
    encoded = g.add(g.multiply(bright, 1.055), -0.055)
    gray = ops.select(ops.greater(linear, g.constant(0.0031308)), encoded, g.multiply(linear, 12.92))
    return g.multiply(g.add(g.multiply(gray, 255), -127), 1 / 128)


def _cells(features: dict[str, Node], small: Node, cinn: Cinn) -> Node:
    """Mirror `AutoregressiveLevel.photo_condition`."""
    level = cinn.coarsest
    seen = g.average_pool(g.add(g.multiply(small, 1 / 50), -1))
    h = g.add(g.linear(g.flatten_cells(g.unshuffle(seen, level.patch)), level.lightness), level.places)
    for name, projection in level.projections.items():
        feature = features[name]
        if len(g.shape(feature)) == 2:
            photos, channels = g.shape(feature)
            h = g.add(h, g.linear(g.reshape(feature, photos, 1, channels), projection))
        else:
            packed = g.unshuffle(feature, g.shape(feature)[-1] // SIDE)
            h = g.add(h, g.linear(g.flatten_cells(packed), projection))
    for block in level.encoder:
        h = g.transformer_block(h, block)
    return g.layer_norm(h, level.encoder_norm)


def _maps(features: dict[str, Node], lightness: Node, decoder: Decoder) -> list[Node]:
    """Mirror `Decoder.forward`."""
    seen: list[Node] = []
    h = g.add(g.multiply(lightness, 1 / 50), -1)
    for i, layer in enumerate(decoder.stem):
        h = ops.relu(g.conv(g.unshuffle(h, 2 if i else decoder.patch), layer))
        seen.insert(0, h)
    whole = g.linear(features["at_1"], decoder.whole)
    h = g.add(g.conv(features["at_8"], decoder.coarsest), g.reshape(whole, *g.shape(whole), 1, 1))
    h = _attention(g.residual(h, decoder.blocks[0]), decoder.attention[0])
    maps = []
    for i, size in enumerate(decoder.config.sizes[1:]):
        h = g.add(g.bilinear(g.conv(h, decoder.down[i])), g.conv(seen[i], decoder.edges[i]))
        if str(size) in decoder.skips:
            h = g.add(h, g.conv(features[SKIPS[size]], decoder.skips[str(size)]))
        h = _attention(g.residual(h, decoder.blocks[i + 1]), decoder.attention[i + 1])
        maps.append(h)
    return maps


def _attention(x: Node, layer: nn.Module) -> Node:
    """Mirror `model.flow.decoder.Attention`, or nothing where there is none."""
    if not isinstance(layer, Attention):
        return x
    size = g.shape(x)
    h = g.add(g.flatten_cells(x), layer.places)
    for block in layer.blocks:
        h = g.transformer_block(h, cast(TransformerBlock, block))
    return g.reshape(g.transpose(h, 0, 2, 1), *size)


class _LevelCondition(NamedTuple):
    """See `model.flow.detail_level.DetailCondition`."""

    prediction: Node
    first: Node
    shares: list[Node]
    last: Node


def _level_condition(photo: Node, coarser: Node, level: DetailLevel) -> _LevelCondition:
    """Mirror `DetailLevel.sample_condition`."""
    seen = ops.clamp(coarser, -COARSER_LIMIT, COARSER_LIMIT)
    recalled = _recalled(photo, seen, level.recall)
    colors = g.concat((g.nearest(seen), g.bilinear(seen), *recalled), 1)
    h = ops.relu(g.residual(g.add(photo, g.conv(colors, level.coarser)), level.joint))
    prediction = _propagated_details(coarser, g.conv(h, level.logits), recalled)
    packed = g.unshuffle(h, 2)
    first, last = g.split(g.conv(packed, level.ends), 2, 1)
    shares = g.split(g.conv(packed, level.shares), level.config.blocks, 1)
    return _LevelCondition(prediction, first, shares, last)


def _details(z: Node, photo: Node, coarser: Node, level: DetailLevel) -> tuple[Node, list[Node]]:
    """Mirror `DetailLevel.inverse`; return the details and the log-det's terms."""
    rows, grid = g.shape(z)[0], level.config.size // 2
    prediction, first, shares, last = _level_condition(photo, coarser, level)
    center, log_scale = g.affine_mean_and_log_scale(last, level.affine)
    x = g.add(g.multiply(g.reshape(z, rows, CHANNELS, grid, grid), ops.exp(log_scale)), center)
    terms = [log_scale]
    for coupling, mixing, share in reversed(list(zip(level.couplings, level.mixings, shares, strict=True))):
        x1, x2 = g.split(g.conv_by_matrix(x, mixing.matrix.T), (coupling.passed, CHANNELS - coupling.passed), 1)
        raw, shift = g.split(g.subnet(g.coupling_input(x1, coupling), share, coupling.subnet), 2, 1)
        log_scale = g.coupling_scale(raw, coupling)
        negative = g.multiply(log_scale, -1)
        x = g.concat((x1, ops.multiply(ops.subtract(x2, shift), ops.exp(negative))), 1)
        terms.append(negative)
    center, log_scale = g.affine_mean_and_log_scale(first, level.affine)
    x = g.add(g.multiply(x, ops.exp(log_scale)), center)
    return g.add(g.multiply(x, level.std[None]), prediction), [*terms, log_scale]


def _latents(details: Node, photo: Node, coarser: Node, level: DetailLevel) -> tuple[Node, list[Node]]:
    """Mirror `DetailLevel.forward`; return the latents and the log-det's terms."""
    prediction, first, shares, last = _level_condition(photo, coarser, level)
    x = g.multiply(ops.subtract(details, prediction), 1 / level.std[None])
    x, term = _standardized(x, first, level)
    terms = [term]
    for coupling, mixing, share in zip(level.couplings, level.mixings, shares, strict=True):
        layers = cast(ConvSubnet, coupling.subnet)
        x1, x2 = g.split(x, (coupling.passed, CHANNELS - coupling.passed), 1)
        raw, shift = g.split(g.subnet(g.coupling_input(x1, coupling), share, layers), 2, 1)
        log_scale = g.coupling_scale(raw, coupling)
        moved = g.add(g.multiply(x2, ops.exp(log_scale)), shift)
        x = g.conv_by_matrix(g.concat((x1, moved), 1), mixing.matrix)
        terms.append(log_scale)
    x, term = _standardized(x, last, level)
    return g.reshape(x, g.shape(x)[0], level.dims), [*terms, term]


def _standardized(x: Node, condition: Node, level: DetailLevel) -> tuple[Node, Node]:
    """Mirror `ConditionalAffine.forward`; return the terms of its log-det, too."""
    center, log_scale = g.affine_mean_and_log_scale(condition, level.affine)
    negative = g.multiply(log_scale, -1)
    return g.multiply(ops.subtract(x, center), ops.exp(negative)), negative


def _recalled(photo: Node, coarser: Node, layer: Recall) -> list[Node]:
    """Mirror `model.flow.detail_level.Recall`: (B, 2, S, S) of each head."""
    if not layer.heads:
        return []
    rows, _, size, _ = g.shape(photo)
    cells = g.reshape(g.average_pool(coarser, g.shape(coarser)[-1] // SIDE), rows, 1, 2, CELLS)
    query = g.reshape(g.conv(photo, layer.query), rows, layer.heads, HEAD_WIDTH, size**2)
    key = g.reshape(g.conv(g.average_pool(photo, size // SIDE), layer.key), rows, layer.heads, HEAD_WIDTH, CELLS)
    scores = g.multiply(ops.matmul(query, key, True, False), 1 / math.sqrt(HEAD_WIDTH))
    colors = ops.matmul(cells, ops.softmax(scores, -1), False, True)
    return [g.reshape(each, rows, 2, size, size) for each in g.split(colors, layer.heads, 1)]


def _propagated_details(coarser: Node, logits: Node, recalled: list[Node]) -> Node:
    """Mirror `split(propagate(coarser, logits, recalled))[1]`, without the map itself: (B, 6, s, s) of (B, 2, s, s)."""
    rows, channels, side, _ = g.shape(coarser)
    reach = TAPS // 2
    pads = ops.constant(np.array([0, 0, reach, reach], np.int64))
    padded = ops.pad(coarser, pads, pads, "edge")
    shifted = [
        ops.slice(
            padded, *(ops.constant(np.array(each, np.int64)) for each in ([y, x], [y + side, x + side], [1, 1], [2, 3]))
        )
        for y in range(TAPS)
        for x in range(TAPS)
    ]
    near, *far = g.split(ops.softmax(logits, 1), (TAPS**2, *(1 for _ in recalled)), 1)
    neighbors = g.concat([g.reshape(each, rows, channels, 1, 1, side, side) for each in shifted], 2)
    weights = g.reshape(g.unshuffle(near, 2), rows, 1, TAPS**2, 4, side, side)
    mixed = ops.reduce_sum(ops.multiply(neighbors, weights), ops.constant(np.array([2], np.int64)), keep_dims=False)
    patches = g.reshape(mixed, rows, channels * 4, side, side)
    for share, color in zip(far, recalled, strict=True):
        patches = g.add(patches, g.unshuffle(g.multiply(color, share), 2))
    return _split_details(patches)


def _split_details(patches: Node) -> Node:
    """Mirror the details of `model.flow.haar.split`, of 2×2 patches: (B, 3·C, s, s) of (B, C·4, s, s)."""
    kernels = torch.tensor(KERNELS)[1:]  # of the mean, the first, nobody asks
    return g.conv_by_matrix(patches, _per_channel(kernels, g.shape(patches)[1] // 4))


def _join(coarser: Node, details: Node) -> Node:
    """Mirror `model.flow.haar.join`."""
    channels = g.shape(coarser)[1]
    matrix = _per_channel(torch.tensor(KERNELS), channels).T
    patches = g.conv_by_matrix(g.concat((g.multiply(coarser, 2), details), 1), matrix)
    return ops.depth_to_space(patches, "depth_first", 2)


def _per_channel(kernels: Tensor, channels: int) -> Tensor:
    """Return the matrix from patches, channel by channel, to bands, kernel by kernel."""
    bands = torch.einsum("kp,cd->kcdp", kernels, torch.eye(channels))
    return bands.reshape(len(kernels) * channels, channels * 4)
