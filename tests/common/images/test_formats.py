import pytest

from libs.common.images.formats import (
    SNIFF_BYTES,
    ImageFormat,
    RefusedFormat,
    image_format,
    sniff,
)
from tests.support.image_formats import refused_files, taken_files
from tests.support.raw_files import dng_with_its_directory_last


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = b"".join(compatible)
    return (16 + len(brands)).to_bytes(4, "big") + b"ftyp" + major + bytes(4) + brands


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (ftyp(b"heic", b"mif1"), ImageFormat.HEIC),
        (ftyp(b"heix", b"mif1"), ImageFormat.HEIC),
        (ftyp(b"hevx", b"msf1", b"mif1"), ImageFormat.HEIC),
        (ftyp(b"mif1", b"heic"), ImageFormat.HEIC),
        (ftyp(b"miaf", b"mif1", b"MiHB", b"heic"), ImageFormat.HEIC),
        (ftyp(b"msf1", b"hevc", b"mif1"), ImageFormat.HEIC),
        (ftyp(b"mif1", b"mif1", b"miaf"), ImageFormat.HEIC),
        (ftyp(b"avif", b"mif1", b"miaf"), ImageFormat.AVIF),
        (ftyp(b"avis", b"avif", b"msf1"), ImageFormat.AVIF),
        (ftyp(b"mif1", b"miaf", b"avif"), ImageFormat.AVIF),
        (ftyp(b"avif", b"heic"), ImageFormat.AVIF),
        (b"II+\0\x08\0\0\0", ImageFormat.TIFF),
        (b"MM\0*\0\0\0\x08", ImageFormat.TIFF),
    ],
)
def test_brands_and_both_tiffs_are_told_apart(content: bytes, found: ImageFormat) -> None:
    assert sniff(content) is found


def test_a_brand_counts_only_within_its_box() -> None:
    content = ftyp(b"isom", b"mp42") + b"heicavif"

    assert image_format(content) is None


@pytest.mark.parametrize("name", taken_files())
def test_what_is_taken_is_told_by_its_first_bytes(name: str) -> None:
    content = taken_files()[name]

    assert isinstance(sniff(content[:256]), ImageFormat)


@pytest.mark.parametrize("content", [b"", b"BMW 3 series", b"RIFF\0\0\0\0WAVE", b"<?xml ?><a/>"])
def test_what_is_unknown_has_no_name(content: bytes) -> None:
    assert sniff(content) is None


def test_refused_formats_say_what_to_send_instead() -> None:
    found = [sniff(content) for content, _ in refused_files().values()]

    for one in found:
        if isinstance(one, RefusedFormat):
            assert one.instead.startswith(("Export ", "Send "))


def test_nobody_knows_more_of_a_file_than_others() -> None:
    data = dng_with_its_directory_last()

    assert sniff(data) is sniff(data[:SNIFF_BYTES]) is ImageFormat.TIFF
