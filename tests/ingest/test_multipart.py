from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.byte_source import read_prefix
from services.ingest.request_body import MalformedMultipart, MultipartReader, Part, RequestBody

BOUNDARY = b"----boundary7"
MANY = 1000
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"


def body_of(chunks: Sequence[bytes]) -> RequestBody:
    """A body that arrives in these pieces."""
    messages = iter([*({"body": chunk, "more_body": True} for chunk in chunks), {}])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", **next(messages)}

    return RequestBody(receive, max_bytes=10**6, stall_seconds=60)


def form(*contents: bytes) -> bytes:
    parts = (
        b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="files"; filename="%d.jpg"'
        b"\r\nContent-Type: image/jpeg\r\n\r\n%b\r\n" % (number, content)
        for number, content in enumerate(contents)
    )
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


async def content_of(part: Part) -> bytes:
    pieces = []
    while piece := await part.read():
        pieces.append(piece)
    return b"".join(pieces)


async def contents_of(chunks: Sequence[bytes]) -> list[bytes]:
    reader = MultipartReader(body_of(chunks), CONTENT_TYPE, max_parts=MANY)
    contents = []
    while part := await reader.next_part():
        contents.append(await content_of(part))
    return contents


#: Contents that come close to a boundary, as cuts through them are what can go wrong.
near_boundaries = st.lists(
    st.sampled_from(
        [b"\r", b"\n", b"\r\n", b"--", b"\r\n--", BOUNDARY, b"\r\n--" + BOUNDARY[:-1], b"x"]
    ),
    max_size=8,
).map(b"".join)
contents = (near_boundaries | st.binary(max_size=200)).filter(
    lambda content: b"\r\n--" + BOUNDARY not in b"\r\n" + content
)


@given(st.lists(contents, max_size=4), st.data())
async def test_a_body_cut_anywhere_gives_the_same_parts(
    sent: list[bytes], data: st.DataObject
) -> None:
    body = form(*sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    chunks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    assert await contents_of(chunks) == sent


async def test_a_body_of_single_bytes_gives_the_same_parts() -> None:
    sent = [b"\r\n--" + BOUNDARY[:-1], b"", b"\r\n\r\n-" * 40]
    body = form(*sent)

    assert await contents_of([body[i : i + 1] for i in range(len(body))]) == sent


async def test_a_part_that_is_not_read_to_its_end_is_skipped() -> None:
    body = form(b"a" * 1000, b"b" * 10)
    reader = MultipartReader(
        body_of([body[i : i + 100] for i in range(0, 2000, 100)]), CONTENT_TYPE, max_parts=MANY
    )

    first = await reader.next_part()
    assert first is not None
    assert await first.read()
    second = await reader.next_part()

    assert second is not None
    assert (second.name, second.filename) == ("files", b"1.jpg")
    assert await content_of(second) == b"b" * 10
    assert await first.read() == b""


async def test_a_prefix_and_the_rest_make_the_whole() -> None:
    body = form(bytes(range(256)) * 10)
    reader = MultipartReader(
        body_of([body[i : i + 64] for i in range(0, 4000, 64)]), CONTENT_TYPE, max_parts=MANY
    )
    part = await reader.next_part()
    assert part is not None

    prefix = await read_prefix(part, 1000)

    assert 1000 <= len(prefix) < 1064
    assert prefix + await content_of(part) == bytes(range(256)) * 10


async def test_names_are_handed_on_as_they_were_sent() -> None:
    body = (
        b"--" + BOUNDARY + b"\r\nContent-Disposition: form-data; name=files; filename="
        b'"a;b \xf0\x9f\x8e\x89.jpg"\r\n\r\nx\r\n--' + BOUNDARY + b"--\r\n"
    )
    part = await MultipartReader(body_of([body]), CONTENT_TYPE, max_parts=MANY).next_part()

    assert part is not None
    assert part.filename == "a;b 🎉.jpg".encode()


async def test_a_plain_field_has_no_filename() -> None:
    body = (
        b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="watcher_id"\r\n\r\n7'
        b"\r\n--" + BOUNDARY + b"--\r\n"
    )
    part = await MultipartReader(body_of([body]), CONTENT_TYPE, max_parts=MANY).next_part()

    assert part is not None
    assert (part.name, part.filename) == ("watcher_id", None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not multipart at all",
        form(b"cut off")[:-10],
        b"--" + BOUNDARY + b"\r\nContent-Type: image/jpeg\r\n\r\nno name\r\n--" + BOUNDARY + b"--",
        b"--" + BOUNDARY + b"\r\nX: " + b"y" * 10_000,
        b"--" + BOUNDARY + b"\r\nbad header\r\n\r\n",
    ],
)
async def test_a_malformed_body_is_named_as_such(body: bytes) -> None:
    with pytest.raises(MalformedMultipart):
        await contents_of([body])


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/form-data", f"multipart/form-data; boundary={'x' * 300}"],
)
def test_a_body_of_another_type_is_refused_unread(content_type: str) -> None:
    with pytest.raises(MalformedMultipart):
        MultipartReader(body_of([]), content_type, max_parts=MANY)


async def test_a_form_has_a_greatest_number_of_parts() -> None:
    part = b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    body = part * 4 + b"--xx--\r\n"
    reader = MultipartReader(body_of([body]), "multipart/form-data; boundary=xx", max_parts=3)
    for _ in range(3):
        assert await reader.next_part() is not None
    with pytest.raises(MalformedMultipart, match="more than 3 parts"):
        await reader.next_part()
