"""Settings of the gallery service."""

from pydantic import Field

from libs.common.settings import MEGABYTE, CommonSettings

#: What a service that died at the wrong moment had written to the store without a row is
#: removed by a second look, so long after an account or an event was deleted: longer than
#: anything takes that was in flight then.
DELETE_AGAIN_SECONDS = 3600.0


class GallerySettings(CommonSettings):
    """How long a login lasts, and the bounds of the cache and the live streams."""

    port: int = Field(default=8003, ge=0, le=65535, description="Port to listen on.")
    recognition_url: str = Field(
        default="http://127.0.0.1:8002", description="Where recognition answers."
    )
    access_token_days: float = Field(
        default=7, gt=0, description="A login's lifetime; it must outlast an event's day."
    )
    event_lifetime_days: float = Field(
        default=90, gt=0, description="Days from an event's date until it expires."
    )
    invite_url: str = Field(
        default="/?event_code={code}",
        max_length=500,
        pattern=r"^(/|https?://).*\{code\}",
        description="What an event's QR code opens; without a host, on the request's own.",
    )
    password_hashes_at_once: int = Field(
        default=2, ge=1, description="Passwords hashed at the same time, 64 MB of memory each."
    )
    list_cache_mb: float = Field(default=64, gt=0, description="Memory for cached photo lists.")
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
    live_ping_seconds: float = Field(
        default=15, gt=0, description="A silent live stream gets a heartbeat this often."
    )
    aws_price_per_call: float = Field(
        default=0.001, ge=0, description="Dollars per IndexFaces or SearchFaces call."
    )

    @property
    def list_cache_bytes(self) -> int:
        """Memory for cached photo lists, in bytes."""
        return int(self.list_cache_mb * MEGABYTE)
