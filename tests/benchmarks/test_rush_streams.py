"""What live streams have told is read from their bytes as they came."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks.rush import ears
from benchmarks.rush.streams import Recording, recordings

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


OPENING = HEAD + chunk(b"id: 0\n\n")
MATCHED = chunk(b'event: photo.matched\ndata: {"photo_id":7}\n\n')
REFUSED = b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"


def test_events_are_told_with_the_moment_of_the_piece_that_completes_them() -> None:
    stream = Recording([(1.0, OPENING), (2.0, MATCHED[:20]), (3.0, MATCHED[20:])])
    opened, matched = stream.events()
    assert opened[:2] == (1.0, "open")
    assert matched == (3.0, "photo.matched", b'{"photo_id":7}')


def test_an_answer_that_is_no_stream_is_told_of() -> None:
    with pytest.raises(ValueError, match="no live stream"):
        list(Recording([(1.0, REFUSED)]).events())


def test_all_streams_are_heard_by_one_process(tmp_path: Path) -> None:
    told = tmp_path / "heard.json"
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        streams: list[socket.socket] = []

        def serve() -> None:
            for answer in (OPENING, REFUSED, OPENING):
                stream, _ = server.accept()
                stream.sendall(answer)
                streams.append(stream)

        serving = threading.Thread(target=serve)
        serving.start()
        order = {"host": host, "port": port, "requests": ["GET / HTTP/1.1\r\n\r\n"] * 3}
        with subprocess.Popen(
            [sys.executable, "-I", ears.__file__, told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as listening:
            assert listening.stdin is not None
            assert listening.stdout is not None
            listening.stdin.write(json.dumps(order) + "\n")
            listening.stdin.flush()
            assert listening.stdout.readline() == "hearing\n"
            serving.join()
            streams[2].sendall(MATCHED)
            # What was sent before the input ends is heard.
    for stream in streams:
        stream.close()
    first, second, third = recordings(told, 3)
    assert [name for _, name, _ in first.events()] == ["open"]
    with pytest.raises(ValueError, match="no live stream"):
        list(second.events())
    assert [name for _, name, _ in third.events()] == ["open", "photo.matched"]
