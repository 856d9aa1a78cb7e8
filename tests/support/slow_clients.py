"""Clients that read no more than they are told to, over sockets with small buffers."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

#: The system doubles it, and takes no less.
RECEIVE_BUFFER_BYTES = 2048


class SlowClient:
    """A connection whose receive buffer is tiny; nothing of an answer is read unasked."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def get(self, path: str, headers: dict[str, str] | None = None) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        await self.send(f"GET {path} HTTP/1.1\r\nHost: findme\r\n{lines}\r\n".encode())

    async def read(self, max_bytes: int) -> bytes:
        """Return what is there, b"" once the connection has ended."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._socket, max_bytes)
        except ConnectionResetError:
            return b""

    async def read_body(self) -> bytes:
        """Read the rest of the head, and as many bytes as it announces, or fewer if they end."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += await self.read(1024)
        head, _, body = received.partition(b"\r\n\r\n")
        (length,) = re.findall(rb"content-length: (\d+)", head)
        while len(body) < int(length) and (piece := await self.read(65536)):
            body += piece
        return body

    async def read_to_the_end(self) -> bytes:
        pieces = []
        while piece := await self.read(65536):
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        self._socket.close()


@contextlib.asynccontextmanager
async def clients_of(
    url: str, count: int, *, source: str = "127.0.0.1"
) -> AsyncIterator[list[SlowClient]]:
    """Connect so many clients, from one address, for the length of the block."""
    address = urlsplit(url)
    clients: list[SlowClient] = []
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            connection.setblocking(False)
            connection.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(
                connection, (address.hostname, address.port)
            )
            clients.append(SlowClient(connection))
        yield clients
