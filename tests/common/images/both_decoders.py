"""Both of our decoders on a file's bytes: of the analysis, and of media."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from PIL import Image

from services.media.renditions.rendition_worker import render
from services.recognition.engine.decode import DecodedPhoto, decode
from tests.support.damaged_files import encoded
from tests.support.faces import astronaut

MAX_PIXELS = 10_000_000
#: libvips doubles small pictures before the analysis; what is compared here is not scaled.
SIDE = 512


@cache
def two_pictures(kind: str) -> tuple[bytes, bytes]:
    """A portrait and another picture, as that format."""
    options = {"TIFF": {"compression": "tiff_lzw"}}.get(kind, {})
    portrait = astronaut().resize((SIDE, SIDE))
    other = Image.effect_noise((SIDE, SIDE), 90).convert("RGB")
    return encoded(portrait, kind, **options), encoded(other, kind, **options)


def decoded(content: bytes, folder: Path) -> DecodedPhoto:
    path = folder / "photo"
    path.write_bytes(content)
    return decode(path, long_side=SIDE)


def rendered(content: bytes, folder: Path) -> bytes:
    path = folder / "photo"
    path.write_bytes(content)
    return render(str(path), 400, MAX_PIXELS)


@cache
def pixels_of(content: bytes) -> npt.NDArray[np.uint8]:
    """A whole file's pixels, decoded once for all that is compared with them."""
    with TemporaryDirectory() as folder:
        return decoded(content, Path(folder)).pixels


@cache
def rendition_of(content: bytes) -> bytes:
    """A whole file's rendition, made once for all that is compared with it."""
    with TemporaryDirectory() as folder:
        return rendered(content, Path(folder))


def assert_whole(content: bytes, of: bytes, folder: Path) -> None:
    """No pixel is another one than the clean file's, and nothing is said of it."""
    found = decoded(content, folder)
    assert (found.pixels == pixels_of(of)).all()
    assert found.damage is None
    assert rendered(content, folder) == rendition_of(of)
