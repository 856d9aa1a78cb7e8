"""The certificate that cameras see."""

from pathlib import Path

import structlog
from OpenSSL import SSL

from libs.common.errors import InvalidInput

log = structlog.get_logger(__name__)


class Certificate:
    """A certificate and its key, read anew when their files change: they live for weeks."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        """Raises InvalidInput where they cannot be used."""
        self._certificate = certificate
        self._key = key or certificate
        try:
            self._seen = self._state()
            self._context = self._read()
        except (OSError, SSL.Error) as error:
            msg = (
                f"FTP_TLS_CERTIFICATE: {certificate} and {self._key} are no certificate and its key"
                " in PEM."
            )
            raise InvalidInput(msg) from error

    def context(self) -> SSL.Context:
        """Return what the next connection is protected by."""
        try:
            state = self._state()
            if state != self._seen:
                self._context, self._seen = self._read(), state
        except (OSError, SSL.Error) as error:
            # Perhaps half of it is written: the next connection looks again.
            log.warning("ftp_certificate_unreadable", exc_info=error)
        return self._context

    def _state(self) -> tuple[tuple[int, int], ...]:
        found = (path.stat() for path in (self._certificate, self._key))
        return tuple((one.st_mtime_ns, one.st_size) for one in found)

    def _read(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        # By TLS 1.3 a server's first words on a data connection are tickets, which senders do not
        # read: their close is a reset then, and takes a file's end with it (seen with lftp).
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION)
        context.use_certificate_chain_file(str(self._certificate))
        context.use_privatekey_file(str(self._key))
        context.check_privatekey()
        return context
