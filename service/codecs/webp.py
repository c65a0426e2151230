"""Size of a WebP, read from its first bytes: Pillow allocates the whole canvas when it opens the file."""

__all__ = ["webp_size"]

HEADER_BYTES = 30


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of the canvas, or None if there's no such header.

    Source: the WebP container specification, and RFC 6386 and RFC 9649 for the two bitstreams.
    """
    kind, header = data[12:16], data[:HEADER_BYTES]
    if len(header) < HEADER_BYTES:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(header[24:27], "little"), 1 + int.from_bytes(header[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(header[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(header[26:28], "little") & 0x3FFF, int.from_bytes(header[28:30], "little") & 0x3FFF
    return None
