import base64
import math

import numpy as np
import numpy.typing as npt
import pytest

from services.recognition.engine import thumbhash
from tests.support.faces import astronaut

RGB = npt.NDArray[np.uint8]


def published(rgb: RGB) -> bytes:
    """The published encoder for opaque pictures of at most 100 pixels, step by step."""
    height, width, _ = rgb.shape
    values = rgb.astype(float) / 255
    red, green, blue = values[..., 0], values[..., 1], values[..., 2]

    def half_up(value: float) -> int:
        return math.floor(value + 0.5)

    def channel(of: npt.NDArray[np.float64], nx: int, ny: int) -> tuple[float, list[float], float]:
        mean, terms, scale = 0.0, [], 0.0
        for cy in range(ny):
            cx = 0
            while cx * ny < nx * (ny - cy):
                total = 0.0
                for y in range(height):
                    fy = math.cos(math.pi / height * cy * (y + 0.5))
                    for x in range(width):
                        total += of[y, x] * math.cos(math.pi / width * cx * (x + 0.5)) * fy
                total /= width * height
                if cx or cy:
                    terms.append(total)
                    scale = max(scale, abs(total))
                else:
                    mean = total
                cx += 1
        return mean, [0.5 + 0.5 / scale * term for term in terms] if scale else terms, scale

    lx = max(1, half_up(7 * width / max(width, height)))
    ly = max(1, half_up(7 * height / max(width, height)))
    l_mean, l_terms, l_scale = channel((red + green + blue) / 3, max(3, lx), max(3, ly))
    p_mean, p_terms, p_scale = channel((red + green) / 2 - blue, 3, 3)
    q_mean, q_terms, q_scale = channel(red - green, 3, 3)
    header24 = (
        half_up(63 * l_mean)
        | half_up(31.5 + 31.5 * p_mean) << 6
        | half_up(31.5 + 31.5 * q_mean) << 12
        | half_up(31 * l_scale) << 18
    )
    header16 = (
        (ly if width > height else lx)
        | half_up(63 * p_scale) << 3
        | half_up(63 * q_scale) << 9
        | (width > height) << 15
    )
    out = bytearray(header24.to_bytes(3, "little") + header16.to_bytes(2, "little"))
    for index, term in enumerate([*l_terms, *p_terms, *q_terms]):
        if index % 2 == 0:
            out.append(0)
        out[-1] |= half_up(15 * term) << (4 * (index % 2))
    return bytes(out)


@pytest.mark.parametrize("size", [(32, 20), (20, 32), (24, 24), (40, 3)])
def test_the_hash_is_that_of_the_published_algorithm(size: tuple[int, int]) -> None:
    picture = np.asarray(astronaut().resize(size))
    assert base64.b64decode(thumbhash.encode(picture)) == published(picture)


def test_a_large_picture_has_nearly_the_hash_of_its_reduction() -> None:
    large = base64.b64decode(thumbhash.encode(np.asarray(astronaut())))
    small = base64.b64decode(thumbhash.encode(np.asarray(astronaut().resize((100, 100)))))
    assert len(large) == len(small)
    differences = [
        abs((one >> shift & 15) - (other >> shift & 15))
        for one, other in zip(large[5:], small[5:], strict=True)
        for shift in (0, 4)
    ]
    assert max(differences) <= 2


def test_a_flat_picture_says_its_colour() -> None:
    header = base64.b64decode(thumbhash.encode(np.full((30, 40, 3), 255, np.uint8)))[:5]
    assert header[0] & 63 == 63
    assert header[4] >> 7 == 1  # landscape


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (1600, 1, 3)])
def test_extreme_shapes_have_a_hash_of_at_most_25_bytes(shape: tuple[int, int, int]) -> None:
    assert 5 < len(base64.b64decode(thumbhash.encode(np.zeros(shape, np.uint8)))) <= 25
