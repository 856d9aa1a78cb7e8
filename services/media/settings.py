"""Settings of the media service."""

from pydantic import Field

from libs.common.settings import CommonSettings


class MediaSettings(CommonSettings):
    """How many renditions at once, and how many requests may wait for theirs."""

    port: int = Field(default=8004, ge=0, le=65535, description="Port to listen on.")
    rendition_workers: int = Field(
        default=1, ge=1, le=64, description="Worker processes that make renditions."
    )
    rendition_queue_limit: int = Field(
        default=200, ge=0, description="Renditions that may wait; above, the answer is 503."
    )
    rendition_timeout_seconds: float = Field(
        default=30, gt=0, description="A worker busy for longer with one photo is killed."
    )
    max_photo_megapixels: float = Field(
        default=100, gt=0, description="Larger images are refused before decoding."
    )

    @property
    def large_downloads_at_once(self) -> int:
        """Large objects read at once: the other connections serve thumbnails and readiness."""
        return max(1, self.s3_pool_size // 2)
