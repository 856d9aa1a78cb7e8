"""Settings of ingest: the limits of everything it takes in."""

from typing import Annotated

from pydantic import Field

from libs.common.settings import MEGABYTE, MEGAPIXEL, CommonSettings, HttpUrl
from services.ingest.ftp.settings import FtpSettings


class IngestSettings(CommonSettings, FtpSettings):
    """Names are upper-case environment variables."""

    port: int = Field(default=8001, ge=0, le=65535, description="Port to listen on.")
    recognition_url: Annotated[str, HttpUrl] = Field(
        default="http://127.0.0.1:8002", description="Where recognition answers, for selfies."
    )
    gallery_url: Annotated[str, HttpUrl] = Field(
        default="http://127.0.0.1:8003",
        description="Where the gallery answers, for guests who register with a selfie.",
    )
    max_photo_mb: int = Field(default=100, ge=1, description="Largest photo, in MB.")
    max_photo_megapixels: float = Field(
        default=210, gt=0, description="Most pixels of an image, in millions."
    )
    max_photos_per_event: int = Field(
        default=250_000, ge=1, description="Photos of an event; above, uploads are answered 409."
    )
    kept_free_mb: int = Field(
        default=500,
        ge=0,
        description="Disk space that uploads leave free, in MB, where photos are in a folder: what"
        " would take of it is answered 507.",
    )
    max_files_per_request: int = Field(default=500, ge=1, description="Photos in one request.")
    max_request_mb: int = Field(default=5000, ge=1, description="Largest upload request, in MB.")
    max_concurrent_uploads: int = Field(
        default=32, ge=1, description="Upload requests read at once, per process."
    )
    max_selfie_mb: int = Field(default=25, ge=1, description="Largest selfie, in MB.")
    max_selfie_megapixels: float = Field(
        default=25, gt=0, description="Most pixels of a selfie, in millions."
    )
    max_concurrent_selfies: int = Field(
        default=8,
        ge=1,
        description="Selfies with recognition at once, of accounts and of visitors each.",
    )
    selfie_room_mb: int = Field(
        default=128,
        ge=16,
        description="Memory for selfies that arrive or wait for their check, half of it visitors'.",
    )
    max_waiting_requests: int = Field(
        default=500, ge=0, description="Requests of a kind that wait, unread, for their turn."
    )
    admission_patience_seconds: float = Field(
        default=30,
        ge=0,
        description="Longest wait of a request for its turn; 503 where it is seen to be longer.",
    )
    max_unfinished_uploads: int = Field(
        default=1000,
        ge=1,
        description="Resumable uploads that an account, or an event, has begun and not ended.",
    )
    max_unfinished_mb: int = Field(
        default=20_000, ge=1, description="The size of these, as announced, in MB."
    )
    unfinished_upload_hours: float = Field(
        default=24,
        gt=0,
        le=24 * 7,
        description="Hours after which a resumable upload that nobody goes on with is forgotten.",
    )
    upload_stall_seconds: float = Field(
        default=60,
        gt=0,
        # Later the server itself ends the connection, without a word (KEEP_ALIVE_SECONDS).
        le=70,
        description="Seconds without a byte after which an upload is given up; 70 at most.",
    )

    @property
    def max_unfinished_bytes(self) -> int:
        """The most bytes of resumable uploads that have not ended."""
        return self.max_unfinished_mb * MEGABYTE

    @property
    def max_photo_bytes(self) -> int:
        """The largest photo, in bytes."""
        return self.max_photo_mb * MEGABYTE

    @property
    def max_pixels(self) -> int:
        """The most pixels an image may have."""
        return int(self.max_photo_megapixels * MEGAPIXEL)

    @property
    def kept_free_bytes(self) -> int:
        """Disk space that uploads leave free, in bytes."""
        return self.kept_free_mb * MEGABYTE

    @property
    def max_request_bytes(self) -> int:
        """The largest upload request, in bytes."""
        return self.max_request_mb * MEGABYTE

    @property
    def max_selfie_bytes(self) -> int:
        """The largest selfie, in bytes."""
        return self.max_selfie_mb * MEGABYTE

    @property
    def selfie_room_bytes(self) -> int:
        """Room for selfies that arrive or wait, in bytes."""
        return self.selfie_room_mb * MEGABYTE

    @property
    def max_selfie_pixels(self) -> int:
        """The most pixels a selfie may have; never more than a photo."""
        return min(self.max_pixels, int(self.max_selfie_megapixels * MEGAPIXEL))
