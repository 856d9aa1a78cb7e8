"""ThumbHash: a blurred placeholder of a picture in about 25 bytes.

After the algorithm published by Evan Wallace (https://evanw.github.io/thumbhash/), for pictures
without transparency: the lowest frequencies of a cosine transform of lightness (L) and of two
colour differences (P: yellow-blue, Q: red-green), each quantized to four bits.
"""

import base64

import numpy as np
import numpy.typing as npt

from services.recognition.engine.face_engine import FloatArray

_MAX_SIDE = 100
_LIGHTNESS_FREQUENCIES = 7  # along the longer side
_COLOUR_FREQUENCIES = 3


def encode(rgb: npt.NDArray[np.uint8]) -> str:
    """Base64 of the hash of an RGB picture (height, width, 3) of any size."""
    # Every n-th pixel is enough: a transform's lowest terms average thousands of them anyway.
    step = -(-max(rgb.shape[:2]) // _MAX_SIDE)
    small = rgb[::step, ::step].astype(np.float32) / 255
    height, width = small.shape[:2]
    red, green, blue = np.moveaxis(small, -1, 0)

    longer = max(width, height)
    across = max(1, _round(_LIGHTNESS_FREQUENCIES * width / longer))
    down = max(1, _round(_LIGHTNESS_FREQUENCIES * height / longer))
    l_mean, l_terms, l_scale = _transform((red + green + blue) / 3, max(3, across), max(3, down))
    p_mean, p_terms, p_scale = _transform(
        (red + green) / 2 - blue, _COLOUR_FREQUENCIES, _COLOUR_FREQUENCIES
    )
    q_mean, q_terms, q_scale = _transform(red - green, _COLOUR_FREQUENCIES, _COLOUR_FREQUENCIES)

    landscape = width > height
    header = (
        _round(63 * l_mean)
        | _round(31.5 + 31.5 * p_mean) << 6
        | _round(31.5 + 31.5 * q_mean) << 12
        | _round(31 * l_scale) << 18
        | (down if landscape else across) << 24
        | _round(63 * p_scale) << 27
        | _round(63 * q_scale) << 33
        | landscape << 39
    )
    nibbles = [_round(15 * term) for term in (*l_terms, *p_terms, *q_terms)]
    body = bytes(
        low | high << 4 for low, high in zip(nibbles[::2], [*nibbles[1::2], 0], strict=False)
    )
    return base64.b64encode(header.to_bytes(5, "little") + body).decode()


def _transform(channel: FloatArray, across: int, down: int) -> tuple[float, FloatArray, float]:
    """The mean; the triangle of low frequencies mapped to 0..1; the largest of them."""
    height, width = channel.shape
    coefficients = _cosines(down, height) @ channel @ _cosines(across, width).T / (width * height)
    terms = np.array(
        [
            coefficients[row, column]
            for row in range(down)
            for column in range(across)
            if column * down < across * (down - row)
        ][1:],
        np.float32,
    )
    scale = float(np.abs(terms).max())
    if scale:
        terms = 0.5 + 0.5 / scale * terms
    return float(coefficients[0, 0]), terms, scale


def _cosines(frequencies: int, size: int) -> FloatArray:
    positions = (np.arange(size, dtype=np.float32) + 0.5) * (np.pi / size)
    return np.cos(np.arange(frequencies, dtype=np.float32)[:, None] * positions)


def _round(value: float) -> int:
    """Half up, as the published encoder does; Python's round() goes to even."""
    return int(np.floor(value + 0.5))
