"""A photo's thumbnail from the pixels that were decoded to find faces.

It costs 35 ms here, and 92 when it is made of the file later: that is the decoding. What does not
look as a thumbnail of the file would is left to media.
"""

from libs.common.images.renditions import as_webp, of_pixels
from libs.common.images.sizes import SIDES_PX
from services.recognition.engine.decode import DecodedPhoto

SIDE_PX = SIDES_PX["thumbnail"]


def thumbnail(photo: DecodedPhoto) -> bytes | None:
    """Return the photo as WebP, upright, in sRGB and without metadata, where it can be had so."""
    height, width = photo.pixels.shape[:2]
    # A small picture was enlarged to find faces in it.
    if not photo.is_true or max(width, height) > max(photo.width, photo.height):
        return None
    try:
        return as_webp(
            of_pixels(
                photo.pixels.tobytes(),
                (width, height),
                fitting=(photo.width, photo.height),
                side_px=SIDE_PX,
                profile=photo.profile,
            )
        )
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a photo is more than its thumbnail: media tries it, too
        return None
