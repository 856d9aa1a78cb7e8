"""BMP: headers, colours, pixels and an embedded profile stay in place, all else is blank."""

import io

from libs.common.images.reading import bmp
from libs.common.images.reading.steps import Span, read_from
from services.media.stripping.pieces import CannotStrip, Copy, only

#: Four bytes for the program that made it.
_RESERVED_AT, _SIZES_AT = 6, 10


def strip(data: bytes) -> Copy:
    """Raises CannotStrip."""
    bitmap = read_from(bmp.read(), io.BytesIO(data))
    if bitmap.oddity is not None or bitmap.is_profile_elsewhere:
        msg = "it is compressed, or names a file on its maker's computer"
        raise CannotStrip(msg)
    profile = () if bitmap.profile is None else (bitmap.profile,)
    kept = [Span(0, _RESERVED_AT), Span(_SIZES_AT, bitmap.head_end - _SIZES_AT)]
    kept += [bitmap.pixels, *profile]
    return only(data, [(span.start, span.start + span.length, None) for span in kept])
