"""Where standalone FindMe keeps its data, and where it listens."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from libs.common.messaging.bus.retry import DEFAULT_RETRY_DELAYS_SECONDS
from libs.common.settings import AmqpUrl, DatabaseUrl, RetryDelays, ServerSettings
from services.gallery.settings import MailSettings, OidcSettings
from services.ingest.ftp.settings import FtpSettings


class StandaloneSettings(ServerSettings, MailSettings, OidcSettings, FtpSettings):
    """Everything has a default: one folder holds database, objects, models and the secret."""

    findme_data_dir: Path = Field(default=Path("data"), description="Folder of all data.")
    database_url: Annotated[str | None, DatabaseUrl] = Field(
        default=None, description="A PostgreSQL of your own instead of the one in the folder."
    )
    amqp_url: Annotated[str | None, AmqpUrl] = Field(
        default=None, description="RabbitMQ; `findme migrate` declares its queues."
    )
    retry_delays_seconds: RetryDelays = Field(
        default=DEFAULT_RETRY_DELAYS_SECONDS,
        description="Pauses before a photo's further attempts; `findme migrate` makes the queues.",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0: any.")
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file of a certificate and its chain, to be served by HTTPS; read anew"
        " once changed.",
    )
    tls_key: Path | None = Field(
        default=None, description="PEM file of its key, where that is not in the same file."
    )
    web_dir: Path | None = Field(
        default=None, description="Folder of the browser app, instead of what `make web` builds."
    )
    photo_queue_workers: int = Field(
        default=2, ge=1, le=64, description="Worker processes that analyse photos."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe records that are written."
    )
    log_format: Literal["json", "console"] = Field(
        default="console", description="One JSON object a line, or text for a terminal."
    )

    @field_validator("tls_certificate", "tls_key", mode="before")
    @classmethod
    def _no_file_if_empty(cls, value: object) -> object:
        """Compose files pass "not set" as an empty variable."""
        return value or None

    @model_validator(mode="after")
    def _no_key_alone(self) -> Self:
        if self.tls_key is not None and self.tls_certificate is None:
            msg = "TLS_KEY needs TLS_CERTIFICATE: whose key it is"
            raise ValueError(msg)
        return self

    @property
    def data_dir(self) -> Path:
        """The folder, absolute."""
        return self.findme_data_dir.expanduser().absolute()
