"""Settings of the media service."""

from pydantic import Field, ValidationInfo, field_validator

from libs.common.settings import CommonSettings
from services.media.responses.delivery import DeliveryMode

#: A quarter of the files that a process may open on most systems, where nobody allows more.
FOLDER_STREAMS = 256


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
    archives_at_once: int = Field(
        default=16,
        ge=1,
        description="Archives of photos that are sent at once; above, the answer is 503.",
    )
    max_photo_megapixels: float = Field(
        default=210, gt=0, description="Larger images are refused before decoding."
    )

    media_delivery: DeliveryMode = Field(
        default=DeliveryMode.STREAM,
        description="Who sends objects: stream (media), accel (the gateway), redirect (S3).",
    )

    @field_validator("media_delivery")
    @classmethod
    def _has_bucket(cls, value: DeliveryMode, info: ValidationInfo) -> DeliveryMode:
        if value is DeliveryMode.REDIRECT and not info.data.get("photo_bucket_name"):
            msg = "redirect leads to S3: name its bucket in PHOTO_BUCKET_NAME, or set stream"
            raise ValueError(msg)
        return value

    @property
    def streams_at_once(self) -> int:
        """Large objects that are streamed at once, each with its connection or open file.

        With those of `parts_at_once` they have half of the connections to S3: the others serve
        thumbnails and readiness.
        """
        if self.photo_bucket_name is None:
            return FOLDER_STREAMS
        return max(0, self.s3_pool_size // 2 - self.parts_at_once)

    @property
    def photos_ahead(self) -> int:
        """Photos of archives that are read before their turn: of S3, which answers late.

        With streams and parts they have three quarters of the connections.
        """
        return 0 if self.photo_bucket_name is None else self.s3_pool_size // 4

    @property
    def parts_at_once(self) -> int:
        """Parts of large objects that are read at once for those without a stream."""
        return max(1, self.s3_pool_size // 8)
