"""A camera's control connection: what of FTP is taken here, and how it is answered."""

import logging
import socket
import sys
from typing import Any, ClassVar

import structlog
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler

from libs.common.errors import FindMeError
from services.ingest.ftp.answers import OUR_FAULT, answer_to
from services.ingest.ftp.data_connection import DataConnection, is_open
from services.ingest.ftp.desk import Desk
from services.ingest.ftp.folder import EventFolder
from services.ingest.ftp.incoming import STOPPED, IncomingFile
from services.ingest.ftp.login import Login
from services.ingest.ftp.tls import Certificate
from services.ingest.metrics import FTP_LOGINS

log = structlog.get_logger(__name__)

#: Who connects has so long for the login, and a camera that is logged in between two commands.
LOGIN_SECONDS = 30
IDLE_SECONDS = 900
WRONG_LOGINS = 3

NEEDS_TLS = (
    "530 This server takes logins over TLS alone. Choose FTPS (explicit TLS, AUTH TLS) in the"
    " camera's FTP settings."
)
HAS_NO_TLS = (
    "530 This server has no certificate and takes no logins without TLS: whoever runs it must set"
    " FTP_TLS_CERTIFICATE, or FTP_PLAIN for cameras without FTPS."
)
NEEDS_PRIVATE_DATA = (
    "522 This server takes photos over TLS alone: the data connection must be protected (PROT P)."
)
ONLY_IN = "550 Photos only come in here: nothing is read, deleted or changed."
IS_WHOLE = "550 This file was sent as a whole."
BUSY = "503 A file is on its way already. Wait for its answer."

_DATA = frozenset({"PASV", "EPSV", "PORT", "EPRT"})
_LEFT_OUT = frozenset({"MFMT", "SITE", "SITE HELP", "SITE CHMOD", "STOU", "HELP"})
_NOT_DONE = frozenset({"RETR", "DELE", "RMD", "XRMD"})
_TLS = frozenset({"AUTH", "PBSZ", "PROT"})


def _commands() -> dict[str, dict[str, object]]:
    commands = {
        name: dict(about)
        for name, about in TLS_FTPHandler.proto_cmds.items()
        if name not in _LEFT_OUT
    }
    for name in _NOT_DONE:
        # Answered by methods below, whatever the path.
        commands[name]["perm"] = None
    # Cameras say that they speak UTF-8 before they log in.
    commands["OPTS"]["auth"] = False
    return commands


class _Rights:
    """What the library asks of its authorizer; logins are `Connection.ftp_PASS`'s."""

    def has_perm(self, username: str, perm: str, path: str | None = None) -> bool:
        return True

    def get_perms(self, username: str) -> str:
        return "elw"

    def get_msg_quit(self, username: str) -> str:
        return "Goodbye."

    def impersonate_user(self, username: str, password: str) -> None:
        """There are no users of the system here."""

    def terminate_impersonation(self, username: str) -> None:
        """Nor here."""


class Connection(TLS_FTPHandler):  # type: ignore[misc]  # the library has no types
    """One camera. Its thread alone uses it; `desk` is the way to everything else."""

    desk: ClassVar[Desk]
    certificate: ClassVar[Certificate | None]
    takes_plain: ClassVar[bool]

    authorizer = _Rights()
    abstracted_fs = EventFolder
    dtp_handler = DataConnection
    proto_cmds: ClassVar[dict[str, dict[str, object]]] = _commands()
    banner = "FindMe"
    # The thread has clocks of its own (`begin`).
    timeout: int | None = None
    _idler: Any
    _rnfr: str | None
    _restart_position: int
    unicode_errors = "surrogateescape"

    def __init__(self, conn: Any, server: Any, ioloop: Any = None) -> None:
        super().__init__(conn, server, ioloop)
        self.login: Login | None = None
        self.incoming: IncomingFile | None = None
        self._incoming_path = ""
        self._has_left = False
        if self.certificate is None:
            self._extra_feats: list[str] = []

    @classmethod
    def get_ssl_context(cls) -> Any:
        """Return what new connections are protected by; None without a certificate."""
        return cls.certificate.context() if cls.certificate else None

    @property
    def is_data_protected(self) -> bool:
        """Whether data connections speak TLS."""
        return bool(self._prot)

    def begin(self, ioloop: Any) -> None:
        """Go on in the connection's own thread."""
        self.ioloop = ioloop
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._wait(LOGIN_SECONDS)
        self.add_channel()

    def handle_close(self) -> None:
        """The camera is gone; what it had sent is read first, and need not be sent again."""
        if self.incoming is not None and self.data_channel is not None:
            self.data_channel.take_rest()
        super().handle_close()

    def is_there(self, patience_seconds: float) -> bool:
        """Whether the camera still waits for answers, and does for so long."""
        return not self._closed and is_open(self.socket, patience_seconds=patience_seconds)

    def note_end(self, file: IncomingFile) -> None:
        """Know what became of the file that was on its way."""
        if file is not self.incoming:
            return
        self.incoming = None
        if file.kept is not None and self.fs is not None:
            is_new = file.kept.status == "queued"
            self.fs.add(
                self._incoming_path, file.size_bytes, file.kept.photo_id if is_new else None
            )

    def leave(self) -> None:
        """End the connection, as the server is being stopped; a file only once it is settled."""
        if self.incoming is None:
            if not self._has_left:
                self._has_left = True
                self.respond(STOPPED)
                self.close_when_done()
        elif self.incoming.is_settled and self.data_channel is not None:
            self.data_channel.settle()

    def process_command(self, cmd: str, *args: Any, **kwargs: Any) -> None:
        """Answer a command; without TLS no login where that is not allowed."""
        if cmd in {"USER", "PASS"} and not (self._ssl_established or self.takes_plain):
            self.respond(HAS_NO_TLS if self.certificate is None else NEEDS_TLS)
        elif cmd in _DATA and not (self._prot or self.takes_plain):
            self.respond(NEEDS_PRIVATE_DATA)
        elif cmd in _TLS and self.certificate is None:
            self.respond("502 This server has no certificate.")
        else:
            FTPHandler.process_command(self, cmd, *args, **kwargs)

    def ftp_AUTH(self, line: str) -> None:
        """Begin TLS; what was sent before it is forgotten, as anybody may have put it there."""
        super().ftp_AUTH(line)
        if self._ssl_requested:
            self.ac_in_buffer = b""
            if self.authenticated:
                self.flush_account()

    def ftp_PASS(self, line: str) -> None:
        """Log in."""
        if self.authenticated:
            self.respond("503 You are logged in already.")
            return
        if not self.username:
            self.respond("503 Send the event's code first (USER).")
            return
        try:
            self.login = self.desk.log_in(self.username, line, self.remote_ip)
        except FindMeError as error:
            FTP_LOGINS.labels("refused").inc()
            self._refuse(answer_to(error))
        except Exception:
            log.exception("ftp_login_failed")
            self._refuse(f"421 {OUR_FAULT}")
        else:
            FTP_LOGINS.labels("accepted").inc()
            self.handle_auth_success("/", "", "Photos that you send are the event's.")
            self._wait(IDLE_SECONDS)

    def ftp_STOR(self, file: str, mode: str = "w") -> None:
        """Take a photo in, from its beginning or where its sender says (REST)."""
        starts_at, self._restart_position = self._restart_position, 0
        self._take_in(file, starts_at)

    def ftp_APPE(self, file: str) -> None:
        """Go on with a photo where it broke off."""
        self._restart_position = 0
        if self.fs.find(file) is not None:
            self.respond(IS_WHOLE)
        else:
            self._take_in(file, None)

    def ftp_SIZE(self, path: str) -> None:
        """Tell where a file is gone on with that broke off; else of what was sent just now."""
        size = None
        try:
            if self.login is not None and self.fs.find(path) is None:
                size = self.desk.size_of_broken(self.login, _sent(path))
        except Exception:
            # Its sender begins anew.
            log.exception("ftp_size_failed")
        if size is None:
            super().ftp_SIZE(path)
        else:
            self.respond(f"213 {size}")

    def _take_in(self, file: str, starts_at: int | None) -> None:
        if self.login is None or self.incoming is not None:
            self.respond(BUSY)
            return
        try:
            expected = self.desk.expect(self.login, _sent(file), starts_at)
        except FindMeError as error:
            self.respond(answer_to(error))
            return
        except Exception:
            log.exception("ftp_upload_failed")
            self.respond(f"451 {OUR_FAULT}")
            return
        if self.server.is_leaving:
            return
        incoming = IncomingFile(expected, self.desk)
        self.incoming, self._incoming_path = incoming, file
        if self.data_channel is not None:
            self.respond("125 Send it.")
            self.data_channel.file_obj = incoming
            self.data_channel.enable_receiving("i", "STOR")
        else:
            self.respond("150 Send it.")
            self._in_dtp_queue = (incoming, "STOR")

    def ftp_RNFR(self, path: str) -> None:
        """Cameras send under a passing name, and rename: what they have sent just now."""
        if self.fs.find(path) is None:
            self.respond("550 No such file was sent over this connection.")
        else:
            self._rnfr = path
            self.respond("350 Name it.")

    def ftp_RNTO(self, path: str) -> None:
        """Rename the photo; one that was in the event before keeps the name that it has there."""
        sent = None if self._rnfr is None else self.fs.find(self._rnfr)
        if sent is None or self._rnfr is None or self.login is None:
            self.respond("503 Say first what is renamed (RNFR).")
            return
        source, self._rnfr = self._rnfr, None
        try:
            if sent.photo_id is not None:
                self.desk.rename(self.login, sent.photo_id, _sent(path))
        except FindMeError as error:
            self.respond(answer_to(error))
        except Exception:
            log.exception("ftp_rename_failed")
            self.respond(f"451 {OUR_FAULT}")
        else:
            self.fs.move(source, path)
            self.respond("250 Renamed.")

    def ftp_RETR(self, line: str) -> None:
        """Nothing is read here."""
        self.respond(ONLY_IN)

    ftp_DELE = ftp_RMD = ftp_XRMD = ftp_RETR  # noqa: N815 - the library's names

    def push(self, data: str) -> None:
        """Send an answer; names that are no UTF-8 go back as they came."""
        super(FTPHandler, self).push(_sent(data))

    def flush_account(self) -> None:
        """Forget the login."""
        super().flush_account()
        self.login = None

    def log(self, msg: str, logfun: Any = None) -> None:
        """Nothing: the library's lines have codes and names in them."""

    logline = log_cmd = log_transfer = lambda self, *args, **kwargs: None

    def log_exception(self, instance: object) -> None:
        """Something went wrong here."""
        log.error("ftp_connection_failed", exc_info=sys.exc_info()[1])

    def _refuse(self, line: str) -> None:
        self.username = ""
        self.attempted_logins += 1
        self.respond(line)
        if self.attempted_logins >= WRONG_LOGINS or line.startswith("421"):
            self.close_when_done()

    def _wait(self, seconds: int) -> None:
        """Have so much time between two commands from now on."""
        self.timeout = seconds
        if self._idler is not None and not self._idler.cancelled:
            self._idler.cancel()
        self._idler = self.ioloop.call_later(
            seconds, self.handle_timeout, _errback=self.handle_error
        )


def _sent(text: str) -> bytes:
    """Return what was sent, or is to be: names of cameras need not be UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def keep_quiet() -> None:
    """Have the library write no lines of its own: they name events' codes."""
    logging.getLogger("pyftpdlib").setLevel(logging.CRITICAL)
