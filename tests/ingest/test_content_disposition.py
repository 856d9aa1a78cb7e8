"""The names of files in forms, as browsers, mail libraries and tools of all ages send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.content_disposition import Disposition, parse_disposition
from services.ingest.photos.names import display_name
from tests.ingest.conftest import Gallery
from tests.support.image_files import image_file

#: What follows `form-data; name="files"`, and what the photo is called.
NAMES = {
    "plain": (b'; filename="IMG_1.JPG"', "IMG_1.JPG"),
    "token": (b"; filename=IMG_1.JPG ", "IMG_1.JPG"),
    "UTF-8": ('; filename="Ännchen 🎉.jpg"'.encode(), "Ännchen 🎉.jpg"),
    "Latin-1": (b'; filename="caf\xe9.jpg"', "café.jpg"),
    "semicolon": (b'; filename="a;b=c.jpg"', "a;b=c.jpg"),
    "upper case": (b'; FileName="a.jpg"', "a.jpg"),
    "browsers' quotes": (b'; filename="Ann %22the%22 bride.jpg"', 'Ann "the" bride.jpg'),
    "browsers' line breaks": (b'; filename="a%0D%0Ab.jpg"', "ab.jpg"),
    "a percent sign of its own": (b'; filename="100%25 %2e%E4.jpg"', "100%25 %2e%E4.jpg"),
    "escaped quotes": (rb'; filename="Ann \"the\" bride.jpg"', 'Ann "the" bride.jpg'),
    "a path of Windows": (rb'; filename="C:\photos\new\a.jpg"', "a.jpg"),
    "an escaped path": (rb'; filename="C:\\photos\\a.jpg"', "a.jpg"),
    "extended": (b"; filename*=UTF-8''%C3%84nnchen.jpg", "Ännchen.jpg"),
    "extended in Latin-1": (b"; filename*=iso-8859-1'de'%C4nnchen.jpg", "Ännchen.jpg"),
    "extended first": (b"; filename=\"A.jpg\"; filename*=utf-8''%C3%84.jpg", "Ä.jpg"),
    "extended, whatever comes first": (b"; filename*=utf-8''%C3%84.jpg; filename=A.jpg", "Ä.jpg"),
    "extended, but no UTF-8": (b"; filename=\"A.jpg\"; filename*=UTF-8''%C4.jpg", "A.jpg"),
    "extended, charset unknown": (b"; filename=\"A.jpg\"; filename*=klingon''%C4.jpg", "A.jpg"),
    "base64 words": (b'; filename="=?utf-8?B?w4RubmNoZW4uanBn?="', "Ännchen.jpg"),
    "quoted-printable words": (b'; filename="=?ISO-8859-1?Q?=C4nn_chen.jpg?="', "Änn chen.jpg"),
    "two words": (b'; filename="=?utf-8?q?=C3=84?= =?utf-8?q?nn?=.jpg"', "Änn.jpg"),
    "words of no charset": (b'; filename="=?klingon?q?a?=.jpg"', "=?klingon?q?a?=.jpg"),
    "words that are none": (b'; filename="=?utf-8?B?%?="', "=?utf-8?B?%?="),
    "twice": (b'; filename="a.jpg"; filename="b.jpg"', "a.jpg"),
    "cut off": (b'; filename="a.jpg', "a.jpg"),
    "path within UTF-8": (b"; filename*=UTF-8''..%2F..%2Fetc%2Fa.jpg", "a.jpg"),
}


@pytest.mark.parametrize(("parameters", "shown"), NAMES.values(), ids=NAMES.keys())
def test_a_files_name_is_what_its_sender_meant(parameters: bytes, shown: str) -> None:
    found = parse_disposition(b'form-data; name="files"' + parameters)

    assert found is not None
    assert found.name == "files"
    assert found.filename is not None
    assert display_name(found.filename) == shown


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b'form-data; name="watcher_id"', Disposition("watcher_id", None)),
        (b"Form-Data ; name=watcher_id ", Disposition("watcher_id", None)),
        (b'form-data; name="files"; filename=""', Disposition("files", b"")),
        (b'form-data; filename="a"; name="n%22"', Disposition('n"', b"a")),
        (b'form-data; filename="a.jpg"', None),
        (b'attachment; name="files"', None),
        (b"", None),
    ],
)
def test_a_part_says_which_field_it_is(value: bytes, found: Disposition | None) -> None:
    assert parse_disposition(value) == found


@given(
    st.binary()
    | st.lists(st.sampled_from([b'"', b"\\", b";", b"=", b"%22", b"*", b"=?"])).map(b"".join)
)
def test_whatever_is_sent_is_read(value: bytes) -> None:
    found = parse_disposition(b'form-data; name="files"; filename="' + value)

    assert found is not None
    assert found.filename is not None


async def test_a_form_whose_file_has_only_an_extended_name_is_taken(gallery: Gallery) -> None:
    def part(parameters: bytes, seed: int) -> bytes:
        head = b'--XX\r\nContent-Disposition: form-data; name="files"' + parameters
        return head + b"\r\n\r\n" + image_file(seed=seed) + b"\r\n"

    body = (
        part(b"; filename*=UTF-8''%C3%84nnchen.jpg", 1)
        + part(b'; filename="Ann %22the%22 bride.jpg"', 2)
        + part(b'; filename=".."', 3)
        + b"--XX--\r\n"
    )
    answer = await gallery.ingest.client.post(
        gallery.url,
        content=body,
        headers=gallery.headers | {"Content-Type": "multipart/form-data; boundary=XX"},
    )

    names = ["Ännchen.jpg", 'Ann "the" bride.jpg', "photo.jpg"]
    assert [job["filename"] for job in answer.json()["jobs"]] == names
    assert [photo.original_filename for photo in await gallery.ingest.photos()] == names
