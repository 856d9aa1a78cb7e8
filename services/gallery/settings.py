"""Settings of the gallery service."""

from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from libs.common.setting_files import FileOrVariableSettings
from libs.common.settings import MEGABYTE, CommonSettings, HttpUrl

#: What a service that died at the wrong moment had written to the store without a row is
#: removed by a second look, so long after an account or an event was deleted: longer than
#: anything takes that was in flight then.
DELETE_AGAIN_SECONDS = 3600.0


#: OWASP's parameters of Argon2id: memory, passes over it, lanes.
HASH_MEMORY_KIB, HASH_PASSES, HASH_LANES = 19_456, 2, 1
#: Memory times passes of the weakest of the parameters that OWASP calls equally good.
LEAST_HASH_WORK = 7_168 * 5


class MailSettings(FileOrVariableSettings):
    """Where mails go, whom they are from, and where their links lead."""

    public_url: Annotated[str | None, HttpUrl] = Field(
        default=None,
        max_length=300,
        pattern=r"^https?://[^/?#\s]+/?$",
        description="Where guests reach FindMe, such as https://photos.example.org: links in mails"
        " begin with it; without it, with INVITE_URL's.",
    )
    mail_host: str | None = Field(default=None, description="The mail server that takes our mails.")
    mail_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    mail_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the way there is protected: starttls, tls, or none."
    )
    mail_username: str | None = Field(default=None, description="Who logs in there, if anybody.")
    mail_password: SecretStr | None = Field(default=None, description="The login's password.")
    mail_from: str = Field(
        default="FindMe <findme@localhost>",
        max_length=300,
        description="Sender of all mails, as an address or Name <address>.",
    )
    mail_timeout_seconds: float = Field(
        default=30, gt=0, le=120, description="Seconds that the mail server may take for an answer."
    )
    mail_dir: Path | None = Field(
        default=None, description="Folder that mails are written to where there is no MAIL_HOST."
    )
    mail_keep_days: float = Field(
        default=30, gt=0, description="Days after which it is forgotten that a mail was sent."
    )

    @field_validator(
        "public_url", "mail_host", "mail_username", "mail_password", "mail_dir", mode="before"
    )
    @classmethod
    def _unset_if_empty(cls, value: object) -> object:
        return value or None

    @field_validator("mail_from")
    @classmethod
    def _one_sender(cls, value: str) -> str:
        if not value.isprintable() or "@" not in parseaddr(value)[1]:
            msg = "must be an address, or a name with one: FindMe <findme@example.org>"
            raise ValueError(msg)
        return value


class OidcSettings(FileOrVariableSettings):
    """The login service by which admins and photographers log in, if there is one."""

    oidc_issuer: str | None = Field(
        default=None,
        max_length=300,
        description="OpenID provider that admins and photographers may log in by.",
    )
    oidc_client_id: str | None = Field(default=None, description="Our name there.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Our secret there; a public client has none."
    )
    oidc_photographer_domains: str | None = Field(
        default=None,
        description="Whoever has a verified address there, such as example.org,example.com, becomes"
        " a photographer at their first login; without it accounts must be there.",
    )

    @field_validator(
        "oidc_issuer",
        "oidc_client_id",
        "oidc_client_secret",
        "oidc_photographer_domains",
        mode="before",
    )
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        return value or None

    @field_validator("oidc_issuer")
    @classmethod
    def _by_tls(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        is_here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if not parts.hostname or parts.scheme not in ({"https", "http"} if is_here else {"https"}):
            msg = "must be an https:// address, such as https://login.example.org"
            raise ValueError(msg)
        return value

    @property
    def photographer_domains(self) -> frozenset[str]:
        """The domains whose people become photographers."""
        named = (self.oidc_photographer_domains or "").lower().split(",")
        return frozenset(domain.strip() for domain in named if domain.strip())


class EventSettings(FileOrVariableSettings):
    """What an event has that nobody has said otherwise of."""

    event_lifetime_days: float = Field(
        default=90,
        gt=0,
        description="Days that an event lasts, from its date or, where that is past, from now.",
    )
    invite_url: str = Field(
        default="/e/{code}",
        max_length=500,
        pattern=r"^(/|https?://).*\{code\}",
        description="What an event's QR code opens; without a host, at PUBLIC_URL.",
    )


class GallerySettings(MailSettings, OidcSettings, EventSettings, CommonSettings):
    """How long a login lasts, and the bounds of the cache and the live streams."""

    only_reads_objects: ClassVar[bool] = True

    port: int = Field(default=8003, ge=0, le=65535, description="Port to listen on.")
    recognition_url: Annotated[str, HttpUrl] = Field(
        default="http://127.0.0.1:8002", description="Where recognition answers."
    )
    web_dir: Path | None = Field(
        default=None,
        description="Folder of the built browser app; without it `/` leads to the API's pages.",
    )
    access_token_days: float = Field(
        default=7, gt=0, description="A login's lifetime; it must outlast an event's day."
    )
    guest_session_days: float = Field(
        default=180, gt=0, description="How long a guest without a password stays logged in."
    )
    event_grace_days: float = Field(
        default=30,
        ge=0,
        le=3650,
        description="Days from an event's end until its photos and faces are erased.",
    )
    erasure_notice_days: float = Field(
        default=7,
        ge=0,
        le=365,
        description="Days before an event ends, and before it is erased, that this is announced"
        " by mail; 0: never.",
    )
    password_hashes_at_once: int = Field(
        default=2,
        ge=1,
        description="Passwords hashed at the same time; each takes PASSWORD_HASH_MEMORY_KIB.",
    )
    password_hash_memory_kib: int = Field(
        default=HASH_MEMORY_KIB, le=1_048_576, description="Memory of Argon2id, in KiB."
    )
    password_hash_passes: int = Field(
        default=HASH_PASSES,
        ge=1,
        le=20,
        description="Its passes over that memory. At the next login a password is hashed anew.",
    )
    password_hash_lanes: int = Field(default=HASH_LANES, ge=1, le=16, description="Its lanes.")
    list_cache_mb: float = Field(
        default=64,
        gt=0,
        description="Memory for cached photo lists, half of it for what they are joined from.",
    )
    list_cache_seconds: float = Field(
        default=30, gt=0, description="Longest life of a cached list; messages end it earlier."
    )
    list_loads_at_once: int = Field(
        default=16,
        ge=1,
        description="Photo lists read at the same time, by half of the connections at most.",
    )
    live_streams_max: int = Field(
        default=2000, ge=1, description="Open live streams; further ones get 503."
    )
    live_streams_per_account: int = Field(
        default=6, ge=1, description="Of one account, per process; further ones get 429."
    )
    live_ping_seconds: float = Field(
        default=15, gt=0, description="A silent live stream gets a heartbeat this often."
    )
    setup_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="What the first admin is made with over HTTP; else `findme admin create`.",
    )
    audit_retention_days: float = Field(
        default=365, ge=90, description="Days that is kept who did what; at least 90."
    )
    grafana_url: Annotated[str | None, HttpUrl] = Field(
        default=None, max_length=300, description="Where admins find Grafana, if there is one."
    )
    aws_price_per_call: float = Field(
        default=0.001, ge=0, description="Dollars per IndexFaces or SearchFaces call."
    )

    @model_validator(mode="after")
    def _hashes_are_slow(self) -> Self:
        if self.password_hash_memory_kib * self.password_hash_passes < LEAST_HASH_WORK:
            msg = (
                "PASSWORD_HASH_MEMORY_KIB times PASSWORD_HASH_PASSES must be at least"
                f" {LEAST_HASH_WORK}, or hashes are guessed: OWASP's are"
                f" {HASH_MEMORY_KIB} and {HASH_PASSES}"
            )
            raise ValueError(msg)
        if self.password_hash_memory_kib < 8 * self.password_hash_lanes:
            msg = "PASSWORD_HASH_MEMORY_KIB must be at least eight times PASSWORD_HASH_LANES"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _providers_can_answer(self) -> Self:
        if self.oidc_issuer and not (self.oidc_client_id and self.public_url):
            msg = "OIDC_ISSUER needs OIDC_CLIENT_ID, and PUBLIC_URL: where browsers come back to"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _mails_can_be_written(self) -> Self:
        if self.mail_host and "@localhost" in self.mail_from:
            msg = "MAIL_HOST needs MAIL_FROM: whom the mails are from"
            raise ValueError(msg)
        if self.mail_host and not (self.public_url or self._invite_origin):
            msg = "MAIL_HOST needs PUBLIC_URL: where links in mails lead"
            raise ValueError(msg)
        if self.mail_password and not self.mail_username:
            msg = "MAIL_PASSWORD needs MAIL_USERNAME"
            raise ValueError(msg)
        return self

    @property
    def sends_mails(self) -> bool:
        """Whether there is a mail server, or a folder in its place."""
        return bool(self.mail_host or self.mail_dir)

    @property
    def links_begin_with(self) -> str:
        """The origin of links that are sent or shown: never what a request says of itself."""
        return self.public_origin or f"http://localhost:{self.port}"

    @property
    def public_origin(self) -> str | None:
        """Where guests reach us, as settings say it; None where they do not."""
        origin = self.public_url or self._invite_origin
        return origin.rstrip("/") if origin else None

    @property
    def _invite_origin(self) -> str | None:
        parts = urlsplit(self.invite_url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None

    @field_validator("setup_token", "grafana_url", "web_dir", mode="before")
    @classmethod
    def _nothing_if_empty(cls, value: object) -> object:
        return value or None

    @property
    def list_cache_bytes(self) -> int:
        """Memory for cached photo lists, in bytes."""
        return int(self.list_cache_mb * MEGABYTE)
