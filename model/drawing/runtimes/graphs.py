"""The network's passes as OpenVINO graphs, built from its arrays without torch.

Each mirrors a function of `Cinn`, its definition in torch. Tests compare every graph with its definition. A change in
`model.flow` needs the same change here.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray

from model.drawing.runtimes import graph as g
from model.drawing.runtimes.graph import Node
from model.flow.arrays import CinnArrays, Layers
from model.flow.cell_order import causal_mask, dispersed_order
from model.flow.config import LITE0_STAGES, DecoderConfig, DetailConfig
from model.flow.constants import (
    COARSER_LIMIT,
    DETAIL_CHANNELS,
    EARLY_STAGES,
    FEATURE_CHANNELS,
    HAAR_KERNELS,
    INPUT_LIMIT,
    RECALL_WIDTH,
    SCALE_LIMIT,
    SKIPS,
    SMALL_LIGHTNESS,
    STEM_STRIDE,
    TAPS,
)
from model.flow.sizes import CELLS, LIGHTNESS_SIZE, SIDE

__all__ = ["condition_graph", "details_graph", "encode_graph", "features_graph", "mixtures_graph", "step_graph"]


def features_graph(network: Layers, photos: int) -> ov.Model:
    """Mirror `ConditionNetwork.forward`: (B, 1, 256, 256) L* to the features, from fine to coarse."""
    lightness = g.parameter("lightness", (photos, 1, LIGHTNESS_SIZE, LIGHTNESS_SIZE))
    return ov.Model([*_features(lightness, network).values()], [lightness], "features")


def condition_graph(cinn: CinnArrays, photos: int) -> ov.Model:
    """Mirror `Cinn.condition`, and compute all else that depends on the photo alone.

    Returns the cells' condition for the next cell and for those before, (B, 64, width) each, with the cells' places
    added; then the decoder's maps, pixel by pixel, (B, size², width), as convolutions leave them in memory.
    """
    lightness = g.parameter("lightness", (photos, 1, LIGHTNESS_SIZE, LIGHTNESS_SIZE))
    features = _features(lightness, cinn.layers.network)
    small = g.average_pool(lightness)
    level = cinn.layers.coarsest
    cells = _cells(features, small, cinn)
    upcoming = g.add(g.linear(cells, level.next), level.decoder_places)
    past = g.add(g.linear(cells, level.before), level.decoder_places)
    maps = _maps(features, small, cinn.config.decoder, cinn.layers.decoder)
    return ov.Model([upcoming, past, *map(g.flatten_cells, maps)], [lightness], "condition")


def step_graph(cinn: CinnArrays, distilled: bool, rows: int, dtype: Any) -> ov.Model:
    """Make one step of `CellStream`, of the coarsest level or of the distilled decoder: the next cell of every row.

    Inputs: the last cell's a*b* (rows, 2); whether there is one; the rest of the token (rows, width); what is added to
    the scores of each place, (64,); keys and values of each block, (rows, heads, 64, head_width). Outputs: the
    mixture's parameters; query, key and value of every block, (blocks, rows, 3·width). The caller writes the latter
    into the caches, which are not copied here: scores of the cached and the new key are computed apart. dtype: of the
    caches and of the compiled graph.
    """
    config, decoder = cinn.config.coarsest, cinn.layers.distilled if distilled else cinn.layers.coarsest
    width, heads, blocks = config.width, config.heads, config.decoder_blocks
    head_width = width // heads
    x, begun, rest = g.parameter("x", (rows, 2)), g.parameter("begun", (1, 1)), g.parameter("rest", (rows, width))
    mask = g.parameter("mask", (CELLS,))
    cache = (rows, heads, CELLS, head_width)
    keys = [g.parameter(f"keys{i}", cache, dtype) for i in range(blocks)]
    values = [g.parameter(f"values{i}", cache, dtype) for i in range(blocks)]

    h = g.add(rest, g.multiply(g.chroma_embedding(x, decoder.chroma), begun))
    made = []
    for block, old_keys, old_values in zip(decoder.decoder, keys, values, strict=True):
        packed = g.query_key_value(h, block)
        made.append(packed)
        query, key, value = (g.reshape(part, rows, heads, 1, head_width) for part in g.split(packed, 3, 1))
        query = g.multiply(query, 1 / math.sqrt(head_width))
        old = g.add(ops.matmul(query, ops.convert(old_keys, np.float32), False, True), mask)
        new = ops.reduce_sum(g.multiply(query, key), [-1], keep_dims=True)
        shares = ops.softmax(ops.concat([old, new], -1), -1)
        of_old, of_new = g.split(shares, (CELLS, 1), -1)
        attended = ops.matmul(of_old, ops.convert(old_values, np.float32), False, False)
        attended = g.add(attended, g.multiply(of_new, value))
        h = g.finish_block(h, g.reshape(attended, rows, width), block)
    output = g.linear(g.layer_norm(h, decoder.decoder_norm), decoder.output)
    packed = ops.convert(ops.concat([g.reshape(each, 1, rows, 3 * width) for each in made], 0), dtype)
    step = ov.Model([output, packed], [x, begun, rest, mask, *keys, *values], "step")
    if dtype == ov.Type.bf16:
        g.store_in_bfloat16(step)
    return step


def mixtures_graph(cinn: CinnArrays, rows: int) -> ov.Model:
    """Mirror `AutoregressiveLevel.mixtures` in dispersed-dot order, up to the network's output (rows, 64, 6·K).

    Inputs: the cells' a*b* in order, (rows, 64, 2); the photo's condition for the next cell and for those before, row
    by row, as `condition_graph` returns them.
    """
    config, level = cinn.config.coarsest, cinn.layers.coarsest
    width = config.width
    x = g.parameter("x", (rows, CELLS, 2))
    upcoming, past = (g.parameter(name, (rows, CELLS, width)) for name in ("upcoming", "past"))
    order = dispersed_order()
    tokens = g.add(g.chroma_embedding(x, level.chroma), ops.gather(past, order, 1))
    before, _ = g.split(tokens, (CELLS - 1, 1), 1)
    start = g.constant(np.broadcast_to(level.start, (rows, 1, width)))
    h = g.add(ops.concat([start, before], 1), ops.gather(upcoming, order, 1))
    for block in level.decoder:
        h = g.transformer_block(h, block, config.heads, causal_mask())
    return ov.Model([g.linear(g.layer_norm(h, level.decoder_norm), level.output)], [x, upcoming, past], "mixtures")


def details_graph(cinn: CinnArrays, rows: int) -> ov.Model:
    """Mirror the finer levels in `Cinn.add_details`.

    Inputs: standardized coarsest a*b*, (rows, 2, 8, 8); maps as `condition_graph` returns them; latents of each level.
    Outputs: standardized a*b* of the finest size, and the terms of each level's log-det, to be added up in float64.
    """
    coarsest = g.parameter("coarsest", (rows, 2, SIDE, SIDE))
    maps, latents, terms = [], [], []
    chroma = coarsest
    for level in _levels(cinn):
        maps.append(_map(level, rows))
        latents.append(g.parameter(f"z{level.config.size}", (rows, level.config.dims)))
        data, parts = _details(latents[-1], maps[-1], chroma, level)
        chroma = _join(chroma, data)
        terms.append(ops.concat([g.reshape(part, rows, -1) for part in parts], 1))
    return ov.Model([chroma, *terms], [coarsest, *maps, *latents], "details")


def encode_graph(cinn: CinnArrays, rows: int) -> ov.Model:
    """Mirror the finer levels in `Cinn.log_prob`.

    Inputs: standardized a*b* of the finest size; maps as in `details_graph`. Outputs: standardized a*b* of the coarsest
    size; latents of each level; and the terms of its log-det, to be added up in float64.
    """
    size = cinn.config.sizes[-1]
    finest = g.parameter("finest", (rows, 2, size, size))
    maps, latents, terms = list[Node](), list[Node](), list[Node]()
    finer = finest
    for level in reversed(_levels(cinn)):
        maps.insert(0, _map(level, rows))
        coarser = g.average_pool(finer)
        z, parts = _latents(_split_details(g.unshuffle(finer, 2)), maps[0], coarser, level)
        latents.insert(0, z)
        terms.insert(0, ops.concat([g.reshape(part, rows, -1) for part in parts], 1))
        finer = coarser
    return ov.Model([finer, *latents, *terms], [finest, *maps], "encode")


def _features(lightness: Node, network: Layers) -> dict[str, Node]:
    """Mirror `ConditionNetwork.forward`."""
    gray = _gray_input(lightness)
    x = g.relu6(g.conv(ops.concat([gray, gray, gray], 1), network.stem, STEM_STRIDE))
    outputs = []
    for stage, blocks in zip(LITE0_STAGES, network.stages, strict=True):
        for stride, block in zip(stage.strides, blocks, strict=True):
            x = g.inverted_residual(x, block, stride)
        outputs.append(x)
    at_32, _, at_16, _, at_8 = outputs[EARLY_STAGES - 1 :]
    at_1 = ops.reduce_mean(g.relu6(g.conv(x, network.top)), [2, 3], keep_dims=False)
    raw = {"at_32": at_32, "at_16": at_16, "at_8": at_8, "at_1": at_1}
    return {
        name: g.standardize(feature, network[f"mean_{name}"], network[f"std_{name}"]) for name, feature in raw.items()
    }


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


def _cells(features: dict[str, Node], small: Node, cinn: CinnArrays) -> Node:
    """Mirror `AutoregressiveLevel.photo_condition`."""
    level, heads = cinn.layers.coarsest, cinn.config.coarsest.heads
    seen = g.average_pool(g.add(g.multiply(small, 1 / 50), -1))
    h = g.add(g.linear(g.flatten_cells(g.unshuffle(seen, g.shape(seen)[-1] // SIDE)), level.lightness), level.places)
    for name in FEATURE_CHANNELS:
        feature, projection = features[name], level.projections[name]
        if len(g.shape(feature)) == 2:
            photos, channels = g.shape(feature)
            h = g.add(h, g.linear(g.reshape(feature, photos, 1, channels), projection))
        else:
            packed = g.unshuffle(feature, g.shape(feature)[-1] // SIDE)
            h = g.add(h, g.linear(g.flatten_cells(packed), projection))
    for block in level.encoder:
        h = g.transformer_block(h, block, heads)
    return g.layer_norm(h, level.encoder_norm)


def _maps(features: dict[str, Node], lightness: Node, config: DecoderConfig, decoder: Layers) -> list[Node]:
    """Mirror `Decoder.forward`."""
    seen: list[Node] = []
    h = g.add(g.multiply(lightness, 1 / 50), -1)
    for i, layer in enumerate(decoder.stem):
        h = ops.relu(g.conv(g.unshuffle(h, 2 if i else SMALL_LIGHTNESS // config.sizes[-1]), layer))
        seen.insert(0, h)
    whole = g.linear(features["at_1"], decoder.whole)
    h = g.add(g.conv(features["at_8"], decoder.coarsest), g.reshape(whole, *g.shape(whole), 1, 1))
    h = _refined(h, 0, config, decoder)
    maps = []
    for i, size in enumerate(config.sizes[1:]):
        h = g.add(g.bilinear(g.conv(h, decoder.down[i])), g.conv(seen[i], decoder.edges[i]))
        if size in SKIPS:
            h = g.add(h, g.conv(features[SKIPS[size]], decoder.skips[size]))
        h = _refined(h, i + 1, config, decoder)
        maps.append(h)
    return maps


def _refined(x: Node, i: int, config: DecoderConfig, decoder: Layers) -> Node:
    """Mirror the decoder at its i-th size: residual blocks, and attention if any."""
    x = g.residual(x, decoder.blocks[i])
    if not config.attention[i]:
        return x
    size, layer = g.shape(x), decoder.attention[i]
    h = g.add(g.flatten_cells(x), layer.places)
    for block in layer.blocks:
        h = g.transformer_block(h, block, config.heads[i])
    return g.reshape(ops.transpose(h, [0, 2, 1]), *size)


class _Level(NamedTuple):
    """A finer level."""

    config: DetailConfig
    layers: Layers

    def blocks(self, shares: list[Node]) -> list[tuple[Layers, Layers, Node]]:
        """Return each block's coupling and mixing, and its share of the condition."""
        return list(zip(self.layers.couplings, self.layers.mixings, shares, strict=True))


def _levels(cinn: CinnArrays) -> list[_Level]:
    return [_Level(*each) for each in zip(cinn.config.details, cinn.layers.details, strict=True)]


def _map(level: _Level, rows: int) -> Node:
    """Make the input of a level's map of the photo, as `condition_graph` returns it."""
    return g.parameter(f"map{level.config.size}", (rows, level.config.size**2, level.config.condition_width))


def _level_condition(photo: Node, coarser: Node, level: _Level) -> tuple[Node, Node, list[Node], Node]:
    """Mirror `DetailLevel.sample_condition`: the parts of a `DetailCondition`."""
    seen = ops.clamp(coarser, -COARSER_LIMIT, COARSER_LIMIT)
    recalled = _recalled(photo, seen, level)
    colors = g.conv(ops.concat([g.nearest(seen), g.bilinear(seen), *recalled], 1), level.layers.coarser)
    h = ops.relu(g.residual(g.add(g.unflatten_cells(photo), colors), level.layers.joint))
    prediction = _propagated_details(coarser, g.conv(h, level.layers.logits), recalled)
    lengths = [2 * DETAIL_CHANNELS] * 2 + [level.config.width] * level.config.blocks
    first, last, *shares = g.split(g.conv_of_patches(h, level.layers.ends, level.layers.shares), lengths, 1)
    return prediction, first, shares, last


def _details(z: Node, photo: Node, coarser: Node, level: _Level) -> tuple[Node, list[Node]]:
    """Mirror `DetailLevel.inverse`; return the details and the log-det's terms."""
    rows, grid = g.shape(z)[0], level.config.size // 2
    prediction, first, shares, last = _level_condition(photo, coarser, level)
    center, log_scale = g.affine_mean_and_log_scale(last)
    x = g.add(g.multiply(g.reshape(z, rows, DETAIL_CHANNELS, grid, grid), ops.exp(log_scale)), center)
    terms = [log_scale]
    for coupling, mixing, share in reversed(level.blocks(shares)):
        x1, x2 = g.split(g.conv_by_matrix(x, mixing.matrix.T), 2, 1)
        log_scale, shift = _scale_and_shift(x1, share, coupling)
        negative = g.multiply(log_scale, -1)
        x = ops.concat([x1, ops.multiply(ops.subtract(x2, shift), ops.exp(negative))], 1)
        terms.append(negative)
    center, log_scale = g.affine_mean_and_log_scale(first)
    x = g.add(g.multiply(x, ops.exp(log_scale)), center)
    return g.add(g.multiply(x, level.layers.std[None]), prediction), [*terms, log_scale]


def _latents(details: Node, photo: Node, coarser: Node, level: _Level) -> tuple[Node, list[Node]]:
    """Mirror `DetailLevel.forward`; return the latents and the log-det's terms."""
    prediction, first, shares, last = _level_condition(photo, coarser, level)
    x = g.multiply(ops.subtract(details, prediction), 1 / level.layers.std[None])
    x, term = _standardized(x, first)
    terms = [term]
    for coupling, mixing, share in level.blocks(shares):
        x1, x2 = g.split(x, 2, 1)
        log_scale, shift = _scale_and_shift(x1, share, coupling)
        moved = g.add(g.multiply(x2, ops.exp(log_scale)), shift)
        x = g.conv_by_matrix(ops.concat([x1, moved], 1), mixing.matrix)
        terms.append(log_scale)
    x, term = _standardized(x, last)
    return g.reshape(x, g.shape(x)[0], level.config.dims), [*terms, term]


def _scale_and_shift(x1: Node, share: Node, coupling: Layers) -> tuple[Node, Node]:
    """Mirror `AffineCoupling.scale_and_shift`."""
    subnet = coupling.subnet
    h = ops.relu(g.add(g.conv(g.soft_clamp(x1, INPUT_LIMIT), subnet.first), share))
    raw, shift = g.split(g.conv(ops.relu(g.conv(h, subnet.middle)), subnet.last), 2, 1)
    return g.soft_clamp(raw, SCALE_LIMIT), shift


def _standardized(x: Node, condition: Node) -> tuple[Node, Node]:
    """Mirror `ConditionalAffine.forward`; return the terms of its log-det, too."""
    center, log_scale = g.affine_mean_and_log_scale(condition)
    negative = g.multiply(log_scale, -1)
    return g.multiply(ops.subtract(x, center), ops.exp(negative)), negative


def _recalled(photo: Node, coarser: Node, level: _Level) -> list[Node]:
    """Mirror `model.flow.detail_level.Recall`: (B, 2, S, S) of each head."""
    heads = level.config.recalled
    if not heads:
        return []
    layer, size, rows = level.layers.recall, level.config.size, g.shape(photo)[0]
    cells = g.flatten_cells(g.average_pool(g.unflatten_cells(photo), size // SIDE))
    query, key = (
        ops.transpose(g.reshape(g.conv_of_cells(x, each), *g.shape(x)[:2], heads, RECALL_WIDTH), [0, 2, 1, 3])
        for x, each in ((photo, layer.query), (cells, layer.key))
    )
    scores = g.multiply(ops.matmul(query, key, False, True), 1 / math.sqrt(RECALL_WIDTH))
    shades = g.reshape(g.average_pool(coarser, g.shape(coarser)[-1] // SIDE), rows, 1, 2, CELLS)
    colors = ops.matmul(shades, ops.softmax(scores, -1), False, True)
    return [g.reshape(each, rows, 2, size, size) for each in g.split(colors, heads, 1)]


def _propagated_details(coarser: Node, logits: Node, recalled: list[Node]) -> Node:
    """Mirror `split(propagate(coarser, logits, recalled))[1]`, without the map itself: (B, 6, s, s) of (B, 2, s, s)."""
    rows, channels, side, _ = g.shape(coarser)
    pads = [0, 0, TAPS // 2, TAPS // 2]
    padded = ops.pad(coarser, pads, pads, "edge")
    shifted = [
        ops.slice(padded, [y, x], [y + side, x + side], [1, 1], [2, 3]) for y in range(TAPS) for x in range(TAPS)
    ]
    shares = g.unflatten_cells(ops.softmax(g.flatten_cells(logits), -1))
    near, *far = g.split(shares, (TAPS**2, *(1 for _ in recalled)), 1)
    neighbors = ops.concat([g.reshape(each, rows, channels, 1, 1, side, side) for each in shifted], 2)
    weights = g.reshape(g.unshuffle(near, 2), rows, 1, TAPS**2, 4, side, side)
    mixed = ops.reduce_sum(ops.multiply(neighbors, weights), [2], keep_dims=False)
    patches = g.reshape(mixed, rows, channels * 4, side, side)
    for share, color in zip(far, recalled, strict=True):
        patches = g.add(patches, g.unshuffle(g.multiply(color, share), 2))
    return _split_details(patches)


def _split_details(patches: Node) -> Node:
    """Mirror the details of `model.flow.haar.split`, of 2×2 patches: (B, 3·C, s, s) of (B, C·4, s, s)."""
    details = HAAR_KERNELS[1:]  # without the first, the mean
    return g.conv_by_matrix(patches, _per_channel(details, g.shape(patches)[1] // 4))


def _join(coarser: Node, details: Node) -> Node:
    """Mirror `model.flow.haar.join`."""
    channels = g.shape(coarser)[1]
    matrix = _per_channel(HAAR_KERNELS, channels).T
    patches = g.conv_by_matrix(ops.concat([g.multiply(coarser, 2), details], 1), matrix)
    return ops.depth_to_space(patches, "depth_first", 2)


def _per_channel(kernels: Sequence[Sequence[float]], channels: int) -> NDArray[np.float64]:
    """Return the matrix from patches, channel by channel, to bands, kernel by kernel."""
    bands = np.einsum("kp,cd->kcdp", kernels, np.eye(channels))
    return bands.reshape(len(kernels) * channels, channels * 4)
