"""Settings of the recognition service."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from libs.common.setting_files import FileOrVariableSettings
from libs.common.settings import MEGABYTE, CommonSettings, HttpUrl


class DetectorSettings(FileOrVariableSettings):
    """Which detector is taken; operators' commands look for it too."""

    face_detector_model: Path | None = Field(
        default=None,
        description="A YuNet model file; the model folder's or the packaged one when unset.",
    )


class RecognitionSettings(CommonSettings, DetectorSettings):
    """How many photos are analysed at once, by which engine, and how long work may take."""

    port: int = Field(default=8002, ge=0, le=65535, description="Port to listen on.")
    face_recognizer_provider: Literal["embedded", "opencv", "rekognition"] = Field(
        default="embedded", description="The face engine: embedded, opencv or rekognition."
    )
    photo_queue_workers: int = Field(
        default=3, ge=1, le=64, description="Worker processes, and photos analysed at once."
    )
    photo_fetches_at_once: int = Field(
        default=32, ge=1, description="Photos fetched from the store at once, ahead of the workers."
    )
    photo_fetch_mb: float = Field(
        default=256, gt=0, description="Room in /tmp for photos that are fetched and in work."
    )
    analyze_timeout_seconds: float = Field(
        default=120, gt=0, description="A worker busy for longer with one photo is killed."
    )
    findme_model_dir: Path | None = Field(
        default=None, description="Folder of model files; the user's cache when unset."
    )
    max_photo_megapixels: float = Field(
        default=210, gt=0, description="Larger images are refused before decoding."
    )
    max_selfie_mb: int = Field(default=25, ge=1, description="Largest selfie, in MB.")
    aws_concurrent_requests: int = Field(
        default=10, ge=1, le=1000, description="Calls of Rekognition at the same time, per process."
    )
    rekognition_region: str | None = Field(
        default=None, description="Region of Rekognition, if another than AWS_REGION."
    )
    rekognition_endpoint_url: Annotated[str | None, HttpUrl] = Field(
        default=None, description="Rekognition's address when it is not AWS's own."
    )
    aws_rekognition_collection_prefix: str = Field(
        default="event_",
        pattern=r"^[a-zA-Z0-9_.\-]{1,200}$",
        description="An event's collection is called this, followed by the event's id.",
    )
    aws_price_per_call: float = Field(
        default=0.001, ge=0, description="Dollars per IndexFaces or SearchFaces call."
    )
    rekognition_batch_photos: int = Field(
        default=200, ge=1, description="Photos matched together at most, to save searches."
    )
    rekognition_batch_seconds: float = Field(
        default=10,
        gt=0,
        description="Usual wait of a photo for others; at most three times that.",
    )
    selfie_claim_seconds: float = Field(
        default=60,
        gt=0,
        description="So long after its last renewal, a selfie's claim may be taken over.",
    )
    selfie_check_kept_seconds: float = Field(
        default=600,
        ge=0,
        le=3600,
        description="So long is kept what a check found in a picture, hidden by the picture, for"
        " the upload of the same; 0: not at all.",
    )
    partition_lease_seconds: float = Field(
        default=10, gt=0, description="A dead replica's match partitions are taken over after this."
    )
    partition_renew_seconds: float = Field(
        default=2, gt=0, description="How often a replica renews the leases of its partitions."
    )
    reconcile_after_seconds: float = Field(
        default=600,
        gt=0,
        description="Older unfinished work is published again if its message is lost.",
    )
    reconcile_every_seconds: float = Field(
        default=60, gt=0, description="How often unfinished work is looked for."
    )

    @field_validator("rekognition_region", "rekognition_endpoint_url", mode="before")
    @classmethod
    def _empty_means_unset(cls, value: object) -> object:
        """Compose files pass "not set" as an empty variable."""
        return value or None

    @property
    def photo_fetch_bytes(self) -> int:
        """Room for photos that are fetched, in bytes."""
        return int(self.photo_fetch_mb * MEGABYTE)

    @property
    def pixel_limit(self) -> int:
        """The most pixels of a photo."""
        return int(self.max_photo_megapixels * 1e6)

    @model_validator(mode="after")
    def _renewed_in_time(self) -> Self:
        """A lease must survive one renewal that comes too late."""
        if self.partition_lease_seconds < 3 * self.partition_renew_seconds:
            msg = "PARTITION_LEASE_SECONDS must be at least three times PARTITION_RENEW_SECONDS"
            raise ValueError(msg)
        return self
