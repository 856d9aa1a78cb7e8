"""Light on a picture: brightness, contrast, colour temperature and where it comes from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MID_GREY = 118.0


@dataclass(frozen=True, slots=True)
class Light:
    """How a person is lit; the defaults change nothing."""

    brightness: float = 1.0
    contrast: float = 1.0
    warmth: float = 0.0
    """Red up and blue down by this share (negative: cooler)."""
    side: float = 0.0
    """The right edge brighter, the left darker, by this share."""

    def on(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The lit copy of `rgb`, shape (h, w, 3)."""
        gain = self.brightness * np.array([1 + self.warmth, 1.0, 1 - self.warmth])
        lit = (rgb.astype(np.float32) - _MID_GREY) * self.contrast + _MID_GREY
        lit *= gain.astype(np.float32)
        if self.side:
            ramp = 1 + self.side * np.linspace(-1, 1, rgb.shape[1], dtype=np.float32)
            lit *= ramp[None, :, None]
        return lit.clip(0, 255).astype(np.uint8)
