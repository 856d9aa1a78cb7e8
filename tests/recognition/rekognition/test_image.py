import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.recognition.engine.face_engine import UndecodablePhoto
from services.recognition.indexes.rekognition.image import (
    LONG_SIDE,
    MAX_BYTES,
    MIN_SIDE,
    ImagePreparer,
)
from services.recognition.indexes.rekognition.prepared_image import PreparedImage


def prepare(folder: Path, image: Image.Image, **options: object) -> PreparedImage:
    path = folder / "photo.jpg"
    image.save(path, "JPEG", quality=95, **options)
    return ImagePreparer()(path)


def opened(prepared: PreparedImage) -> Image.Image:
    return Image.open(io.BytesIO(prepared.jpeg))


def test_a_large_photo_is_scaled_to_what_the_service_needs(tmp_path: Path) -> None:
    prepared = prepare(tmp_path, Image.new("RGB", (4000, 3000), "teal"))
    assert opened(prepared).size == (LONG_SIDE, 1440)
    assert (prepared.width, prepared.height) == (4000, 3000)
    assert prepared.placeholder


def test_noise_is_compressed_until_it_fits(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1920, 1920, 3), np.uint8)
    prepared = prepare(tmp_path, Image.fromarray(noise))
    assert len(prepared.jpeg) <= MAX_BYTES


def test_the_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # turned by 90 degrees
    prepared = prepare(tmp_path, Image.new("RGB", (400, 300), "teal"), exif=exif)
    across, down = opened(prepared).size
    assert across < down
    assert (prepared.width, prepared.height) == (300, 400)
    assert not opened(prepared).getexif()


def test_a_narrow_strip_is_drawn_out_to_the_least_that_is_taken(tmp_path: Path) -> None:
    prepared = prepare(tmp_path, Image.new("RGB", (900, 20), "teal"))
    assert min(opened(prepared).size) >= MIN_SIDE


def test_what_is_no_photo_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"no photo")
    with pytest.raises(UndecodablePhoto):
        ImagePreparer()(path)
