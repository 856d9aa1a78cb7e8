"""Listens for cameras, and gives each connection a thread of its own."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import ThreadedFTPServer

from libs.common.errors import Unavailable
from services.ingest.ftp.connection import Connection, keep_quiet
from services.ingest.ftp.desk import Desk
from services.ingest.ftp.incoming import STOPPED, IncomingFile
from services.ingest.ftp.settings import DEFAULT_PORT, FtpSettings
from services.ingest.ftp.tls import Certificate
from services.ingest.metrics import FTP_CONNECTIONS

log = structlog.get_logger(__name__)

#: Threads look so often whether they shall end.
POLL_SECONDS = 0.2
#: Files that are on their way have so long at the end, and what came of others to be stored:
#: together as long as requests have.
FINISH_SECONDS = 15.0
SETTLE_SECONDS = 5.0
FULL = "421 Too many cameras are connected. Try again in a minute."


class FtpServer(ThreadedFTPServer):  # type: ignore[misc]  # the library has no types
    """The library's server, with bounds and an end."""

    join_timeout = FINISH_SECONDS

    def __init__(self, address: tuple[str, int], handler: type[Connection], *, most: int) -> None:
        # Of the class, they would be those of all servers of a process.
        self._lock = threading.Lock()
        self._exit = threading.Event()
        self.max_cons = most
        # One address may be a venue's: it has not more than half of the places.
        self.max_cons_per_ip = max(most // 2, 1)
        #: Whether it takes nobody, and no file, any more.
        self.is_leaving = False
        super().__init__(address, handler, ioloop=IOLoop.factory())
        self._thread = threading.Thread(target=self._accept, name="ftp door")

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self.socket.getsockname()[1]
        return port

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def finish(self) -> None:
        """Take nobody in any more, and let files in hand arrive; blocks.

        Who sends no file is told to come again. Of files that do not arrive in time, what came is
        kept.
        """
        self.is_leaving = True
        if self._has_ended(within_seconds=FINISH_SECONDS):
            return
        for file in self._incoming():
            file.stop()
        if not self._has_ended(within_seconds=SETTLE_SECONDS):
            for file in self._incoming():
                file.cancel()

    def stop(self) -> None:
        """End; blocks."""
        self.finish()
        self._exit.set()
        self._thread.join()

    def handle_accepted(self, sock: Any, addr: Any) -> None:
        """Take a camera in, or tell it that there is no place."""
        if self.is_leaving or self._map_len() >= self.max_cons:
            with contextlib.suppress(OSError):
                sock.sendall(f"{STOPPED if self.is_leaving else FULL}\r\n".encode())
            sock.close()
            return
        super().handle_accepted(sock, addr)

    def _accept_new_cons(self) -> bool:
        """Data connections are of those who are in."""
        return True

    def _has_ended(self, *, within_seconds: float) -> bool:
        until = time.monotonic() + within_seconds
        while self._incoming():
            if time.monotonic() > until:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _incoming(self) -> list[IncomingFile]:
        with self._lock:
            handlers = [getattr(task, "handler", None) for task in self._active_tasks]
        return [one.incoming for one in handlers if one is not None and one.incoming is not None]

    def _start_task(self, *args: Any, **kwargs: Any) -> threading.Thread:
        thread = threading.Thread(*args, daemon=True, **kwargs)
        thread.handler = kwargs["args"][0]  # type: ignore[attr-defined]
        return thread

    def _loop(self, handler: Connection) -> None:
        with FTP_CONNECTIONS.track_inprogress(), self.ioloop.factory() as ioloop:
            try:
                handler.begin(ioloop)
            except OSError:
                return  # it has gone already
            soonest: float | None = None
            while ioloop.socket_map and not self._exit.is_set():
                soonest = ioloop.loop(min(soonest or POLL_SECONDS, POLL_SECONDS), blocking=False)
                if self.is_leaving:
                    handler.leave()

    def _accept(self) -> None:
        while not self._exit.is_set():
            try:
                self.ioloop.loop(POLL_SECONDS, blocking=False)
            except Exception:
                log.exception("ftp_accept_failed")
                time.sleep(POLL_SECONDS)
        self.close_all()


@asynccontextmanager
async def ftp_server(host: str, settings: FtpSettings, desk: Desk) -> AsyncIterator[FtpServer]:
    """Listen for the length of the block.

    Raises Unavailable where the port is taken, InvalidInput for a certificate that is none.
    """
    keep_quiet()
    port = DEFAULT_PORT if settings.ftp_port is None else settings.ftp_port
    certificate = None
    if settings.ftp_tls_certificate is not None:
        certificate = Certificate(settings.ftp_tls_certificate, settings.ftp_tls_key)
    elif not settings.ftp_plain:
        log.warning(
            "ftp_takes_nobody",
            reason="Set FTP_TLS_CERTIFICATE, or FTP_PLAIN for cameras without FTPS.",
        )
    public = settings.ftp_public_address
    handler = type(
        "BoundConnection",
        (Connection,),
        {
            "desk": desk,
            "certificate": certificate,
            "takes_plain": settings.ftp_plain,
            "passive_ports": settings.passive_ports,
            "masquerade_address": None if public is None else str(public),
        },
    )
    try:
        server = FtpServer((host, port), handler, most=settings.ftp_max_connections)
    except (OSError, socket.gaierror) as error:
        msg = f"Cannot listen on {host}:{port} ({error}). Name another port by FTP_PORT."
        raise Unavailable(msg) from error
    server.start()
    log.info("ftp_listening", port=server.port, tls=certificate is not None)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)
