"""The compiled kernel of `model.pixels.upsampling`: from small a*b* maps to sRGB, in one pass over a photo.

Pixels are averaged in blocks that share their taps, several rows high where the photo is small, and converted in spans
of such blocks. So every inner loop runs over plain arrays in the first-level cache, and is vectorized. All arithmetic
is in float32, and so are the constants: a Python float would widen every loop to float64. numba's cache checks only
this file's date. So tunable numbers are arguments; after a change to a constant that is imported here, touch this file.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from model.compiling import compiled
from model.pixels.bilateral import TAPS
from model.pixels.color import DELTA, KAPPA, WHITE_D65, XYZ_TO_SRGB
from model.pixels.gamut import STEPS, TOLERANCE

__all__ = ["average_squares", "fill_rows"]

F32 = np.float32
ZERO, HALF, ONE = F32(0), F32(0.5), F32(1)
SPAN = 256
"""Maximum pixels converted at a time."""
BLOCK = 128
"""Maximum pixels, with the same taps, averaged at a time."""
LANES = 8
"""Blocks are rounded up to a multiple of this, so that no loop has a slow remainder; the excess is overwritten."""
LOW, HIGH = F32(-TOLERANCE), F32(1 + TOLERANCE)
CUBE_FROM, LINE_SLOPE, LINE_OFFSET = F32(DELTA), F32(116 / KAPPA), F32(16 / KAPPA)
(RX, RY, RZ), (GX, GY, GZ), (BX, BY, BZ) = (np.array(XYZ_TO_SRGB) * WHITE_D65).astype(np.float32)
STEPS_TO_WHITE = 1 << 14
_linear = np.arange(STEPS_TO_WHITE + 1) / STEPS_TO_WHITE
_encoded = np.where(_linear > 0.04045 / 12.92, 1.055 * _linear ** (1 / 2.4) - 0.055, 12.92 * _linear)
ENCODED = np.rint(255 * _encoded).astype(np.uint8)
"""8-bit sRGB of even steps of linear sRGB: at black, where sRGB is steepest, five steps make a level."""

INDEX, FLOATS = numba.int64, numba.float32
ARGUMENTS = (
    INDEX, INDEX, numba.types.Array(FLOATS, 2, "C", readonly=True), FLOATS[:, ::1], FLOATS[:, :, ::1],
    FLOATS, FLOATS, FLOATS,
)  # fmt: skip
# sums may be reordered into fused multiply-adds; infinities and NaN keep their meaning
FAST = {"arcp", "contract", "nsz"}


Floats = NDArray[np.float32]


@compiled(inline="always")
def _gaussian(x: F32) -> F32:
    """Return exp(−x²/2) by exp(−y) ≈ (1 − z + z²/2)⁶⁴, z = y/64: off by at most 2·10⁻⁵, and vectorized."""
    z = min(x * x * F32(1 / 128), ONE)
    g = ONE - z + z * z * HALF
    g *= g
    g *= g
    g *= g
    g *= g
    g *= g
    g *= g
    return g


@compiled(fastmath=FAST)
def _weigh(
    lightness: Floats,
    small_lightness: Floats,
    per_sigma: F32,
    floor: F32,
    weight_y: Floats,
    weight_x: Floats,
    weights: Floats,
    total: Floats,
) -> None:
    """Compute each tap's weight, and one over their sum."""
    total[:] = ZERO
    for t in range(TAPS * TAPS):
        tap_lightness, i, j = small_lightness[t], t // TAPS, t % TAPS
        for k in range(len(total)):
            alike = _gaussian((lightness[k] - tap_lightness) * per_sigma) + floor
            weight = alike * (weight_y[i, k] * weight_x[j, k])
            weights[t, k] = weight
            total[k] += weight
    for k in range(len(total)):
        total[k] = ONE / total[k]


@compiled(fastmath=FAST)
def _average(small_chroma: Floats, weights: Floats, total: Floats, start: int, opponents: Floats) -> None:
    for c in range(len(opponents)):
        sums = opponents[c, start : start + len(total)]
        sums[:] = ZERO
        for t in range(0, TAPS * TAPS, TAPS):  # a row of taps at once, for a fifth of the loads and stores of sums
            s0, s1, s2 = small_chroma[t, c], small_chroma[t + 1, c], small_chroma[t + 2, c]
            s3, s4 = small_chroma[t + 3, c], small_chroma[t + 4, c]
            for k in range(len(sums)):
                sums[k] += (
                    s0 * weights[t, k]
                    + s1 * weights[t + 1, k]
                    + s2 * weights[t + 2, k]
                    + s3 * weights[t + 3, k]
                    + s4 * weights[t + 4, k]
                )
        for k in range(len(sums)):
            sums[k] *= total[k]


@compiled(inline="always")
def _nearest(at: int, size: int, small: int) -> int:
    """Return the small map's pixel nearest to a pixel along an axis of `size`."""
    return (2 * at + 1) * small // (2 * size)


@compiled(inline="always")
def _next_taps(at: int, size: int, small: int) -> int:
    """Return the first pixel after `at`, along an axis of `size`, that has other taps."""
    return -((small - 2 * (_nearest(at, size, small) + 1) * size) // (2 * small))


@compiled(fastmath=FAST)
def _weigh_axis(start: int, count: int, size: int, small: int, per_sigma: F32, weights: Floats) -> None:
    """Compute the spatial weights of the pixels from `start` on, which share their taps, along an axis of `size`."""
    nearest = _nearest(start, size, small)
    for j in range(TAPS):
        for k in range(count):
            distance = (start + k + 0.5) * small / size - (nearest + j - TAPS // 2 + 0.5)
            weights[j, k] = _gaussian(F32(distance) * per_sigma)


@compiled(inline="always")
def _inverse_f(f: F32) -> F32:
    return f * f * f if f > CUBE_FROM else f * LINE_SLOPE - LINE_OFFSET


@compiled(inline="always")
def _linear_rgb(f: F32, dx: F32, dz: F32) -> tuple[F32, F32, F32]:
    x, y, z = _inverse_f(f + dx), _inverse_f(f), _inverse_f(f + dz)
    return RX * x + RY * y + RZ * z, GX * x + GY * y + GZ * z, BX * x + BY * y + BZ * z


@compiled(inline="always")
def _is_inside(red: F32, green: F32, blue: F32) -> np.bool:
    return min(red, min(green, blue)) >= LOW and max(red, max(green, blue)) <= HIGH


@compiled(fastmath=FAST)
def _to_linear(f: Floats, dx: Floats, dz: Floats, linear: Floats) -> None:
    for k in range(len(f)):
        red, green, blue = _linear_rgb(f[k], dx[k], dz[k])
        linear[0, k] = red
        linear[1, k] = green
        linear[2, k] = blue


@compiled(fastmath=FAST)
def _map_to_gamut(f: Floats, dx: Floats, dz: Floats, linear: Floats, packed: Floats, origin: NDArray[np.int64]) -> None:
    """Bisect the chroma of the colors outside of sRGB, packed side by side, and rewrite their linear sRGB."""
    count = 0
    for k in range(len(f)):
        if not _is_inside(linear[0, k], linear[1, k], linear[2, k]):
            packed[0, count] = f[k]
            packed[1, count] = dx[k]
            packed[2, count] = dz[k]
            origin[count] = k
            count += 1
    lower, upper = packed[3], packed[4]
    lower[:count] = ZERO
    upper[:count] = ONE
    for _ in range(STEPS):
        for k in range(count):
            factor = (lower[k] + upper[k]) * HALF
            red, green, blue = _linear_rgb(packed[0, k], factor * packed[1, k], factor * packed[2, k])
            inside = _is_inside(red, green, blue)
            lower[k] = factor if inside else lower[k]
            upper[k] = upper[k] if inside else factor
    for k in range(count):
        red, green, blue = _linear_rgb(packed[0, k], lower[k] * packed[1, k], lower[k] * packed[2, k])
        linear[0, origin[k]] = red
        linear[1, origin[k]] = green
        linear[2, origin[k]] = blue


@compiled(fastmath=FAST)
def _encode(linear: Floats, start: int, pixels: NDArray[np.uint8]) -> None:
    for k in range(len(pixels)):
        for channel in range(3):
            step = int(linear[channel, start + k] * F32(STEPS_TO_WHITE) + HALF)
            pixels[k, channel] = ENCODED[min(max(step, 0), STEPS_TO_WHITE)]


@compiled(fastmath=FAST)
def _average_block(
    top: int,
    bottom: int,
    left: int,
    right: int,
    lightness: Floats,
    guide: Floats,
    chroma: Floats,
    per_sigma_space: F32,
    per_sigma_lightness: F32,
    floor: F32,
    start: int,
    span: Floats,
    opponents: Floats,
) -> None:
    """Upsample pixels that share their taps: rows top … bottom − 1, columns left … right − 1.

    Row by row from `start` on, their lightness goes to `span`, their chroma to `opponents`.
    """
    height, width = lightness.shape
    rows, columns, channels = chroma.shape
    small_lightness = np.empty(TAPS * TAPS, np.float32)
    small_chroma = np.empty((TAPS * TAPS, channels), np.float32)
    along_y = np.empty((TAPS, BLOCK), np.float32)
    along_x = np.empty((TAPS, BLOCK), np.float32)
    weight_y = np.empty((TAPS, BLOCK), np.float32)
    weight_x = np.empty((TAPS, BLOCK), np.float32)
    weights = np.empty((TAPS * TAPS, BLOCK), np.float32)
    total = np.empty(BLOCK, np.float32)
    across, deep = right - left, bottom - top
    lanes = -(-(deep * across) // LANES) * LANES
    _weigh_axis(top, deep, height, rows, per_sigma_space, along_y)
    _weigh_axis(left, across, width, columns, per_sigma_space, along_x)
    for i in range(deep):
        for k in range(across):
            span[start + i * across + k] = lightness[top + i, left + k]
    for j in range(TAPS):
        for i in range(deep):
            along = along_y[j, i]
            for k in range(across):
                weight_y[j, i * across + k] = along
                weight_x[j, i * across + k] = along_x[j, k]
        for k in range(deep * across, lanes):
            weight_y[j, k] = ONE
            weight_x[j, k] = ONE
    nearest_y, nearest_x = _nearest(top, height, rows), _nearest(left, width, columns)
    for i in range(TAPS):
        tap_y = min(max(nearest_y + i - TAPS // 2, 0), rows - 1)
        for j in range(TAPS):
            tap_x = min(max(nearest_x + j - TAPS // 2, 0), columns - 1)
            small_lightness[i * TAPS + j] = guide[tap_y, tap_x]
            for c in range(channels):
                small_chroma[i * TAPS + j, c] = chroma[tap_y, tap_x, c]
    block, its_total = span[start : start + lanes], total[:lanes]
    _weigh(block, small_lightness, per_sigma_lightness, floor, weight_y, weight_x, weights, its_total)
    _average(small_chroma, weights, its_total, start, opponents)


@compiled(numba.void(*ARGUMENTS[2:], FLOATS[:, :, :, :, ::1]), cache=True, nogil=True, fastmath=FAST)
def average_squares(
    lightness: Floats,
    guide: Floats,
    chroma: Floats,
    per_sigma_space: F32,
    per_sigma_lightness: F32,
    floor: F32,
    out: Floats,
) -> None:
    """Write chroma upsampled to a size that is a multiple of the small one: `out`, (h, s, w, s, 2N).

    Such pixels lie at the same places in every square of s×s, so whole rows of squares are averaged at once.
    lightness: (h·s, w·s) L*. See `fill_rows` for the others.
    """
    rows, scale, columns, _, channels = out.shape
    reach = TAPS // 2
    along = np.empty((TAPS, scale), np.float32)
    near_lightness = np.empty((TAPS, columns + 2 * reach), np.float32)
    near_chroma = np.empty((TAPS, channels, columns + 2 * reach), np.float32)
    own = np.empty(columns, np.float32)
    weights = np.empty((TAPS * TAPS, columns), np.float32)
    total = np.empty(columns, np.float32)
    _weigh_axis(0, scale, scale, 1, per_sigma_space, along)
    for row in range(rows):
        for i in range(TAPS):
            tap_y = min(max(row + i - reach, 0), rows - 1)
            for x in range(columns + 2 * reach):
                tap_x = min(max(x - reach, 0), columns - 1)
                near_lightness[i, x] = guide[tap_y, tap_x]
                for c in range(channels):
                    near_chroma[i, c, x] = chroma[tap_y, tap_x, c]
        for y in range(scale):
            for x in range(scale):
                for k in range(columns):
                    own[k] = lightness[row * scale + y, k * scale + x]
                    total[k] = ZERO
                for t in range(TAPS * TAPS):
                    i, j = t // TAPS, t % TAPS
                    far = along[i, y] * along[j, x]
                    for k in range(columns):
                        alike = _gaussian((own[k] - near_lightness[i, k + j]) * per_sigma_lightness) + floor
                        weight = alike * far
                        weights[t, k] = weight
                        total[k] += weight
                for k in range(columns):
                    total[k] = ONE / total[k]
                for c in range(channels):
                    sums = own  # no longer needed
                    sums[:] = ZERO
                    for i in range(TAPS):
                        near, first = near_chroma[i, c], i * TAPS
                        for k in range(columns):
                            sums[k] += (
                                near[k] * weights[first, k]
                                + near[k + 1] * weights[first + 1, k]
                                + near[k + 2] * weights[first + 2, k]
                                + near[k + 3] * weights[first + 3, k]
                                + near[k + 4] * weights[first + 4, k]
                            )
                    for k in range(columns):
                        out[row, y, k, x, c] = sums[k] * total[k]


@compiled(numba.void(*ARGUMENTS, numba.uint8[:, :, :, ::1]), cache=True, nogil=True, fastmath=FAST)
def fill_rows(
    first: int,
    last: int,
    lightness: Floats,
    guide: Floats,
    chroma: Floats,
    per_sigma_space: F32,
    per_sigma_lightness: F32,
    floor: F32,
    out: NDArray[np.uint8],
) -> None:
    """Write rows first … last − 1 of `out`, (N, H, W, 3): sRGB of the upsampled chroma, mapped to the gamut.

    lightness: (H, W) L*. guide: (h, w) its small twin. chroma: (h, w, 2N), a*/500 and −b*/200 of each map in turn.
    per_sigma_…: one over the standard deviations of the Gaussians. floor: weight of a different lightness.
    """
    height, width = lightness.shape
    rows, columns, channels = chroma.shape
    span = np.zeros(SPAN + LANES, np.float32)
    opponents = np.empty((channels, SPAN + LANES), np.float32)
    linear = np.empty((3, SPAN), np.float32)
    packed = np.empty((5, SPAN), np.float32)
    origin = np.empty(SPAN, np.int64)
    lefts = np.empty(SPAN + 1, np.int64)
    numbers = per_sigma_space, per_sigma_lightness, floor
    deepest = max(1, BLOCK // -(-width // columns))
    top = first
    while top < last:
        bottom = min(_next_taps(top, height, rows), top + deepest, last)
        left = 0
        while left < width:
            blocks, pixels = 0, 0
            while left < width and pixels + BLOCK <= SPAN:
                right = min(_next_taps(left, width, columns), left + BLOCK // (bottom - top), width)
                _average_block(top, bottom, left, right, lightness, guide, chroma, *numbers, pixels, span, opponents)
                lefts[blocks] = left
                blocks += 1
                pixels += (bottom - top) * (right - left)
                left = right
            lefts[blocks] = left
            f = span[:pixels]
            for k in range(pixels):
                f[k] = (f[k] + F32(16)) / F32(116)
            for m in range(len(out)):
                dx, dz = opponents[2 * m], opponents[2 * m + 1]
                _to_linear(f, dx, dz, linear)
                _map_to_gamut(f, dx, dz, linear, packed, origin)
                start = 0
                for b in range(blocks):
                    for y in range(top, bottom):
                        _encode(linear, start, out[m, y, lefts[b] : lefts[b + 1]])
                        start += lefts[b + 1] - lefts[b]
        top = bottom
