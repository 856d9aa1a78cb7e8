"""Pictures that tell where, by which camera and by whom they were taken, in every way we know."""

import io
import struct
import zlib
from typing import Any

import pillow_heif
from PIL import Image, PngImagePlugin
from PIL.ExifTags import GPS, IFD, Base

pillow_heif.register_heif_opener()

#: What must not be found in a guest's copy, nor its digits' bytes in EXIF.
SECRETS = (b"SERIAL-4711", b"Ada Owner", b"MAKERNOTE", b"48.858370", b"Lens-0815", b"Tour Eiffel")
TAKEN = "2026:07:04 18:30:00"
OFFSET = "+02:00"
#: Degrees, minutes, seconds.
PLACE = (48.0, 51.0, 30.132)


def exif(orientation: int = 1) -> Image.Exif:
    """EXIF as a camera with GPS writes it, and more."""
    told = Image.Exif()
    told[Base.Orientation] = orientation
    told[Base.Make] = "Maker"
    told[Base.Artist] = "Ada Owner"
    told[Base.Copyright] = "Ada Owner"
    told[Base.ImageDescription] = "Tour Eiffel"
    told[Base.CameraSerialNumber] = "SERIAL-4711"
    details = told.get_ifd(IFD.Exif)
    details[Base.DateTimeOriginal] = TAKEN
    details[Base.OffsetTimeOriginal] = OFFSET
    details[Base.BodySerialNumber] = "SERIAL-4711"
    details[Base.LensSerialNumber] = "Lens-0815"
    details[Base.CameraOwnerName] = "Ada Owner"
    details[Base.MakerNote] = b"MAKERNOTE SERIAL-4711"
    details[Base.UserComment] = b"ASCII\0\0\0Tour Eiffel"
    place = told.get_ifd(IFD.GPSInfo)
    place[GPS.GPSLatitudeRef], place[GPS.GPSLongitudeRef] = "N", "E"
    place[GPS.GPSLatitude] = place[GPS.GPSLongitude] = PLACE
    return told


XMP = (
    b"<?xpacket begin=''?><x:xmpmeta xmlns:x='adobe:ns:meta/'>48.858370 Ada Owner SERIAL-4711"
    b"</x:xmpmeta><?xpacket end='w'?>"
)


def picture(mode: str = "RGB", size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Large enough that its coded pixels are more than what is said of them."""
    return Image.effect_noise(size, 60).convert(mode)


def saved(file_format: str, mode: str = "RGB", **options: Any) -> bytes:
    """The picture in a format."""
    file = io.BytesIO()
    picture(mode).save(file, file_format, **options)
    return file.getvalue()


def jpeg(orientation: int = 1, **options: Any) -> bytes:
    """A JPEG with EXIF, XMP, IPTC, a comment, and what cameras leave behind the picture."""
    told = exif(orientation).tobytes()
    content = saved("JPEG", exif=told, comment=b"Tour Eiffel", xmp=XMP, **options)
    return content[:2] + segment(0xED, b"Photoshop 3.0\0Ada Owner") + content[2:] + trailer()


def segment(code: int, content: bytes) -> bytes:
    """A segment of a JPEG."""
    return b"\xff" + bytes([code]) + struct.pack(">H", len(content) + 2) + content


def trailer() -> bytes:
    """As multi-picture files have: a further picture with EXIF of its own."""
    return saved("JPEG", exif=exif().tobytes()) + b"SEFT Tour Eiffel 48.858370"


def png(orientation: int = 1) -> bytes:
    """A PNG with EXIF and every chunk of text."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Ada Owner")
    texts.add_text("Packed", "Ada Owner", zip=True)
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    content = saved("PNG", exif=exif(orientation).tobytes(), pnginfo=texts, dpi=(300, 300))
    own = b"prVtSERIAL-4711"
    chunk = struct.pack(">I", len(own) - 4) + own + struct.pack(">I", zlib.crc32(own))
    return content[:33] + chunk + content[33:] + b"behind the end: Tour Eiffel"


def webp(orientation: int = 1, **options: Any) -> bytes:
    """A WebP with EXIF, XMP and a chunk that nobody knows."""
    content = saved("WEBP", exif=exif(orientation).tobytes(), xmp=XMP, **options)
    own = b"OWN1" + struct.pack("<I", 12) + b"SERIAL-4711\0"
    return content[:4] + struct.pack("<I", len(content) - 8 + len(own)) + content[8:] + own


def gif() -> bytes:
    """A film with a comment, and XMP as an application's extension."""
    content = saved(
        "GIF",
        mode="P",
        save_all=True,
        append_images=[picture("P").rotate(90)],
        comment=b"Ada Owner",
        loop=0,
    )
    own = b"\x21\xff\x0bXMP DataXMP" + bytes([len(XMP)]) + XMP + b"\0"
    return content[:-1] + own + b"\x3b" + b"Tour Eiffel"


def tiff(orientation: int = 1, **options: Any) -> bytes:
    """A TIFF with EXIF, GPS, XMP and IPTC, and texts behind its end."""
    told = exif(orientation)
    told[700] = XMP
    told[33723] = b"Ada Owner"
    return saved("TIFF", exif=told, **options) + b"Tour Eiffel"


def bmp() -> bytes:
    """A BMP of 8 bits with words in front of its pixels, behind them, and for its program."""
    content = saved("BMP", "P")
    (at,) = struct.unpack_from("<I", content, 10)
    words = b"Tour Eiffel 48.858370"
    head = content[:6] + b"4711" + struct.pack("<I", at + len(words)) + content[14:at]
    return head + words + content[at:] + b"Ada Owner"


def heif(file_format: str = "HEIF", orientation: int = 1, **options: Any) -> bytes:
    """A HEIC or AVIF with EXIF and XMP, and a box that nobody knows."""
    content = saved(file_format, exif=exif(orientation).tobytes(), xmp=XMP, **options)
    own = b"uuid" + bytes(16) + b"SERIAL-4711"
    return content + struct.pack(">I", 4 + len(own)) + own
