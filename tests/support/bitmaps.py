"""BMP files as programs write them, and as nobody should."""

import io
import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

#: Of BITMAPINFOHEADER's compressions.
PLAIN, RLE8, RLE4, BITFIELDS, JPEG = range(5)


def header(
    width: int,
    height: int,
    bits: int = 24,
    *,
    compression: int = PLAIN,
    colours: int = 0,
    header_bytes: int = 40,
    masks: tuple[int, ...] = (),
    pixels_at: int | None = None,
    profile: tuple[bytes, int, int] = (bytes(4), 0, 0),
) -> bytes:
    """Return the headers alone; the profile is its kind, where it begins, and its length."""
    if header_bytes == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHI", header_bytes, width, height, 1, bits, compression)
        info += struct.pack("<IiiII", 0, 2835, 2835, colours, 0)
        if header_bytes > 40:
            info += struct.pack(f"<{len(masks)}I", *masks).ljust(16, b"\0")
            info = info[:56].ljust(112, b"\0") if header_bytes > 56 else info
            info = info[:56] + profile[0] + info[60:] if header_bytes > 56 else info
            info = info.ljust(header_bytes, b"\0")[:header_bytes]
        if header_bytes == 124:
            info = info[:112] + struct.pack("<II", *profile[1:]) + bytes(4)
    told = info + (struct.pack(f"<{len(masks)}I", *masks) if header_bytes == 40 else b"")
    table = 0 if bits > 8 else (colours or 1 << bits) * (3 if header_bytes == 12 else 4)
    at = 14 + len(told) + table if pixels_at is None else pixels_at
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, min(at, 2**32 - 1)) + told


def lines(samples: npt.NDArray[np.uint8], *, is_top_down: bool = False) -> bytes:
    """Return lines of bytes (height, bytes) as they lie in the file: from below, each filled up."""
    ordered = samples if is_top_down else samples[::-1]
    return np.pad(ordered, ((0, 0), (0, -samples.shape[1] % 4))).tobytes()


def bitmaps(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Yield the picture, of few colours, in every kind that is taken, by a name."""
    width, height = picture.size
    rgb = np.asarray(picture.convert("RGB"))
    bgr = rgb[..., ::-1]
    alpha = np.full((height, width, 1), 255, np.uint8)
    blank = np.zeros_like(alpha)

    def flat(*parts: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return np.concatenate(parts, axis=2).reshape(height, -1)

    yield "24", header(width, height) + lines(flat(bgr))
    yield "24-top-down", header(width, -height) + lines(flat(bgr), is_top_down=True)
    yield "24-os2", header(width, height, header_bytes=12) + lines(flat(bgr))
    yield "24-os2-second", header(width, height, header_bytes=64) + lines(flat(bgr))
    yield "24-v5", header(width, height, header_bytes=124) + lines(flat(bgr))
    yield "24-no-offset", header(width, height, pixels_at=0) + lines(flat(bgr))
    yield "32", header(width, height, 32) + lines(flat(bgr, blank))
    told = (0xFF0000, 0xFF00, 0xFF)
    yield (
        "32-masks",
        header(width, height, 32, compression=BITFIELDS, masks=told) + lines(flat(bgr, blank)),
    )
    told = (0xFF000000, 0xFF0000, 0xFF00)
    yield (
        "32-other-masks",
        header(width, height, 32, compression=BITFIELDS, masks=told) + lines(flat(blank, bgr)),
    )
    see_through = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    for name, opacity in (("32-v4", alpha), ("32-v4-without-alpha", blank)):
        yield (
            name,
            header(width, height, 32, compression=BITFIELDS, header_bytes=108, masks=see_through)
            + lines(flat(bgr, opacity)),
        )
    yield from _of_16_bits(rgb)
    yield from _of_palettes(picture)


def _of_16_bits(rgb: npt.NDArray[np.uint8]) -> Iterator[tuple[str, bytes]]:
    height, width = rgb.shape[:2]
    red, green, blue = (rgb[..., at].astype(np.uint16) for at in range(3))
    fives = (red >> 3) << 10 | (green >> 3) << 5 | blue >> 3
    samples = fives.astype("<u2").view(np.uint8).reshape(height, -1)
    yield "16", header(width, height, 16) + lines(samples)
    sixes = (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3
    samples = sixes.astype("<u2").view(np.uint8).reshape(height, -1)
    masks = (0xF800, 0x7E0, 0x1F)
    yield (
        "16-masks",
        header(width, height, 16, compression=BITFIELDS, masks=masks) + lines(samples),
    )


def _of_palettes(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    width, height = picture.size
    few = picture.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    indices = np.asarray(few)
    table = np.zeros((256, 4), np.uint8)
    known = np.array(few.getpalette("RGB"), np.uint8).reshape(-1, 3)
    table[: len(known), :3] = known[:, ::-1]
    yield "8", header(width, height, 8) + table.tobytes() + lines(indices)
    told = header(width, height, 8, colours=16)
    yield "8-of-16-colours", told + table[:16].tobytes() + lines(indices)
    told = header(width, height, 8, header_bytes=12)
    yield "8-os2", told + np.ascontiguousarray(table[:, :3]).tobytes() + lines(indices)
    pairs = np.pad(indices, ((0, 0), (0, width % 2)))
    halves = (pairs[:, ::2] << 4 | pairs[:, 1::2]).astype(np.uint8)
    yield "4", header(width, height, 4) + table[:16].tobytes() + lines(halves)


def run_lengths(bits: int = 8) -> bytes:
    """Return one whose lines are a run each."""
    told = header(64, 48, bits, compression=RLE8 if bits == 8 else RLE4)
    return told + bytes(4 << bits) + bytes((64, 1)) * 48 + bytes((0, 1))


def refused_bitmaps() -> Iterator[tuple[str, bytes, str]]:
    """Yield those that no decoder of ours reads, with what is said of them."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG")
    yield "rle8", run_lengths(), "compressed pixels"
    yield "rle4", run_lengths(4), "compressed pixels"
    yield "jpeg", header(8, 8, 0, compression=JPEG) + file.getvalue(), "compressed pixels"
    yield "2-bits", header(64, 48, 2) + bytes(16) + bytes(64 * 48), "2 bits a pixel"
    deep = header(64, 48, 32, compression=BITFIELDS, masks=(0x3FF00000, 0xFFC00, 0x3FF))
    yield "10-bits", deep + bytes(64 * 48 * 4), "unusual channels"


def hostile_bitmaps() -> Iterator[tuple[str, bytes]]:
    """Yield those that lie, or end too early."""
    whole = dict(bitmaps(Image.effect_noise((320, 240), 60).convert("RGB")))
    for width, height in (
        (60_000, 60_000),
        (2**31 - 1, 1),
        (1, 2**31 - 1),
        (1, -(2**31)),
        (1, -(2**31) + 1),
        (12, -(1 << 24) - 1),
        (-64, 48),
        (0, 48),
        (64, 0),
        (14_000, 14_000),
        (14_000, -14_000),
        (5_000, 4_000),
    ):
        for bits in (1, 24):
            claimed = header(width, height, bits) + bytes(2000)
            yield f"BMP of {width} x {height} with {bits} bits", claimed
    yield "BMP of a core header's largest size", header(65_535, 65_535, header_bytes=12)
    yield "BMP whose pixels lie behind it", header(64, 48, pixels_at=2**32 - 1) + bytes(9216)
    for colours in (0, 257, 65_536, 65_537, 2**32 - 1):
        yield f"BMP of {colours} colours that are not there", header(64, 48, 8, colours=colours)
    for size in (0, 13, 41, 125, 2**32 - 1):
        content = whole["24"]
        yield f"BMP with a header of {size}", content[:14] + struct.pack("<I", size) + content[18:]
    # One byte more than Pillow's decoder of run lengths has to have to fill 50 GB.
    jump = bytes((0, 2, 255, 255)) * 4
    yield "BMP of jumps", header(200_000_000, 1, 8, compression=RLE8) + bytes(1024) + jump
    for name in ("24", "8", "32-v4", "24-os2"):
        yield f"BMP {name} cut off by a line", whole[name][: -4 * 320]
    claimed = header(64, 48, header_bytes=124, profile=(b"DEBM", 2**32 - 1, 2**32 - 1))
    yield "BMP of a profile without pixels", claimed
