"""Settings of ingest: the limits of everything it takes in."""

from pydantic import Field

from libs.common.settings import MEGABYTE, MEGAPIXEL, CommonSettings


class IngestSettings(CommonSettings):
    """Names are upper-case environment variables."""

    port: int = Field(default=8001, ge=0, le=65535, description="Port to listen on.")
    recognition_url: str = Field(
        default="http://127.0.0.1:8002", description="Where recognition answers, for selfies."
    )
    max_photo_mb: int = Field(default=50, ge=1, description="Largest photo, in MB.")
    max_photo_megapixels: float = Field(
        default=100, gt=0, description="Most pixels of an image, in millions."
    )
    max_files_per_request: int = Field(default=500, ge=1, description="Photos in one request.")
    max_request_mb: int = Field(default=5000, ge=1, description="Largest upload request, in MB.")
    max_concurrent_uploads: int = Field(
        default=32, ge=1, description="Upload requests read at once, per process."
    )
    max_selfie_mb: int = Field(default=5, ge=1, description="Largest selfie, in MB.")
    max_concurrent_selfies: int = Field(
        default=8, ge=1, description="Selfies read and checked at once, per process."
    )
    max_waiting_requests: int = Field(
        default=200, ge=0, description="Requests of a kind that wait, unread, for their turn."
    )
    admission_patience_seconds: float = Field(
        default=20, ge=0, description="Seconds a request waits for its turn before it gets 503."
    )
    upload_stall_seconds: float = Field(
        default=60,
        gt=0,
        # Later the server itself ends the connection, without a word (KEEP_ALIVE_SECONDS).
        le=70,
        description="Seconds without a byte after which an upload is given up; 70 at most.",
    )

    @property
    def max_photo_bytes(self) -> int:
        """The largest photo, in bytes."""
        return self.max_photo_mb * MEGABYTE

    @property
    def max_pixels(self) -> int:
        """The most pixels an image may have."""
        return int(self.max_photo_megapixels * MEGAPIXEL)

    @property
    def max_request_bytes(self) -> int:
        """The largest upload request, in bytes."""
        return self.max_request_mb * MEGABYTE

    @property
    def max_selfie_bytes(self) -> int:
        """The largest selfie, in bytes."""
        return self.max_selfie_mb * MEGABYTE
