"""The address at which phones open FindMe: never one that only this machine understands."""

import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from libs.common.addresses import is_this_machine, parsed_address
from standalone.data_dir import write_closed
from standalone.settings import StandaloneSettings

if TYPE_CHECKING:  # the operators' own image serves nothing
    from standalone.tls import ServerCertificate

#: Of networks in documents (RFC 5737, 3849): nothing is sent there, the system says by which of
#: its own addresses it would be.
_ELSEWHERE: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
#: In the data folder: where the last start was to be reached.
ADDRESS_FILE: Final = "address"


@dataclass(frozen=True, slots=True)
class Address:
    """Where FindMe is opened, and whether by other machines than this one."""

    url: str
    is_for_phones: bool

    @property
    def has_camera(self) -> bool:
        """Whether browsers give pages there the camera: by HTTPS, and on the machine itself."""
        return self.url.startswith("https://") or not self.is_for_phones


def address_of(url: str) -> Address:
    """Return an address that somebody named."""
    return Address(url.rstrip("/"), not is_this_machine(urlsplit(url).hostname or ""))


def listening_address(
    settings: StandaloneSettings, port: int, certificate: "ServerCertificate | None"
) -> Address:
    """Return where FindMe is opened that listens on this port: as PUBLIC_URL says, if it does."""
    if settings.public_url:
        return address_of(settings.public_url)
    scheme = "http" if certificate is None else "https"
    host = settings.host
    listens_everywhere = (found := parsed_address(host)) is not None and found.is_unspecified
    if listens_everywhere:
        host = _named_by(certificate) or own_address() or socket.gethostname()
    return address_of(f"{scheme}://{_bracketed(host)}:{port}")


def own_address() -> str | None:
    """Return this machine's address in its network, None without a network."""
    for family, elsewhere in _ELSEWHERE:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            address = str(probe.getsockname()[0])
            if not is_this_machine(address):
                return address
    return None


def keep_address(data_dir: Path, address: Address) -> None:
    """Keep it for commands, which tell guests' links."""
    write_closed(data_dir / ADDRESS_FILE, f"{address.url}\n")


def known_address(settings: StandaloneSettings) -> Address | None:
    """Return where guests come: by PUBLIC_URL, else as at the last start; None before one."""
    if settings.public_url:
        return address_of(settings.public_url)
    with suppress(OSError):
        if url := (settings.data_dir / ADDRESS_FILE).read_text().strip():
            return address_of(url)
    return None


def _named_by(certificate: "ServerCertificate | None") -> str | None:
    """Return the first host that the certificate names and phones can ask for."""
    hosts = certificate.named.hosts if certificate is not None else ()
    return next(
        (host for host in hosts if "*" not in host and not is_this_machine(host)),
        None,
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
