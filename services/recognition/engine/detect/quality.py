"""How much a face says about who it is: by its sharpness, size and pose. Pure.

Measured with labelled photos that were made smaller and blurred, and compared with the sharp ones
(recall: share of the same person's pairs that are at least 85 alike):

    width of the face         100 px   100 px, blurred   20 px   20 px, blurred   12 px
    quality (median)             1.0         0.03         0.22        0.07         0.07
    recall                      1.00         0.20         0.83        0.53         0.17

Below MIN_QUALITY few of the right pairs are found, and strangers begin to look alike: the only
false matches of the whole measurement were faces blurred like those of the second column.
"""

import cv2
import numpy as np
import numpy.typing as npt

#: Faces below it are kept but not matched.
MIN_QUALITY = 0.12

_BLURRED, _SHARP = 1.3, 3.5
_SMALL_PX = 60.0

# Turned further than the first, a face shows less; at the second, it is a profile. Pose alone
# never makes a face unmatched: profiles that dlib embeds well are common enough.
_FRONTAL, _PROFILE = 0.35, 0.8
_PROFILE_SHARE = 0.3

# In chips of 150 pixels: the band between these two blurs is the detail that an optical blur or
# enlargement removes; the band from the second to twice the blur is still there then.
_FINE_SIGMA = 3.0
_TILES = 5
_NOISE_FLOOR = 1.0  # rounding, where the skin is flat; in squared grey levels


def quality(chip: npt.NDArray[np.uint8], *, width_px: float, turn: float) -> float:
    """0..1 of an aligned square chip, the face's width in the photo, and `head_turn`."""
    sharp = _ramp(sharpness(chip), _BLURRED, _SHARP)
    size = min(1.0, width_px / _SMALL_PX)
    pose = 1.0 - (1.0 - _PROFILE_SHARE) * _ramp(turn, _FRONTAL, _PROFILE)
    return sharp * size * pose


def sharpness(chip: npt.NDArray[np.uint8]) -> float:
    """Fine detail relative to coarse: about 7 for a sharp face, below 1.6 for a blurred one.

    Relative, because a dim face may be as sharp as a bright one. The median over tiles of the
    middle of the chip, because a single edge (of the picture, of a collar) is sharper than any
    face. The plain variance of the Laplacian told blurred faces apart far less well.
    """
    margin = chip.shape[0] // 6
    middle = np.ascontiguousarray(chip[margin:-margin, margin:-margin])
    grey = cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY).astype(np.float32)
    blurred = cv2.GaussianBlur(grey, (0, 0), _FINE_SIGMA)
    fine = _tile_variances(grey - blurred)
    coarse = _tile_variances(blurred - cv2.GaussianBlur(blurred, (0, 0), _FINE_SIGMA))
    return float(np.median(fine / (coarse + _NOISE_FLOOR)))


def head_turn(
    right_eye: npt.NDArray[np.float64],
    left_eye: npt.NDArray[np.float64],
    nose: npt.NDArray[np.float64],
) -> float:
    """How far the nose is from the middle between the eyes, sideways, in eye distances."""
    across = left_eye - right_eye
    squared = float(across @ across)
    if not squared:
        return 1.0
    return abs(float((nose - (right_eye + left_eye) / 2) @ across)) / squared


def _tile_variances(band: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    side = band.shape[0] // _TILES
    whole = band[: side * _TILES, : side * _TILES].astype(np.float64)
    variances: npt.NDArray[np.float64] = whole.reshape(_TILES, side, _TILES, side).var(axis=(1, 3))
    return variances


def _ramp(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
