"""A photo at the size that detection wants, and at a larger one for small faces."""

from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.recognition.engine.decode.decode import LONG_SIDE, PIXEL_LIMIT, DecodedPhoto, decode

# Where the faces are small: twice the size costs another 110 ms for a photo of 12 megapixels,
# but only for such photos. Larger finds hardly more, and 4000 pixels are 36 MB.
FINE_LONG_SIDE = 3200


class PhotoScales:
    """Raises `UndecodablePhoto`; a size is decoded when it is first asked for."""

    def __init__(self, path: Path, *, pixel_limit: int = PIXEL_LIMIT) -> None:
        self._path = path
        self._pixel_limit = pixel_limit
        self._photo = decode(path, long_side=LONG_SIDE, pixel_limit=pixel_limit)

    @property
    def photo(self) -> DecodedPhoto:
        """What was decoded first, with the photo's own size."""
        return self._photo

    @property
    def base(self) -> npt.NDArray[np.uint8]:
        """RGB, the longer side `LONG_SIDE`, or twice the photo's own where that is less."""
        return self._photo.pixels

    @cached_property
    def fine(self) -> npt.NDArray[np.uint8]:
        """RGB, up to `FINE_LONG_SIDE`, but never larger than the photo itself."""
        own = max(self._photo.width, self._photo.height)
        if own <= _long_side(self.base):
            return self.base
        side = min(FINE_LONG_SIDE, own)
        return decode(self._path, long_side=side, pixel_limit=self._pixel_limit).pixels

    @property
    def fine_factor(self) -> float:
        """How much larger `fine` is than `base`."""
        return _long_side(self.fine) / _long_side(self.base)

    @property
    def own_factor(self) -> float:
        """How much larger the photo itself is than `base`; less than 1 where that is enlarged."""
        return max(self._photo.width, self._photo.height) / _long_side(self.base)


def _long_side(pixels: npt.NDArray[np.uint8]) -> int:
    return int(max(pixels.shape[:2]))
