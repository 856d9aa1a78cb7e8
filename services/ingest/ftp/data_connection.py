"""A data connection: hands a file's bytes on, and says how they ended."""

import errno
import os
import select
import socket
import sys
from contextlib import closing
from typing import Any

from OpenSSL import SSL
from pyftpdlib.exceptions import _RetryError
from pyftpdlib.handlers import DTPHandler
from pyftpdlib.handlers.ftps.ssl import SSLConnectionMixin
from pyftpdlib.log import logger

from services.ingest.ftp.incoming import IncomingFile, Refused
from services.ingest.ftp.pieces import End
from services.ingest.request_body import MIN_BYTES_PER_SECOND

_LATER = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR})

#: Who ended TLS without a word, as some clients do, and waits so long for the answer is no one who
#: went away.
SILENT_SECONDS = 1.0
#: More than a socket holds of what its other end has sent.
MOST_UNREAD_BYTES = 16 * 1024 * 1024


class _Receiving(DTPHandler):  # type: ignore[misc]  # the library has no types
    """Everything but TLS, which the class below puts around it."""

    ac_in_buffer_size = 256 * 1024
    _resp: tuple[Any, ...]

    def __init__(self, sock: Any, cmd_channel: Any) -> None:
        self._end = End.ORDERLY
        self._judged_bytes = 0
        self._judged_waiting = 0.0
        self.timeout = cmd_channel.desk.context.settings.upload_stall_seconds
        super().__init__(sock, cmd_channel)

    def enable_receiving(self, type: str, cmd: str) -> None:  # noqa: A002 - the library's name
        """Begin to take the file in; as binary, whatever was said: text would lose bytes."""
        super().enable_receiving("i", cmd)
        if isinstance(self.file_obj, IncomingFile):
            self.file_obj.begin(self._answer)

    def handle_close(self) -> None:
        """End the file when its sender has closed the connection."""
        if not self.receive:
            super().handle_close()
        elif not self._closed:
            self.transfer_finished = self._end is not End.BROKEN
            self.close()

    def handle_timeout(self) -> None:
        """Give up senders who stall, or send next to nothing; what waits for us is not counted."""
        file = self.file_obj
        came = self.tot_bytes_received - self._judged_bytes
        waited = (file.waited_seconds if file else 0.0) - self._judged_waiting
        self._judged_bytes += came
        self._judged_waiting += waited
        if file and came >= MIN_BYTES_PER_SECOND * (self.timeout - waited):
            return
        self._resp = ("421 Nothing arrived for too long. Send it again.", logger.debug)
        self.close()
        self.cmd_channel.close_when_done()

    def close(self) -> None:
        """Close the connection, then settle the file, then answer: in the library's order."""
        file = self.file_obj
        if not self._closed and isinstance(file, IncomingFile) and not file.closed:
            patience = SILENT_SECONDS if self._end is End.SILENT else 0.0
            is_over = self.transfer_finished and self.cmd_channel.is_there(patience)
            file.end = self._end if is_over else End.BROKEN
            file.is_told = self.transfer_finished or self._end is not End.ORDERLY
        super().close()
        if isinstance(file, IncomingFile) and file.closed:
            self.cmd_channel.note_end(file)

    def handle_error(self) -> None:
        """End the connection: the file was refused, or something went wrong here."""
        if isinstance(sys.exc_info()[1], Refused):
            self.settle()
        else:
            self._end = End.BROKEN
            super().handle_error()

    def take_rest(self) -> None:
        """Read what has arrived already, of a sender who is gone."""
        until = self.tot_bytes_received + MOST_UNREAD_BYTES
        while not self._closed and self.tot_bytes_received < until:
            before = self.tot_bytes_received
            self.handle_read()
            if self.tot_bytes_received == before:
                return

    def settle(self) -> None:
        """End the file before its sender does: it is known what becomes of it."""
        self.transfer_finished = True
        self.close()

    def _answer(self, line: str) -> None:
        if not self._resp:
            self._resp = (line, logger.debug)


class DataConnection(SSLConnectionMixin, _Receiving):  # type: ignore[misc]  # no types
    """With TLS where the camera asked for it."""

    _error: bool

    def __init__(self, sock: Any, cmd_channel: Any) -> None:
        super().__init__(sock, cmd_channel)
        if cmd_channel.is_data_protected and self.connected:
            self.secure_connection(cmd_channel.ssl_context)

    def use_sendfile(self) -> bool:
        """Never: nothing here is a file."""
        return False

    def recv(self, buffer_size: int) -> bytes:
        """Return what came, nothing at the end: the library takes a reset for one, too."""
        try:
            data: bytes = self.socket.recv(buffer_size)
        except SSL.WantReadError as error:
            self._ssl_want_read = True
            raise _RetryError from error
        except SSL.WantWriteError as error:
            self._ssl_want_write = True
            raise _RetryError from error
        except SSL.ZeroReturnError:
            data = b""
        except SSL.SysCallError as error:
            self._end = End.SILENT if "EOF" in str(error) else End.BROKEN
            data = b""
        except SSL.Error as error:
            self._end = End.SILENT if "eof" in str(error) else End.BROKEN
            data = b""
        except OSError as error:
            if error.errno in _LATER:
                raise _RetryError from error
            self._end = End.BROKEN
            data = b""
        if not data:
            # Where it did not end in order, there is nobody to shut TLS down with.
            self._error = self._error or self._end is not End.ORDERLY
            self.handle_close()
        return data

    def handle_error(self) -> None:
        """As below TLS: its own would forget why."""
        _Receiving.handle_error(self)

    def handle_failed_ssl_handshake(self) -> None:
        """Tell the camera on its other connection (RFC 4217, 10.2)."""
        self.cmd_channel.respond("522 The data connection's TLS failed.")
        self.close()


def is_open(control: Any, *, patience_seconds: float = 0.0) -> bool:
    """Whether the other end of a control connection is still there, as far as is known.

    Who goes away in the middle of a file closes both connections, and then only this one tells; it
    is looked at for so long.
    """
    try:
        with closing(socket.socket(fileno=os.dup(control.fileno()))) as peer:
            if not select.select([peer], [], [], patience_seconds)[0]:
                return True
            return bool(peer.recv(1, socket.MSG_PEEK))
    except (OSError, ValueError):
        return False
