"""Settings of the door for cameras that send by FTP."""

from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator

from libs.common.setting_files import FileOrVariableSettings

#: Below 1024 only root may listen.
DEFAULT_PORT: Final = 2121


class FtpSettings(FileOrVariableSettings):
    """Where cameras reach it, and how their connections are protected.

    Ingest reads them too: it tells photographers where the door is.
    """

    ftp_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port that cameras send to by FTP. Unset, standalone takes nothing by FTP; the"
        " door's own process listens on 2121.",
    )
    ftp_passive_ports: str = Field(
        default="50000-50099",
        pattern=r"^\d{1,5}-\d{1,5}$",
        description="Ports of FTP's data connections, first to last; open to cameras, too.",
    )
    ftp_public_host: str | None = Field(
        default=None,
        max_length=255,
        pattern=r"^[A-Za-z0-9._:-]+$",
        description="Host name of the door for cameras, as photographers are told it; unset, it is"
        " the one by which they reach FindMe.",
    )
    ftp_public_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Port that photographers are told, where a balancer has another than FTP_PORT.",
    )
    ftp_public_address: IPv4Address | None = Field(
        default=None,
        description="IPv4 address that cameras are told for data connections, behind NAT.",
    )
    ftp_tls_certificate: Path | None = Field(
        default=None,
        description="PEM file of the certificate and its chain for FTPS; read anew once changed.",
    )
    ftp_tls_key: Path | None = Field(
        default=None, description="PEM file of its key, where that is not in the same file."
    )
    ftp_plain: bool = Field(
        default=False,
        description="Whether FTP without TLS is taken: anybody on the way can read key and photos."
        " For cameras without FTPS, on a network of your own.",
    )
    ftp_max_connections: int = Field(
        default=64, ge=1, le=1000, description="Cameras that are connected by FTP at once."
    )

    @field_validator(
        "ftp_port",
        "ftp_public_host",
        "ftp_public_port",
        "ftp_public_address",
        "ftp_tls_certificate",
        "ftp_tls_key",
        mode="before",
    )
    @classmethod
    def _unset_if_empty(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("ftp_passive_ports")
    @classmethod
    def _check_ports(cls, value: str) -> str:
        first, last = (int(port) for port in value.split("-"))
        if not 1024 <= first <= last <= 65535:
            msg = "Name two ports from 1024 to 65535, the lower one first, such as 50000-50099."
            raise ValueError(msg)
        return value

    @property
    def passive_ports(self) -> range:
        """The ports of data connections."""
        first, last = (int(port) for port in self.ftp_passive_ports.split("-"))
        return range(first, last + 1)
