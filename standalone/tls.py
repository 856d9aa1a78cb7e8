"""The certificate of one's own that FindMe is served by."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography import x509

from libs.common.errors import InvalidInput

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Named:
    """What a certificate says of itself: whom it is for, and until when."""

    #: Host names first, then addresses, as it lists them.
    hosts: tuple[str, ...]
    ends_at: datetime

    def is_for(self, host: str) -> bool:
        """Whether browsers take it for this host (RFC 6125, 6.4.3)."""
        parent = host.partition(".")[2]
        return any(
            name.lower() == host.lower() or (name.startswith("*.") and name[2:] == parent)
            for name in self.hosts
        )


class ServerCertificate:
    """A certificate with its chain, and its key; read anew when their files change."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        """Raises InvalidInput where they cannot be used."""
        self._certificate = certificate
        self._key = key or certificate
        try:
            self._seen = self._state()
            self._context = self._read()
            #: Of the certificate that was there at the start.
            self.named = read_named(certificate)
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
            msg = (
                f"TLS_CERTIFICATE: {certificate} and {self._key} are no certificate and its key in"
                f" PEM, without a passphrase ({reason})."
            )
            raise InvalidInput(msg) from error

    def context(self) -> ssl.SSLContext:
        """Return what the next connection is protected by."""
        try:
            state = self._state()
            if state != self._seen:
                self._context, self._seen = self._read(), state
                log.info("certificate_renewed", certificate=str(self._certificate))
        except (OSError, ssl.SSLError) as error:
            # Perhaps half of it is written: the next connection looks again.
            log.warning("certificate_unreadable", error=error)
        return self._context

    def _state(self) -> tuple[tuple[int, int], ...]:
        found = (path.stat() for path in (self._certificate, self._key))
        return tuple((one.st_mtime_ns, one.st_size) for one in found)

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        # A passphrase that is asked for at the terminal would stop the start; an empty one fails.
        context.load_cert_chain(self._certificate, self._key, password="")
        return context


def read_named(certificate: Path) -> Named:
    """Read what the first certificate of a PEM file says. Raises OSError, ValueError."""
    found = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        hosts: tuple[str, ...] = ()
    else:
        hosts = (
            *names.get_values_for_type(x509.DNSName),
            *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
        )
    return Named(hosts, found.not_valid_after_utc.astimezone(UTC))
