"""Decoded photos, and their transfer between processes."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["DecodedPhoto", "Photo"]

Photo = NDArray[np.uint8] | NDArray[np.uint16]
"""`model.protocol.Photo`, without which a decoder starts faster"""


@dataclass(frozen=True)
class DecodedPhoto:
    """A photo upright, in sRGB."""

    pixels: Photo
    """(H, W) gray of 8 or 16 bits, or (H, W, 3) sRGB of 8 bits"""
    alpha: NDArray[np.uint8] | None
    """(H, W), 255 = opaque; None if every pixel is opaque"""

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def fitted(self, max_side: int) -> "DecodedPhoto":
        """Return the photo shrunk so that no side is longer than this; itself if it fits.

        Pixels are averaged over area, and count the less the more transparent they are.
        """
        if max(self.width, self.height) <= max_side:
            return self
        scale = max_side / max(self.width, self.height)
        size = max(1, round(scale * self.width)), max(1, round(scale * self.height))
        if self.alpha is None:
            return DecodedPhoto(cast(Photo, _shrunk(self.pixels, size)), None)
        weight = np.maximum(self.alpha, 1).astype(np.float32)  # where nothing is opaque, all count the same
        weights, channels = _shrunk(weight, size), np.atleast_3d(self.pixels)
        means = [_shrunk(np.multiply(channels[..., c], weight), size) / weights for c in range(channels.shape[2])]
        pixels = np.rint(np.stack(means, -1)).reshape(weights.shape + self.pixels.shape[2:])
        return DecodedPhoto(cast(Photo, pixels.astype(self.pixels.dtype)), _shrunk(self.alpha, size))

    def packed(self) -> tuple[dict[str, Any], list[memoryview]]:
        """Return a description, and the arrays as bytes, for another process."""
        arrays = [self.pixels] if self.alpha is None else [self.pixels, self.alpha]
        note = {"shape": self.pixels.shape, "type": self.pixels.dtype.name, "alpha": self.alpha is not None}
        return note, [np.ascontiguousarray(array).data for array in arrays]

    @staticmethod
    def unpacked(note: dict[str, Any], contents: memoryview, most: int) -> "DecodedPhoto":
        """Undo `packed`, whose arrays follow each other in `contents`; they are shared, not copied.

        Raises ValueError for anything but a photo of at most `most` pixels: the sender is not trusted.
        """
        shape, kind = tuple(note["shape"]), np.dtype(note["type"])
        is_gray = len(shape) == 2 and kind in (np.uint8, np.uint16)
        is_color = len(shape) == 3 and shape[2] == 3 and kind == np.uint8
        if not (is_gray or is_color) or min(shape) < 1 or shape[0] * shape[1] > most:
            raise ValueError(f"{kind} of shape {shape} is no photo of at most {most} pixels")
        pixels = np.frombuffer(contents, kind, int(np.prod(shape))).reshape(shape)
        alpha = np.frombuffer(contents, np.uint8, offset=pixels.nbytes).reshape(shape[:2]) if note["alpha"] else None
        return DecodedPhoto(pixels, alpha)


def _shrunk(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Average pixels, (H, W) or (H, W, C), over area. size: width and height."""
    import cv2  # late: decoders start without it

    return cast(NDArray[Any], cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
