"""Clients that send files on some connections at once, and cost as little as can be.

A thread each, plain sockets: the same for each server, so that what they cost is the same, too.
"""

import base64
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.image_files import image_file

BOUNDARY = "findme-benchmark"
#: A number that no photo before has had: each is another.
_UNIQUE_BYTES = 16
_CHUNK = 1024 * 1024
_PIECE_BYTES = 8 * 1024 * 1024


class Refused(Exception):
    """A file was not taken: there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A JPEG of exactly a size; what follows its picture is noise, and its end its own."""

    body: memoryview

    @classmethod
    def of(cls, size_bytes: int) -> "Photo":
        """Return one of this size."""
        picture = image_file(size=(640, 480))
        rest = size_bytes - len(picture) - _UNIQUE_BYTES
        return cls(memoryview(picture + os.urandom(rest)))

    @property
    def size_bytes(self) -> int:
        """What is sent of it."""
        return len(self.body) + _UNIQUE_BYTES


#: Sends the photo, whose end is given, and reads the answer's status.
Way = Callable[["Connection", Photo, bytes], int]


class Connection:
    """One connection that is kept for many requests."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._socket = socket.create_connection((where.hostname, where.port or 80), timeout=600)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        #: Where the last answer says that something is.
        self.location = ""

    def send(self, head: bytes, photo: Photo, end: bytes) -> int:
        """Send a request, and return its answer's status."""
        self._socket.sendall(head)
        for at in range(0, len(photo.body), _CHUNK):
            self._socket.sendall(photo.body[at : at + _CHUNK])
        self._socket.sendall(end)
        status = int(self._file.readline().split()[1])
        length = 0
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif name.lower() == b"location":
                self.location = value.strip().decode()
        self._file.read(length)
        return status

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        self._socket.close()


def by_put(path: Callable[[int], str], headers: dict[str, str]) -> Way:
    """Return the way that puts each photo at a path of its own."""
    numbers = itertools.count()

    def send(connection: Connection, photo: Photo, end: bytes) -> int:
        head = _head("PUT", path(next(numbers)), headers, photo.size_bytes)
        return connection.send(head, photo, end)

    return send


def by_form(path: str, headers: dict[str, str]) -> Way:
    """Return the way that sends each photo as a form."""
    opening = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    closing = f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

    def send(connection: Connection, photo: Photo, end: bytes) -> int:
        length = len(opening) + photo.size_bytes + len(closing)
        head = _head("POST", path, headers | kind, length)
        return connection.send(head + opening, photo, end + closing)

    return send


def by_tus(event_id: int, headers: dict[str, str]) -> Way:
    """Return the way that creates an upload for each photo, and sends it in pieces."""
    pairs = {"event_id": str(event_id), "filename": "a.jpg"}
    said = [f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items()]
    version = headers | {"Tus-Resumable": "1.0.0"}
    kind = version | {"Content-Type": "application/offset+octet-stream"}

    def send(connection: Connection, photo: Photo, end: bytes) -> int:
        size = {"Upload-Length": str(photo.size_bytes), "Upload-Metadata": ",".join(said)}
        head = _head("POST", "/api/uploads", version | size, 0)
        status = connection.send(head, Photo(memoryview(b"")), b"")
        location, at = connection.location, 0
        while status in (201, 204) and at < photo.size_bytes:
            length = min(_PIECE_BYTES, photo.size_bytes - at)
            piece = Photo(photo.body[at : at + length])
            head = _head("PATCH", location, kind | {"Upload-Offset": str(at)}, length)
            status = connection.send(head, piece, end[len(end) - (length - len(piece.body)) :])
            at += length
        return status

    return send


def seconds_for(url: str, way: Way, photo: Photo, *, count: int, connections: int) -> float:
    """Send so many photos, and return how long that takes. Raises Refused."""
    left = threading.Semaphore(count)

    def send(connection: Connection) -> None:
        while left.acquire(blocking=False):
            status = way(connection, photo, os.urandom(_UNIQUE_BYTES))
            if status not in (200, 201, 204):
                msg = f"a photo was answered {status}"
                raise Refused(msg)

    with ThreadPoolExecutor(connections) as pool:
        opened = [Connection(url) for _ in range(connections)]
        try:
            began = time.perf_counter()
            for done in list(_started(pool, send, opened)):
                done()
            return time.perf_counter() - began
        finally:
            for connection in opened:
                connection.close()


def _started(
    pool: ThreadPoolExecutor, send: Callable[[Connection], None], opened: list[Connection]
) -> Iterator[Callable[[], None]]:
    for connection in opened:
        yield pool.submit(send, connection).result


def _head(method: str, path: str, headers: dict[str, str], length: int) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: findme", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
