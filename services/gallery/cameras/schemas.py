"""What is said of an event's cameras."""

from datetime import datetime

from pydantic import BaseModel, Field

#: 40 years: a camera whose clock was never set may begin with 1990.
MAX_SHIFT_SECONDS = 40 * 366 * 24 * 3600


class CameraPhoto(BaseModel):
    """A photo by which one sees how a camera's clock goes."""

    id: int
    thumbnail_url: str
    taken_at: datetime | None


class Camera(BaseModel):
    """A camera, as its photos name it."""

    id: int
    make: str = Field(examples=["Canon"], description="Empty where the camera does not say it.")
    model: str = Field(examples=["Canon EOS R6"])
    serial: str = Field(examples=["032021000123"])
    photos: int
    first_taken_at: datetime | None
    last_taken_at: datetime | None
    shift_seconds: int = Field(
        description="What is added to the camera's clock; `taken_at` has it already.",
        examples=[3780],
    )
    samples: list[CameraPhoto] = Field(description="The last ones that it took.")


class CameraClock(BaseModel):
    """How a camera's clock is put right."""

    shift_seconds: int = Field(
        ge=-MAX_SHIFT_SECONDS,
        le=MAX_SHIFT_SECONDS,
        description="What is added to what the camera wrote; 0 takes all back.",
        examples=[3780],
    )
