"""Settings every service reads from its environment; a service adds its own by inheriting."""

from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode

from libs.common.messaging.bus.retry import DEFAULT_RETRY_DELAYS_SECONDS
from libs.common.setting_files import FileOrVariableSettings
from libs.common.signing_keys import SigningKeys

MIN_SECRET_LENGTH = 32
#: What MB means in every setting, limit and answer.
MEGABYTE = 1024 * 1024
#: Unlike bytes, pixels are counted in round millions.
MEGAPIXEL = 1_000_000
#: Connections that a process keeps while it runs: the outbox relay's, and the partitions'.
KEPT_CONNECTIONS = 2


def _split(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


def _usable_delays(delays: tuple[float, ...]) -> tuple[float, ...]:
    if not delays or min(delays) < 0.001:
        msg = "must be one or more numbers of seconds, such as 5,60,600"
        raise ValueError(msg)
    return delays


#: Written as 5,60,600. The broker's queues are declared by it, so migrations and services
#: must be given the same; a service that was given another refuses to start.
RetryDelays = Annotated[
    tuple[float, ...], NoDecode, BeforeValidator(_split), AfterValidator(_usable_delays)
]


def _believable(proxies: str) -> str:
    """Refuse what uvicorn would take as a name and never meet."""
    for proxy in proxies.split(",") if proxies != "*" else ():
        try:
            ip_network(proxy.strip())
        except ValueError as error:
            msg = f"must be * or addresses and networks, such as 10.0.0.0/8,::1: {error}"
            raise ValueError(msg) from error
    return proxies


#: Written as 127.0.0.1,10.0.0.0/8; * believes everybody, where only a proxy gets through.
Proxies = Annotated[str, AfterValidator(_believable)]


def _of_scheme(value: str | None, schemes: Sequence[str], form: str) -> str | None:
    if value is None:
        return value
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in schemes or not parts.hostname:
        msg = f"must be like {form}"
        raise ValueError(msg)
    return value


def _postgres(value: str | None) -> str | None:
    if value is not None:
        sqlalchemy_url(value)
    return value


#: What a client of it would find out only when it connects, or never.
DatabaseUrl = AfterValidator(_postgres)
AmqpUrl = AfterValidator(
    lambda value: _of_scheme(value, ("amqp", "amqps"), "amqp://user:password@host:port/vhost")
)
HttpUrl = AfterValidator(
    lambda value: _of_scheme(value, ("http", "https"), "https://host, with http:// or https://")
)

#: Never none at all: without limits a password is guessed.
LimitsScale = Annotated[float, Field(ge=0.1, le=100)]
DEFAULT_PROXIES = "127.0.0.1,::1"
#: The same, or nothing for nobody.
Networks = Annotated[str, AfterValidator(lambda named: _believable(named) if named else named)]


class ServerSettings(FileOrVariableSettings):
    """How a server listens, whom it believes, and what it lets clients do."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    forwarded_allow_ips: Proxies = Field(
        default=DEFAULT_PROXIES,
        description="Proxies whose X-Forwarded-Proto and X-Forwarded-For are believed, or *.",
    )
    secure_cookies: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="Whether browsers send logins by TLS alone; auto: those that came by it.",
    )
    client_stall_seconds: float = Field(
        default=30, gt=0, description="A client that takes nothing of an answer for so long is cut."
    )
    max_connections: int = Field(
        default=8000, ge=1, description="Open connections, per process; further ones get 503."
    )
    max_connections_per_address: int = Field(
        default=2000,
        ge=1,
        description="The same of one address (IPv6: /64); believed proxies are not counted.",
    )
    limits_scale: LimitsScale = Field(
        default=1, description="All limits of requests, times this; 3 for a festival's Wi-Fi."
    )
    hsts_seconds: int = Field(
        default=31_536_000,
        ge=0,
        description="For how long browsers that came by TLS come by nothing else; 0 for never.",
    )
    metrics_allow_ips: Networks = Field(
        default="127.0.0.0/8,::1",
        description="Who may read /metrics: addresses and networks, *, or nothing for nobody.",
    )
    metrics_token: SecretStr | None = Field(
        default=None, description="Who shows this as a bearer token may read /metrics, too."
    )

    @field_validator("metrics_token", mode="before")
    @classmethod
    def _no_token(cls, value: object) -> object:
        """Compose files pass "not set" as an empty variable."""
        return value or None


class CommonSettings(ServerSettings):
    """Connections, secrets and logs; names are upper-case environment variables."""

    database_url: Annotated[str, DatabaseUrl] = Field(
        description="PostgreSQL, as postgresql://user:password@host:port/database."
    )
    db_pool_size: int = Field(default=30, ge=1, description="Connections kept, per process.")
    db_max_overflow: int = Field(
        default=70, ge=0, description="Further ones, while those are held for long."
    )
    db_pool_recycle: int = Field(default=1800, ge=-1, description="Seconds a connection lives.")
    db_pool_timeout: float = Field(default=10, gt=0, description="Seconds to wait for one.")
    db_connect_timeout: float = Field(
        default=5, gt=0, description="Seconds that connecting may take."
    )
    db_command_timeout: float = Field(
        default=10,
        gt=0,
        description="Seconds that a statement may take, after which its connection is given up.",
    )
    db_patient_timeout: float = Field(
        default=120,
        gt=0,
        description="The same where it is known to be long: erasures, all faces of an event.",
    )
    db_lock_timeout: float = Field(
        default=5, gt=0, description="Seconds to wait for what another transaction has locked."
    )

    amqp_url: Annotated[str | None, AmqpUrl] = Field(
        default=None, description="RabbitMQ, as amqp://user:password@host:port/vhost."
    )
    retry_delays_seconds: RetryDelays = Field(
        default=DEFAULT_RETRY_DELAYS_SECONDS,
        description="Pauses before a photo's further attempts; `findme migrate` makes the queues.",
    )
    secret_key: SecretStr = Field(
        description="Signs tokens and media URLs; the same in all services, 32 characters or more."
    )
    secret_key_previous: SecretStr | None = Field(
        default=None,
        description="What another key has signed stays valid while it is set here (rotation).",
    )
    photo_store_dir: Path = Field(
        default=Path("data/objects"), description="Folder for objects when no bucket is named."
    )
    photo_bucket_name: str | None = Field(default=None, description="S3 bucket for objects.")
    s3_endpoint_url: Annotated[str | None, HttpUrl] = Field(
        default=None, description="S3 server other than AWS."
    )
    s3_public_url: Annotated[str | None, HttpUrl] = Field(
        default=None, description="The S3 server as guests reach it, else as services do."
    )
    s3_pool_size: int = Field(default=64, ge=1, description="Connections to S3, per process.")
    aws_region: str = Field(default="us-east-1", description="Region of the bucket.")

    #: Of a service that has no need to write to the store, and may have no right to.
    only_reads_objects: ClassVar[bool] = False

    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe records that are written."
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="One JSON object a line, or text for a terminal."
    )

    @field_validator(
        "amqp_url",
        "photo_bucket_name",
        "s3_endpoint_url",
        "s3_public_url",
        "secret_key_previous",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        """Compose files pass "not set" as an empty variable."""
        return value or None

    @field_validator("db_max_overflow")
    @classmethod
    def _enough_connections(cls, value: int, info: ValidationInfo) -> int:
        """One for a scan and one for everything else, beside those that are kept."""
        pool_size = info.data.get("db_pool_size")
        if pool_size is not None and pool_size + value < KEPT_CONNECTIONS + 2:
            msg = (
                f"with DB_POOL_SIZE={pool_size} it must allow {KEPT_CONNECTIONS + 2} connections or"
                " more: the outbox relay and the match partitions keep one each"
            )
            raise ValueError(msg)
        return value

    @field_validator("secret_key", "secret_key_previous")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_SECRET_LENGTH:
            msg = f"must have at least {MIN_SECRET_LENGTH} characters: `openssl rand -hex 32`"
            raise ValueError(msg)
        return value

    @property
    def signing_keys(self) -> SigningKeys:
        """What is signed and verified with, by purpose."""
        previous = self.secret_key_previous
        return SigningKeys(
            self.secret_key.get_secret_value(),
            None if previous is None else previous.get_secret_value(),
        )

    @property
    def db_connections(self) -> int:
        """The most connections that the process has to the database."""
        return self.db_pool_size + self.db_max_overflow

    @property
    def db_scans_at_once(self) -> int:
        """How many may read for long at a time: half of the connections that are not kept.

        The rest answers requests and readiness, and writes what is found meanwhile.
        """
        return (self.db_connections - KEPT_CONNECTIONS) // 2

    @property
    def sqlalchemy_url(self) -> str:
        """The database URL with the asyncpg driver named."""
        return sqlalchemy_url(self.database_url)


def sqlalchemy_url(url: str) -> str:
    """Accept postgres://, postgresql:// and postgresql+asyncpg:// alike."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgres", "postgresql"}:
        msg = "a database's URL must start with postgresql://"
        raise ValueError(msg)
    return f"postgresql+asyncpg://{rest}"
