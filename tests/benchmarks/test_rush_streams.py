"""What a live stream has told is read from its bytes as they came."""

import pytest

from benchmarks.rush.streams import Recorder

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def test_events_are_told_with_the_moment_of_the_piece_that_completes_them() -> None:
    stream = Recorder(b"")
    event = chunk(b'event: photo.matched\ndata: {"photo_id":7}\n\n')
    stream.data_received(HEAD + chunk(b"id: 0\n\n"))
    assert stream.begun.is_set()
    stream.data_received(event[:20])
    stream.data_received(event[20:])
    (_, opened, _), (moment, name, data) = stream.events()
    assert (opened, name, data) == ("open", "photo.matched", b'{"photo_id":7}')
    assert moment == stream.pieces[-1][0]


def test_an_answer_that_is_no_stream_is_told_of() -> None:
    stream = Recorder(b"")
    stream.data_received(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")
    assert stream.begun.is_set()
    with pytest.raises(ValueError, match="no live stream"):
        list(stream.events())
