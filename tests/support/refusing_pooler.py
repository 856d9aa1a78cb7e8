"""A pooler, such as PgBouncer, which refuses parameters of the session that it does not pass on."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_SSL_REQUEST = 80877103


@asynccontextmanager
async def refusing_pooler(parameter: str) -> AsyncIterator[str]:
    """Yield the URL of a server that ends each login as PgBouncer does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            length, kind = struct.unpack("!II", await reader.readexactly(8))
            if kind == _SSL_REQUEST:
                writer.write(b"N")
                length, _ = struct.unpack("!II", await reader.readexactly(8))
            login = await reader.readexactly(length - 8)
            words = "unsupported startup parameter: " + parameter
            if parameter.encode() + b"\0" in login:
                fields = b"SFATAL\0C08P01\0M" + words.encode() + b"\0\0"
                writer.write(b"E" + struct.pack("!I", len(fields) + 4) + fields)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://findme:secret@127.0.0.1:{port}/findme"
