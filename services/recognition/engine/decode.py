"""From a photo's file to upright 8-bit RGB pixels of the size that analysis wants.

The header is checked before anything is decoded: the kind of file by its first bytes (never by
its name), and the number of pixels, which a decompression bomb cannot hide.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pillow_heif
import pyvips
from PIL import AvifImagePlugin, Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.ExifTags import Base

from libs.common.images import bitmaps, code_points, raw_previews
from libs.common.images.av1 import largest_frame
from libs.common.images.colour_profiles import icc_profile, profile_of_png
from libs.common.images.decoders import VIPS_LOADERS, open_only_ours
from libs.common.images.formats import SNIFF_BYTES, TAKEN, ImageFormat, image_format
from libs.common.images.partly import Damage, Partly
from libs.common.images.renditions import COLOURS, ICC, RGB, in_rgb, jpeg_shrink, profiled, turned
from services.recognition.engine.face_engine import RefusedPhoto, UndecodablePhoto

PIXEL_LIMIT = 210_000_000

# Faces are looked for on this size.
LONG_SIDE = 1600
# The same of selfies, whose one face is large: half the work, and the same is found.
SELFIE_LONG_SIDE = 1024
# Where the faces are small. Twice the size, or all of a photo of a phone, which is 80 ms for 12
# megapixels and 113 scaled down to that; all pixels of larger ones would be over 50 MB.
FINE_LONG_SIDE = 3200
_FINE_PIXELS = 16_000_000
# These are for pictures up to so many times as wide as high (or as high as wide). A panorama has
# as many pixels as a 4:3 picture then, at the same cost: by its long side alone, the faces of a
# group in front of a hall would be a dozen pixels wide.
_WIDE = 2.0
_USUAL_ASPECT = 4 / 3
_MAX_WIDENING = 8.0  # of a picture that is a line
# Small pictures grow, but no further: what is not there cannot be found.
_MAX_ENLARGEMENT = 2.0
# What a decoder made is kept for larger sizes where it is so small: 24 million pixels of 4 bytes.
_KEPT_BYTES = 96_000_000
# A size that is so nearly as large as another is as good.
_AS_LARGE = 0.9

_SIDEWAYS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height
#: What undoes each of EXIF's orientations.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS_TURNS = frozenset(_TURNS[orientation] for orientation in _SIDEWAYS)

open_only_ours(pyvips)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # see `use_one_thread` of the engines


_Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a decoder made, of which other sizes are made without decoding again.

    A JPEG is decoded at half or a quarter of its size, where that is enough.
    """

    long_side: int
    #: RGB, upright, the longer side of so many pixels.
    scaled: Callable[[int], _Pixels]


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """Pixels scaled for analysis, and the size of the whole photo; both with the top at the top."""

    pixels: _Pixels  # (height, width, 3), sRGB
    width: int
    height: int
    #: Whether the pixels are the picture's own, but for its colour profile: where it has
    #: transparency, other colours than RGB, or more than 8 bits, they only look alike.
    is_true: bool = False
    profile: bytes | None = None  # ICC
    #: What is wrong with it, where not all of it could be read.
    damage: Damage | None = None
    #: None where it would take too much memory, or was put together of what could be read.
    kept: Kept | None = None

    @property
    def note(self) -> str | None:
        """What its owner is told of that."""
        return str(self.damage) if self.damage else None


def decode(
    path: Path, *, long_side: int = LONG_SIDE, pixel_limit: int = PIXEL_LIMIT, keep: bool = False
) -> DecodedPhoto:
    """Decode a photo; raises `UndecodablePhoto`, and OSError when the file cannot be read.

    What larger sizes can be made of is kept where they will be asked for.
    """
    with path.open("rb") as file:
        beginning = file.read(SNIFF_BYTES)
    if not beginning:
        raise RefusedPhoto("The file is empty.")
    found = image_format(beginning)
    if found is None:
        raise RefusedPhoto(f"The file is not a {TAKEN}.")
    try:
        match found:
            case ImageFormat.HEIC:
                return _decode_heic(path, long_side, pixel_limit)
            case ImageFormat.AVIF:
                return _decode_avif(path, long_side, pixel_limit)
            case ImageFormat.BMP:
                return _decode_bmp(path, long_side, pixel_limit)
            case _:
                return _decode_by_vips(path, long_side, pixel_limit, found, keep=keep)
    except (UndecodablePhoto, MemoryError):
        raise
    # Damaged bytes raise whatever their parser happens to stumble over.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # a number is the system's: of a file that cannot be read nothing is known
        raise damaged() from error


class PhotoScales:
    """Raises `UndecodablePhoto`; a size is decoded when it is first asked for."""

    def __init__(
        self, path: Path, *, long_side: int = LONG_SIDE, pixel_limit: int = PIXEL_LIMIT
    ) -> None:
        self._path = path
        self._pixel_limit = pixel_limit
        self._photo = decode(path, long_side=long_side, pixel_limit=pixel_limit, keep=True)

    @property
    def photo(self) -> DecodedPhoto:
        """What was decoded first, with the photo's own size."""
        return self._photo

    @property
    def base(self) -> _Pixels:
        """RGB, the longer side as asked for (a panorama's: see `_WIDE`), at most twice its own."""
        return self._photo.pixels

    def enlarged(self, factor: float) -> tuple[_Pixels, float]:
        """RGB at least so many times as large as `base`, or as `fine`, and how many times it is.

        What is decoded already comes first: to decode a JPEG again, at its full size, takes as
        long as to find all faces.
        """
        base = _long_side(self.base)
        pixels = self.base if factor <= 1 else self._kept
        if _long_side(pixels) < base * factor:
            pixels = self.fine
        return pixels, _long_side(pixels) / base

    @cached_property
    def fine(self) -> _Pixels:
        """RGB, up to `FINE_LONG_SIDE` or `_FINE_PIXELS`, never larger than the photo itself."""
        side = self._fine_side
        if side <= _long_side(self.base):
            return self.base
        if _long_side(self._kept) >= _AS_LARGE * side:
            return self._kept
        asked = round(side / _widening(self._photo.width, self._photo.height))
        return decode(self._path, long_side=asked, pixel_limit=self._pixel_limit).pixels

    @cached_property
    def _kept(self) -> _Pixels:
        """The largest size, up to `fine`, for which nothing is decoded again."""
        kept = self._photo.kept
        if kept is None or kept.long_side <= _long_side(self.base):
            return self.base
        return kept.scaled(min(kept.long_side, self._fine_side))

    @property
    def _fine_side(self) -> int:
        width, height = self._photo.width, self._photo.height
        if width * height <= _FINE_PIXELS:
            return max(width, height)
        return min(max(width, height), round(FINE_LONG_SIDE * _widening(width, height)))

    @property
    def own_factor(self) -> float:
        """How much larger the photo itself is than `base`; less than 1 where that is enlarged."""
        return max(self._photo.width, self._photo.height) / _long_side(self.base)


def _decode_by_vips(
    path: Path, long_side: int, pixel_limit: int, found: ImageFormat, *, keep: bool
) -> DecodedPhoto:
    load, orientation = _loader(path, found)
    image = load(access="sequential")
    width, height = image.width, image.height
    is_true = image.bands == RGB and image.format == "uchar" and image.interpretation == "srgb"
    profile = image.get(ICC) if is_true and image.get_typeof(ICC) else None
    _check_pixels(width, height, pixel_limit)
    target = _target(width, height, long_side)
    # vips' own thumbnail() shrinks a JPEG on load only to twice the target: 20 ms more.
    is_jpeg = found is ImageFormat.JPEG or found.is_raw
    shrink = jpeg_shrink(max(width, height), target) if is_jpeg else {}
    told = profile_of_png(path) if found is ImageFormat.PNG else None
    profile = None if told else profile
    damage = kept = None
    try:
        picture = load(access="sequential", fail_on="warning", **shrink)
        is_kept = keep and _is_small(picture.width, picture.height, _pixel_bytes(picture))
        if is_kept:
            picture = picture.copy_memory()
        scaled = partial(_scaled, picture, orientation=orientation, profile=told)
        pixels = scaled(target)
        if is_kept:
            kept = Kept(max(picture.width, picture.height), scaled)
    except pyvips.Error:
        partly, _ = Partly.of_file(path, found, pixel_limit)
        pixels = _scaled(partly.open(**shrink), target, orientation, told)
        damage = partly.damage(pyvips.Image.new_from_array(pixels))
    if orientation is None and image.get_typeof("orientation"):
        orientation = image.get("orientation")
    if orientation in _SIDEWAYS:
        width, height = height, width
    return DecodedPhoto(pixels, width, height, is_true, profile, damage, kept)


def _scaled(
    image: pyvips.Image, target: int, orientation: int | None, profile: bytes | None
) -> _Pixels:
    """Scale a picture and turn it, as EXIF says or, where one is given, by this orientation.

    Embedded colour profiles are not applied (but CMYK's): 220 ms a photo, for hues that hardly
    change a face's embedding. What has code points may be far darker than it looks.
    """
    if orientation is not None:
        image = turned(image, orientation)
    colours = {}
    if profile:
        image, colours = profiled(image, profile), COLOURS
    return _srgb_pixels(image.thumbnail_image(target, height=target, size="both", **colours))


def _loader(path: Path, found: ImageFormat) -> tuple[Callable[..., pyvips.Image], int | None]:
    """Return what opens the picture, and of a raw file how the JPEG in it is to be turned."""
    if not found.is_raw:
        return partial(getattr(pyvips.Image, VIPS_LOADERS[found]), str(path)), None
    with path.open("rb") as file:
        preview, content = raw_previews.of_file(file, found)
    return partial(pyvips.Image.jpegload_buffer, content), preview.orientation


def _srgb_pixels(image: pyvips.Image) -> _Pixels:
    pixels: _Pixels = in_rgb(image).cast("uchar").numpy()
    return pixels


def _pixel_bytes(image: pyvips.Image) -> int:
    """Of what decoders make: 8 or 16 bits a channel, or 32."""
    return int(image.bands) * {"uchar": 1, "char": 1, "ushort": 2, "short": 2}.get(image.format, 4)


def _decode_heic(path: Path, long_side: int, pixel_limit: int) -> DecodedPhoto:
    """By pillow-heif, which has the one HEVC decoder there is, and turns the picture upright."""
    picture = pillow_heif.open_heif(path, convert_hdr_to_8bit=True)
    width, height = picture.size
    _check_pixels(width, height, pixel_limit)
    is_true, profile = picture.mode == "RGB", picture.info.get("icc_profile")
    told = None if profile else icc_profile(code_points.of_heif(picture.info))
    scaled = partial(_flat_pixels, picture.to_pillow(), told=told)
    pixels = scaled(_target(width, height, long_side))
    return DecodedPhoto(pixels, width, height, is_true, profile, kept=_kept(width, height, scaled))


def _decode_avif(path: Path, long_side: int, pixel_limit: int) -> DecodedPhoto:
    """By Pillow, which puts into EXIF how the container says that the picture is turned."""
    # Pillow tells the container's size; the decoder makes AV1's own, and scales it.
    content = path.read_bytes()
    _check_pixels(*largest_frame(content), pixel_limit)
    with AvifImageFile(path) as picture:
        width, height = picture.size
        _check_pixels(width, height, pixel_limit)
        is_true, profile = picture.mode == "RGB", picture.info.get("icc_profile")
        turned = _TURNS.get(picture.getexif().get(Base.Orientation, 1))
        told = None if profile else icc_profile(code_points.of_avif(content))
        picture.load()
    scaled = partial(_flat_pixels, picture, turned=turned, told=told)
    pixels = scaled(_target(width, height, long_side))
    if turned in _SIDEWAYS_TURNS:
        width, height = height, width
    return DecodedPhoto(pixels, width, height, is_true, profile, kept=_kept(width, height, scaled))


def _decode_bmp(path: Path, long_side: int, pixel_limit: int) -> DecodedPhoto:
    width, height = bitmaps.size_of(path)
    _check_pixels(width, height, pixel_limit)
    image = bitmaps.opened(path)
    profile = image.get(ICC) if image.get_typeof(ICC) else None
    pixels = _scaled(image, _target(width, height, long_side), None, None)
    return DecodedPhoto(pixels, width, height, image.bands == RGB, profile)


def _flat_pixels(
    whole: Image.Image,
    side: int,
    *,
    turned: Image.Transpose | None = None,
    told: bytes | None = None,
) -> _Pixels:
    """Scale a picture, turn it, lay it on white, and take it out of the colours that were told."""
    scale = side / max(whole.size)
    width, height = whole.size
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = whole.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0).convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", size, "white"), scaled).convert("RGB")
    pixels = np.asarray(flat if turned is None else flat.transpose(turned))
    return _in_srgb(pixels, told) if told else pixels


def _kept(width: int, height: int, scaled: Callable[[int], _Pixels]) -> Kept | None:
    """For a picture of Pillow's, which has four bytes for each pixel."""
    return Kept(max(width, height), scaled) if _is_small(width, height, 4) else None


def _is_small(width: int, height: int, pixel_bytes: int) -> bool:
    return width * height * pixel_bytes <= _KEPT_BYTES


def _in_srgb(pixels: _Pixels, profile: bytes) -> _Pixels:
    image = profiled(pyvips.Image.new_from_array(pixels, interpretation="srgb"), profile)
    return _srgb_pixels(image.icc_transform("srgb", embedded=True))


def _check_pixels(width: int, height: int, pixel_limit: int) -> None:
    if width * height > pixel_limit:
        raise RefusedPhoto(_too_many_pixels(pixel_limit))


def _too_many_pixels(pixel_limit: int) -> str:
    return f"The picture has more than {pixel_limit / 1e6:.0f} million pixels."


def _target(width: int, height: int, long_side: int) -> int:
    side = round(long_side * _widening(width, height))
    return min(side, round(max(width, height) * _MAX_ENLARGEMENT))


def _widening(width: int, height: int) -> float:
    """How much longer a panorama's long side is for the same number of pixels; 1 for others."""
    aspect = max(width, height) / max(1, min(width, height))
    return min(_MAX_WIDENING, math.sqrt(aspect / _USUAL_ASPECT)) if aspect > _WIDE else 1.0


def damaged() -> UndecodablePhoto:
    """Return what is said of bytes that a decoder stumbles over."""
    return UndecodablePhoto(
        "The picture is damaged or incomplete and cannot be decoded. Send another one."
    )


def _long_side(pixels: npt.NDArray[np.uint8]) -> int:
    return int(max(pixels.shape[:2]))
