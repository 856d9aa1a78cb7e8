"""A JPEG's segments up to its first scan (ITU T.81, B.1.1), as lenient as decoders are."""

from typing import Final

from libs.common.images.reading.steps import (
    MAX_BLOCK_BYTES,
    CutOff,
    Found,
    Metadata,
    Span,
    Steps,
    exactly,
)

_FILL: Final = 0xFF
_EOI, _SOS, _APP1, _APP13 = 0xD9, 0xDA, 0xE1, 0xED
#: Markers without a length: TEM, RST0 to RST7; 0 is none at all.
_BARE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xD8)})
#: Frames of every coding.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Those of pictures for eyes: cameras keep what their sensor saw in lossless ones.
LOSSY_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
#: What is looked through at a time for the next marker.
_SEARCHED_BYTES: Final = 4096

_EXIF: Final = b"Exif\0\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_IPTC: Final = b"Photoshop 3.0\0"
_MAX_HEAD_BYTES: Final = 32


def parse(frames: frozenset[int] = _FRAMES) -> Steps[Found]:
    """Return size and metadata; raises ValueError for what has no frame, or another one."""
    at = 2
    size: tuple[int, int] | None = None
    blocks = {name: _Block() for name in (_EXIF, _XMP, _IPTC)}
    while True:
        try:
            code, at = yield from _next_marker(at)
            if code in {_SOS, _EOI}:
                break
            length = max(2, int.from_bytes((yield from exactly(at, 2)), "big"))
        except CutOff:
            break  # what comes behind the frame may be behind what is read
        if code in _FRAMES:
            if code not in frames:
                msg = f"a frame of the kind {code - min(_FRAMES)}"
                raise ValueError(msg)
            frame = yield from exactly(at + 3, 4)
            size = int.from_bytes(frame[2:], "big"), int.from_bytes(frame[:2], "big")
        elif code in {_APP1, _APP13}:
            yield from _collect(at + 2, at + length, blocks)
        at += length
    if size is None:
        msg = "no frame header"
        raise ValueError(msg)
    return Found(*size, Metadata(*(blocks[name].joined() for name in (_EXIF, _XMP, _IPTC))))


def _next_marker(at: int) -> Steps[tuple[int, int]]:
    """Return a marker's code, and where its segment's length is; whatever lies before is skipped.

    Cameras leave bytes there, and every decoder passes over them.
    """
    while True:
        data = yield Span(at, 2)
        if len(data) < 2:
            raise CutOff
        if data[0] == _FILL and data[1] != _FILL and data[1] not in _BARE:
            return data[1], at + 2
        data = yield Span(at + 1, _SEARCHED_BYTES)
        found = data.find(_FILL)
        while 0 <= found < len(data) - 1 and data[found + 1] == _FILL:
            found += 1
        at += 1 + (found if found >= 0 else len(data))


class _Block:
    """Metadata out of one or more segments; what is too large is none."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self.parts: list[bytes] = []

    def joined(self) -> bytes:
        return b"".join(self.parts)


def _collect(start: int, end: int, blocks: dict[bytes, _Block]) -> Steps[None]:
    """Add a segment's content to the block that it is of; EXIF may have several."""
    head = yield Span(start, min(_MAX_HEAD_BYTES, end - start))
    for name, block in blocks.items():
        if head.startswith(name) and (name != _XMP or not block.size_bytes):
            length = end - start - len(name)
            block.size_bytes += length
            if block.size_bytes > MAX_BLOCK_BYTES:
                block.parts.clear()
            else:
                block.parts.append((yield Span(start + len(name), length)))
