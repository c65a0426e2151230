"""Work at a photo's own size, before and after the network. Needs no weights, so another machine can do it."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from model.drawing.hints import match_hints
from model.options import PLAIN, Look
from model.pixels.color import photo_to_lightness
from model.pixels.frame import find_frame
from model.pixels.resizing import photo_to_chroma, squeeze_lightness, stretch_contrast
from model.pixels.upsampling import upsample_to_rgb
from model.protocol import IMAGES_BYTES, NO_FRAME, Drawn, Finished, Frame, Photo, SmallPhoto

__all__ = ["Scaler", "adjust", "paint"]

WARM = np.array([2.4, 17.7], np.float32)
"""a*b* of D50, the light of a late afternoon, seen from D65: a warmth of 1 adds them. Source: CIE 15:2004."""
GRAY = np.zeros((1, 2, 2, 2), np.float32)
"""a*b* of a frame"""


def adjust(chroma: NDArray[np.float32], look: Look) -> NDArray[np.float32]:
    """Scale and shift (N, 2, h, w) a*b*. Upsampling is a weighted mean, so this is the same as at full size."""
    if (look.saturation, look.warmth) == (1, 0):
        return chroma
    return chroma * np.float32(look.saturation) + WARM[:, None, None] * np.float32(look.warmth)


def paint(
    chroma: NDArray[np.float32], lightness: NDArray[np.float32], frame: Frame = NO_FRAME, look: Look = PLAIN
) -> NDArray[np.uint8]:
    """Join N small a*b* maps of the photo inside a frame with the lightness of the whole photo.

    chroma: (N, 2, h, w) a*b*. lightness: (H, W) L*. Returns (N, H, W, 3) sRGB. Raises the errors of `upsample_to_rgb`.
    """
    inside = frame.inside(lightness.shape)
    images = upsample_to_rgb(adjust(chroma, look), lightness[inside])
    if frame == NO_FRAME:
        return images
    whole = np.repeat(upsample_to_rgb(adjust(GRAY, look), lightness), len(images), 0)
    whole[:, *inside] = images
    return whole


class Scaler:
    """Resizes photos for the network, and samples to the photos' sizes; see `model.protocol.Colorizer`.

    Thread-safe.
    """

    def __init__(self, chroma_size: int) -> None:
        """chroma_size: side of the network's a*b* maps, in pixels."""
        self._chroma_size = chroma_size

    def shrink(self, photo: Photo, with_chroma: bool = False) -> SmallPhoto:
        lightness = photo_to_lightness(photo)
        frame = find_frame(lightness)
        inside = frame.inside(photo.shape)
        chroma = photo_to_chroma(photo[inside], self._chroma_size) if with_chroma else None
        lightness = lightness[inside]
        squeezed = squeeze_lightness(lightness)
        return SmallPhoto(stretch_contrast(squeezed), squeezed.clip(0, 100), chroma, frame, max(lightness.shape))

    def finish(self, photo: Photo, drawn: Drawn, look: Look = PLAIN) -> Iterator[Finished]:
        height, width = photo.shape[:2]
        most = max(1, IMAGES_BYTES // (3 * height * width))  # they share weights, the slowest part
        for chroma in np.array_split(drawn.chroma, -(-len(drawn.chroma) // most)):
            images = paint(chroma, photo_to_lightness(photo), drawn.frame, look)  # L* is not kept while a client reads
            matches = match_hints(images, drawn.hints) if drawn.hints else ((),) * len(images)
            yield from map(Finished, images, matches)
            del images, matches  # before the next are made
