"""Pictures whose decoder complains: what there is of them, and how much is missing.

A warning is no loss. Cameras leave bytes between segments, write odd scan headers, or no end
marker, and every browser shows the picture without a wrong pixel. Of a file that is cut off,
browsers show what has come.
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyvips

from libs.common.images import complaints, raw_previews
from libs.common.images.decoders import VIPS_LOADERS
from libs.common.images.formats import ImageFormat
from libs.common.images.png_mending import mend
from libs.common.images.renditions import to_srgb

#: Whose decoders go on after a fault. WebP, HEIC and AVIF are whole, or nothing.
LENIENT: Final = frozenset({ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.TIFF, ImageFormat.GIF})
#: How lines look that a decoder has no data for, where nothing is in front of them.
_BLANK: Final = {ImageFormat.JPEG: 128, ImageFormat.TIFF: 0, ImageFormat.GIF: 255}
#: What libjpeg says where pixels are wrong: its other warnings are of no consequence.
_WRONG: Final = (
    "premature end of data segment",
    "bad Huffman code",
    "bad arithmetic code",
    "instead of RST",
)
#: Its warnings that are of none where they come alone.
_HARMLESS: Final = (
    "extraneous bytes",
    "Invalid SOS parameters",
    "Inconsistent progression",
    "unknown JFIF revision number",
    "Unknown Adobe color transform",
    "bad ICC marker",
)
_COUNTED: Final = re.compile(r"read gave (\d+) warnings")
#: Decodes every byte of a JPEG's scans, and computes hardly a pixel.
_JUDGED_SHRINK: Final = 8
#: A picture that has so much of one colour shows nothing.
_NOTHING: Final = 0.99
_EOI: Final = b"\xff\xd9"
#: Of the picture, in which no more than that is missing may not be a line.
_LEAST: Final = 0.005


class NothingToSee(Exception):
    """Nothing of the picture can be seen."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a picture; `missing` is the share of it (0..1) that is not there."""

    missing: float

    def __str__(self) -> str:
        """Return a sentence for the picture's owner."""
        if self.missing < _LEAST:
            said = "The picture is damaged, and parts of it may look wrong."
        else:
            percent = min(99, max(1, round(100 * self.missing)))
            said = f"The picture is damaged or cut off: {percent} % of it is missing."
        return f"{said} Copy it from the camera again."


class Partly:
    """A picture that cannot be read strictly. Raises what libvips raises, and ValueError."""

    def __init__(self, content: bytes, found: ImageFormat, max_pixels: int) -> None:
        _forget()
        self._format = found
        self._missing = 0.0
        self._is_wrong = False
        self._content = content
        if found is ImageFormat.PNG:
            mended = mend(io.BytesIO(content), max_pixels)
            self._content, self._missing = mended.content, mended.missing
            self._is_wrong = mended.is_wrong
        if found is ImageFormat.JPEG:
            # Where it is all that is missing, nothing is complained of any more.
            self._content += _EOI

    @classmethod
    def of_file(
        cls, path: str | Path, found: ImageFormat, max_pixels: int
    ) -> tuple["Partly", int | None]:
        """Return the file's picture, and of a raw file how the JPEG in it is to be turned.

        Raises ValueError where its decoder shows all or nothing.
        """
        with open(path, "rb") as file:  # noqa: PTH123 - worker processes deal in strings, too
            if found.is_raw:
                preview, content = raw_previews.of_file(file, found)
                return cls(content, ImageFormat.JPEG, max_pixels), preview.orientation
            if found not in LENIENT:
                msg = f"of a {found.title} that is damaged nothing can be shown"
                raise ValueError(msg)
            return cls(file.read(), found, max_pixels), None

    def open(self, **options: object) -> pyvips.Image:
        """Return the picture; libvips complains only once nobody has it any more."""
        load = getattr(pyvips.Image, f"{VIPS_LOADERS[self._format]}_buffer")
        return load(self._content, access="sequential", fail_on="none", **options)

    def thumbnail(self, longest_side_px: int) -> pyvips.Image:
        """Return the picture as a rendition, exactly as libvips makes it of a whole file."""
        return pyvips.Image.thumbnail_buffer(
            self._content,
            longest_side_px,
            height=longest_side_px,
            size="down",
            fail_on="none",
            **to_srgb(self.open()),
        )

    def damage(self, picture: pyvips.Image) -> Damage | None:
        """Return what is wrong with the picture that was made of it, in RGB.

        None where nothing is missing. Raises NothingToSee where hardly anything is there.
        """
        if self._format is ImageFormat.PNG:
            missing, is_wrong = self._missing, self._is_wrong
        else:
            missing, is_wrong = _blank_lines(picture, _BLANK[self._format]), True
        if self._format is ImageFormat.JPEG:
            self._judge()
            is_wrong = not _is_told_harmless()
            if not is_wrong and _warnings() <= 1:
                missing = 0.0  # grey lines are the picture's own
        if not missing and not is_wrong:
            return None
        if _is_blank(picture):
            raise NothingToSee
        return Damage(missing)

    def _judge(self) -> None:
        """Have the decoder complain again: where a picture is turned, libvips forgets of what."""
        _forget()
        self.open(shrink=_JUDGED_SHRINK).avg()


def _forget() -> None:
    complaints.forget()
    pyvips.vips_lib.vips_error_clear()  # what it warns of would be repeated


def _is_blank(picture: pyvips.Image) -> bool:
    """Whether a picture has one colour, a corner's, but for a hundredth of it."""
    corners = ((x, y) for x in (0, picture.width - 1) for y in (0, picture.height - 1))
    alike = ((picture == picture.getpoint(*corner)).bandand().avg() for corner in corners)
    return any(share >= _NOTHING * 255 for share in alike)


def _blank_lines(picture: pyvips.Image, value: int) -> float:
    """Return the share of lines that are blank, down or, where the picture was turned, across."""
    columns, rows = (picture == value).bandand().project()
    across, down = columns == 255 * picture.height, rows == 255 * picture.width
    return float(max(across.avg(), down.avg())) / 255


def _warnings() -> int:
    """Return how many there were, as libvips tells it."""
    counts = (int(told[1]) for said in complaints.heard() if (told := _COUNTED.search(said)))
    return max(counts, default=0)


def _is_told_harmless() -> bool:
    """Whether there was no warning, or the first one is known to be of no consequence.

    libvips tells that one's text alone: others behind it may be of any kind.
    """
    heard = complaints.heard()
    if any(wrong in said for wrong in _WRONG for said in heard):
        return False
    return not _warnings() or any(known in said for known in _HARMLESS for said in heard)
