"""HEIC, the phones' format: pyvips' wheel has no HEVC decoder, pillow-heif has one."""

import pillow_heif
import pyvips

_FTYP = b"ftyp"
_HEVC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_BRANDS_BYTES = 64


def is_heic(path: str) -> bool:
    """Whether the file says that its picture is coded as HEVC."""
    with open(path, "rb") as file:  # noqa: PTH123 - worker processes deal in strings
        head = file.read(_BRANDS_BYTES)
    # The major brand is often the general "mif1"; the compatible ones follow it.
    brands = head[8 : int.from_bytes(head[:4])]
    return head[4:8] == _FTYP and any(brand in brands for brand in _HEVC_BRANDS)


class HeicFile:
    """A HEIC file whose pixels are decoded only when they are asked for."""

    def __init__(self, path: str) -> None:
        """Raises OSError or ValueError when it is damaged."""
        self._picture = pillow_heif.open_heif(path, convert_hdr_to_8bit=True)
        self.width, self.height = self._picture.size

    def decode(self) -> pyvips.Image:
        """Return the upright picture with its colour profile; raises OSError or ValueError."""
        picture = self._picture
        bands = len(picture.mode)
        # Rows may be padded: take them as wider ones, and cut.
        padded = pyvips.Image.new_from_memory(
            bytes(picture.data), picture.stride // bands, self.height, bands, "uchar"
        )
        image = padded.crop(0, 0, self.width, self.height).copy(
            interpretation="srgb" if bands > 2 else "b-w"
        )
        if profile := picture.info.get("icc_profile"):
            image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
        return image
