"""AVIF by AV1's own size, where the container tells another one."""

import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from libs.common.images.av1 import MAX_UNITS, largest_frame
from services.ingest.images.header import UnusableImage, read_header
from services.media.renditions.decoding import CannotDecode
from services.media.renditions.rendition_worker import render
from services.recognition.engine.decode import decode
from services.recognition.engine.face_engine import UndecodablePhoto

SIZE = (2000, 1500)
CLAIMED = (64, 48)


def avif(size: tuple[int, int] = SIZE, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, "AVIF", speed=10, **options)
    return file.getvalue()


def claiming(content: bytes, size: tuple[int, int] = CLAIMED) -> bytes:
    """Return the file with another size in its container: of the picture and of a track."""
    true = struct.pack(">II", *SIZE)
    assert true in content
    fixed = struct.pack(">II", *(side << 16 for side in SIZE))
    content = content.replace(fixed, struct.pack(">II", *(side << 16 for side in size)))
    return content.replace(true, struct.pack(">II", *size))


@pytest.mark.parametrize("size", [(1, 1), (64, 48), (1000, 37), (4096, 17)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_the_size_is_that_of_the_picture(size: tuple[int, int], mode: str) -> None:
    assert largest_frame(avif(size, mode)) == size


def of_two() -> bytes:
    return avif(save_all=True, append_images=[Image.new("RGB", SIZE, "red")])


@pytest.mark.parametrize("content", [avif(), of_two()], ids=["one", "sequence"])
def test_what_is_larger_than_it_claims_is_refused_everywhere(
    content: bytes, tmp_path: Path
) -> None:
    small = claiming(content)
    assert largest_frame(small) == SIZE
    file = tmp_path / "photo.avif"
    file.write_bytes(small)
    with pytest.raises(UnusableImage, match="2000 x 1500 pixels"):
        read_header(small, max_pixels=1_000_000)
    with pytest.raises(CannotDecode, match="more than 1 megapixels"):
        render(str(file), 400, 1_000_000)
    with pytest.raises(UndecodablePhoto):
        decode(file, pixel_limit=1_000_000)
    assert read_header(small, max_pixels=3_000_000).width == CLAIMED[0]


def test_the_picture_itself_is_asked_where_the_configuration_says_nothing() -> None:
    content = avif()
    at = content.index(b"av1C")
    length = int.from_bytes(content[at - 4 : at], "big")
    # What follows the four bytes of the configuration becomes padding (OBU_PADDING, sized).
    units = length - 12
    padding = bytes([0b0111_1010, units - 2]) + bytes(units - 2) if units >= 2 else b""
    bare = content[: at + 8] + padding + content[at + 8 + len(padding) :]
    assert largest_frame(bare) == SIZE


def test_what_is_cut_off_tells_nothing_and_what_is_crafted_is_refused() -> None:
    content = avif()
    for end in range(0, len(content), 7):
        try:
            assert largest_frame(content[:end]) in {SIZE, (0, 0)}
        except (ValueError, LookupError, struct.error):
            continue
    at = content.index(b"mdat") + 4
    many = content[:at] + bytes([0b0001_0010, 0]) * (MAX_UNITS + 1)
    length = struct.pack(">I", len(many) - at)
    iloc = content.index(b"iloc")
    with pytest.raises(ValueError, match="too many units"):
        largest_frame(many[: iloc + 22] + length + many[iloc + 26 :])
