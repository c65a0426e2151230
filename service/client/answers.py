"""Answers: those of the interface, and images in them as bytes, as Pillow images and as files."""

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
        """The file, opened by Pillow; decoded when it is first looked at."""
        return Image.open(BytesIO(self.content))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the file, whatever its name ends with."""
        Path(path).write_bytes(self.content)


class ColorizationResponse(schemas.ColorizationResponse):
    """N colorings of one photo."""

    data: list[Coloring]  # type: ignore[assignment]  # a list is invariant, but nobody appends to an answer's
