"""A file of every format that is taken, and of those that are known and are not."""

import io
import struct
from functools import cache

import pillow_heif
import pyvips
from PIL import Image, TiffImagePlugin

from tests.support.bitmaps import run_lengths
from tests.support.image_files import image_file
from tests.support.raw_files import RAWS, SIZE, cr3, dng_with_its_directory_last, raf


def with_brands(content: bytes, major: bytes, *compatible: bytes) -> bytes:
    """Return the HEIF or AVIF with other brands, its offsets mended by a box of padding."""
    length = int.from_bytes(content[:4], "big")
    brands = major + bytes(4) + b"".join(compatible)
    head = struct.pack(">I4s", 8 + len(brands), b"ftyp") + brands
    assert len(head) <= length
    # What is missing is filled with the last brand once more: a reader ignores the repetition.
    filling = (compatible or (major,))[-1] * ((length - len(head)) // 4)
    return struct.pack(">I", length) + head[4:] + filling + content[length:]


@cache
def taken_files() -> dict[str, bytes]:
    """Files whose formats are taken, by a name that says what is special."""
    heic, avif = image_file("HEIF"), image_file("AVIF")
    return {
        "jpeg.jpg": image_file("JPEG"),
        "jpeg-gray.jpg": image_file("JPEG", mode="L"),
        "jpeg-cmyk.jpg": image_file("JPEG", mode="CMYK"),
        "jpeg-of-two.mpo": image_file("MPO", seed=1),
        "png.png": image_file("PNG"),
        "png-16-bits.png": image_file("PNG", mode="I;16"),
        "png-palette.png": image_file("PNG", mode="P"),
        "png-transparent.png": image_file("PNG", mode="RGBA"),
        "webp.webp": image_file("WEBP"),
        "webp-transparent.webp": image_file("WEBP", mode="RGBA", seed=1),
        "gif.gif": image_file("GIF"),
        "tiff.tif": image_file("TIFF"),
        "tiff-16-bits.tif": image_file("TIFF", mode="I;16"),
        "tiff-cmyk.tif": image_file("TIFF", mode="CMYK"),
        "bigtiff.tif": _saved("TIFF", big_tiff=True),
        "bigtiff-packed.tif": _saved("TIFF", big_tiff=True, compression="tiff_lzw"),
        "bitmap.bmp": image_file("BMP", seed=1),
        "bitmap-palette.bmp": image_file("BMP", mode="P"),
        "heic.heic": heic,
        "heic-turned.heic": image_file("HEIF", orientation=6),
        "heic-10-bits.heic": _deep_heic(),
        "heic-of-two.heic": _saved("HEIF", save_all=True, append_images=[_picture()]),
        "heic-as-mif1.heic": with_brands(heic, b"mif1", b"heic"),
        "heic-as-miaf.heic": with_brands(heic, b"miaf", b"MiHB", b"heix"),
        "heic-as-hevx.heic": with_brands(heic, b"hevx", b"mif1"),
        "heic-of-no-coding.heic": with_brands(heic, b"mif1", b"mif1", b"miaf"),
        "avif.avif": avif,
        "avif-10-bits.avif": _deep_avif(),
        "avif-as-mif1.avif": with_brands(avif, b"mif1", b"miaf", b"avif"),
        "avif-of-two.avif": _saved("AVIF", save_all=True, append_images=[_picture()]),
        "bigtiff-other-order.tif": big_endian_big_tiff(),
        # Names and declared types say nothing.
        "avif-by-another-name.heic": image_file("AVIF", seed=1),
    }


@cache
def raw_files() -> dict[str, bytes]:
    """Cameras' raw files, of which the JPEG in them is shown."""
    return {name: made(SIZE) for name, made in RAWS.items()}


def refused_files() -> dict[str, tuple[bytes, str]]:
    """Files whose formats are not taken, each with the name that its sender must read."""
    heic, avif = image_file("HEIF"), image_file("AVIF")
    return {
        "run-lengths.bmp": (run_lengths(), "BMP"),
        "photoshop.psd": (b"8BPS\0\1" + bytes(60), "Photoshop PSD"),
        "icon.ico": (_saved("ICO"), "ICO"),
        "jpeg2000.jp2": (_saved("JPEG2000"), "JPEG 2000"),
        "jpegxl.jxl": (b"\xff\x0a" + bytes(60), "JPEG XL"),
        "boxed.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), "JPEG XL"),
        "drawing.svg": (b'<?xml version="1.0"?>\n<svg xmlns="..."/>', "SVG"),
        "paper.pdf": (_saved("PDF"), "PDF"),
        "page.jpg": (b"<!DOCTYPE html><title>Log in</title>", "HTML"),
        "photos.zip": (b"PK\x03\x04" + bytes(60), "ZIP"),
        "film.mp4": (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(60), "MP4 video"),
        "canon-small.cr3": (cr3((640, 480)), "Canon CR3"),
        "fuji-small.raf": (raf((640, 480)), "Fujifilm RAF"),
        "sigma.x3f": (b"FOVb" + bytes(60), "Sigma X3F"),
        "adobe-without-jpeg.dng": (_dng(), "DNG"),
        "float.tif": (_saved("TIFF", mode="F"), "floating-point"),
        "lab.tif": (_saved("TIFF", mode="LAB"), "Lab"),
        "32-bits.tif": (_saved("TIFF", mode="I"), "TIFF"),
        "directory-last.dng": (dng_with_its_directory_last(), "raw file"),
        "hasselblad.3fr": (_raw_of_another(), "These raw files"),
        "heic-as-miaf-only.heic": (with_brands(heic, b"miaf"), "HEIF without the brand mif1"),
        "hevc-only.heic": (with_brands(heic, b"hevc", b"msf1"), "HEIF without the brand mif1"),
        "h264.avci": (with_brands(heic, b"avci", b"mif1"), "H.264"),
        "avif-as-heic.heic": (with_brands(avif, b"heic", b"mif1", b"heic"), "AVIF"),
        "heic-as-avif.avif": (with_brands(heic, b"avif", b"mif1"), "HEIC"),
        "text.jpg": (b"Just some words.", "not a photo"),
    }


def _picture() -> Image.Image:
    return Image.radial_gradient("L").resize((64, 48)).convert("RGB")


def _saved(file_format: str, *, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    gray = _picture().convert("L")
    image = Image.merge("LAB", [gray] * 3) if mode == "LAB" else _picture()
    (image if mode in {"RGB", "LAB"} else gray.convert(mode)).save(file, file_format, **options)
    return file.getvalue()


def _deep_heic() -> bytes:
    file = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", (64, 48), bytes(range(64)) * (48 * 6)).save(file)
    return file.getvalue()


def _deep_avif() -> bytes:
    deep = pyvips.Image.new_from_array(_picture()).cast("ushort") * 257
    content: bytes = (
        deep.cast("ushort")
        .copy(interpretation="rgb16")
        .heifsave_buffer(compression="av1", bitdepth=10)
    )
    return content


def big_endian_big_tiff() -> bytes:
    """Return what tifffile and others write where the higher byte comes first."""
    values = [(256, 3, 64), (257, 3, 48), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 16, 0)]
    values += [(277, 3, 1), (278, 3, 48), (279, 16, 64 * 48)]
    at = 16 + 8 + 20 * len(values) + 8
    entries = b"".join(
        struct.pack(">HHQ", tag, kind, 1)
        + struct.pack(">H6x" if kind == 3 else ">Q", at if tag == 273 else value)
        for tag, kind, value in values
    )
    head = b"MM" + struct.pack(">HHHQ", 43, 8, 0, 16)
    pixels = _picture().convert("L").tobytes()
    return head + struct.pack(">Q", len(values)) + entries + bytes(8) + pixels


def _raw_of_another() -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254], tags[271] = 1, "Hasselblad"
    return _saved("TIFF", tiffinfo=tags)


def _dng() -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[50706] = b"\1\4\0\0"
    return _saved("TIFF", tiffinfo=tags)
