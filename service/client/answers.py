"""Answers of the interface, with their images as bytes, Pillow images and files."""

import base64
from io import BytesIO
from os import PathLike
from pathlib import Path

from PIL import Image

from service.api import schemas

__all__ = ["Coloring", "ColorizationResponse"]


class Coloring(schemas.Coloring):
    """One sample."""

    @property
    def content(self) -> bytes:
        """The file's bytes, of type `media_type`."""
        return base64.b64decode(self.b64_json)

    @property
    def image(self) -> Image.Image:
        """The file, opened by Pillow, which decodes it at first use."""
        return Image.open(BytesIO(self.content))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the file in its own format, whatever the suffix of its name."""
        Path(path).write_bytes(self.content)


class ColorizationResponse(schemas.ColorizationResponse):
    """N colorings of one photo."""

    data: list[Coloring]  # type: ignore[assignment]  # lists are invariant, but nobody appends to this one
