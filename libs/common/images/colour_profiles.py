"""ICC profiles for what code points say, so that colours have one way to sRGB: lcms, in libvips.

The light of PQ and HLG, which goes beyond what sRGB can show, is tone-mapped by the profile's
curve: each of red, green and blue as Report ITU-R BT.2390 (5.4.1) has it, from a display of 1,000
cd/m², on which HLG is defined and to which cameras write PQ, to one whose white is the diffuse
white of Report ITU-R BT.2408.
"""

import math
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Final

from libs.common.images import code_points
from libs.common.images.code_points import CodePoints

_Row = tuple[float, float, float]
_Matrix = tuple[_Row, _Row, _Row]

_D65: Final = (0.3127, 0.3290)
_BT709: Final = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)
#: Red, green, blue and white, as x and y (H.273, table 2).
_PRIMARIES: Final = {
    1: _BT709,
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),  # Display P3
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
#: The white of profiles, and the cone responses of Bradford (ICC.1:2022, E.3).
_D50_XYZ: Final = (0.9642, 1.0, 0.8249)
_BRADFORD: Final = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_PEAK_NITS: Final = 1000.0
#: BT.2408, table 1.
_WHITE_NITS: Final = 203.0
#: Of a curve: 16-bit PNG wants it fine where PQ is steep.
_CURVE_STEPS: Final = 4096
#: A file says what it likes; cameras say a dozen.
_KEPT_PROFILES: Final = 64


def profile_of_png(path: str | Path) -> bytes | None:
    """Return a profile of the colours that a PNG's code points say, which libvips does not read."""
    with open(path, "rb") as file:  # noqa: PTH123 - worker processes deal in strings, too
        return icc_profile(code_points.of_png(file))


@lru_cache(_KEPT_PROFILES)
def icc_profile(points: CodePoints | None) -> bytes | None:
    """Return a profile of these colours; None where they are sRGB's own, or not told.

    The curves of BT.709, BT.601 and BT.2020 count as sRGB's: they say how cameras turn light into
    numbers, and screens show those as they show sRGB.
    """
    if points is None:
        return None
    primaries = _PRIMARIES.get(points.primaries, _BT709)
    light = _LIGHT.get(points.transfer, _srgb)
    if primaries is _BT709 and light is _srgb and points.is_full_range:
        return None
    steps = (step / (_CURVE_STEPS - 1) for step in range(_CURVE_STEPS))
    if not points.is_full_range:
        steps = (min(1.0, max(0.0, (step * 255 - 16) / 219)) for step in steps)
    return _profile(_to_d50(*primaries), [light(step) for step in steps])


def _srgb(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _pq(value: float) -> float:
    return _tone_mapped(min(_PEAK_NITS, _nits(value)))


def _hlg(value: float) -> float:
    """By BT.2100, table 5; its system gamma on each channel."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = value * value / 3 if value <= 0.5 else (math.exp((value - c) / a) + b) / 12
    return _tone_mapped(_PEAK_NITS * scene**1.2)


def _tone_mapped(nits: float) -> float:
    """Return the share of white: as it was up to the knee, above it by BT.2390's spline."""
    peak = _perceptual(_PEAK_NITS)
    highest = _perceptual(_WHITE_NITS) / peak
    knee = 1.5 * highest - 0.5
    value = _perceptual(nits) / peak
    if value > knee:
        t = (value - knee) / (1 - knee)
        value = (
            (2 * t**3 - 3 * t**2 + 1) * knee
            + (t**3 - 2 * t**2 + t) * (1 - knee)
            + (3 * t**2 - 2 * t**3) * highest
        )
    return min(1.0, _nits(value * peak) / _WHITE_NITS)


#: Of PQ (BT.2100, table 4).
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _nits(value: float) -> float:
    """PQ's light of a display, in cd/m²."""
    power = value ** (1 / _M2)
    return float(10_000 * (max(0.0, power - _C1) / (_C2 - _C3 * power)) ** (1 / _M1))


def _perceptual(nits: float) -> float:
    """The inverse."""
    power = (nits / 10_000) ** _M1
    return float(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


#: Light by value, both from 0 to 1 (H.273, table 3); what is not here counts as sRGB's.
_LIGHT: Final[dict[int, Callable[[float], float]]] = {
    4: lambda value: value**2.2,
    5: lambda value: value**2.8,
    8: lambda value: value,
    16: _pq,
    18: _hlg,
}


def _to_d50(*chromaticities: tuple[float, float]) -> _Matrix:
    """Return what makes XYZ, as profiles have it, of linear red, green and blue."""
    *primaries, white = (_xyz(x, y) for x, y in chromaticities)
    columns = _transposed(primaries)
    amounts = _times(_inverse(columns), white)
    matrix = tuple(
        tuple(value * amount for value, amount in zip(row, amounts, strict=True)) for row in columns
    )
    from_cones, to_cones = _times(_BRADFORD, white), _times(_BRADFORD, _D50_XYZ)
    scaled = [
        tuple(value * to / of for value in row)
        for row, of, to in zip(_BRADFORD, from_cones, to_cones, strict=True)
    ]
    return _product(_product(_inverse(_BRADFORD), scaled), matrix)


def _xyz(x: float, y: float) -> _Row:
    return x / y, 1.0, (1 - x - y) / y


def _times(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> _Row:
    first, second, third = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return first, second, third


def _transposed(rows: Sequence[Sequence[float]]) -> _Matrix:
    (a, b, c), (d, e, f), (g, h, i) = rows
    return (a, d, g), (b, e, h), (c, f, i)


def _product(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> _Matrix:
    return _transposed([_times(one, column) for column in _transposed(other)])


def _inverse(rows: Sequence[Sequence[float]]) -> _Matrix:
    (a, b, c), (d, e, f), (g, h, i) = rows
    cofactors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0]
    first, second, third = (
        (row[0] / determinant, row[1] / determinant, row[2] / determinant) for row in cofactors
    )
    return first, second, third


def _profile(to_xyz: _Matrix, curve: Sequence[float]) -> bytes:
    """A display's profile with a matrix and one curve for all channels (ICC.1:2001-04, 6.3.1.2)."""
    red, green, blue = _transposed(to_xyz)
    tags = {
        b"desc": b"desc" + struct.pack(">4xI", 1) + bytes(79),
        b"wtpt": _xyz_tag(_D50_XYZ),
        b"rXYZ": _xyz_tag(red),
        b"gXYZ": _xyz_tag(green),
        b"bXYZ": _xyz_tag(blue),
        b"TRC ": b"curv"
        + struct.pack(">4xI", len(curve))
        + struct.pack(f">{len(curve)}H", *(round(65_535 * value) for value in curve)),
    }
    data = [content.ljust(-(-len(content) // 4) * 4, b"\0") for content in tags.values()]
    entries = 5 + 3
    begin = 128 + 4 + 12 * entries
    ends = list(accumulate(map(len, data), initial=begin))
    table = b""
    for (name, content), at in zip(tags.items(), ends, strict=False):
        names = (b"rTRC", b"gTRC", b"bTRC") if name == b"TRC " else (name,)
        table += b"".join(struct.pack(">4sII", each, at, len(content)) for each in names)
    head = struct.pack(">I4xI4s4s4s", ends[-1], 0x02_40_00_00, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + _xyz_tag(_D50_XYZ)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", entries) + table + b"".join(data)


def _xyz_tag(xyz: Sequence[float]) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *(round(65_536 * value) for value in xyz))
