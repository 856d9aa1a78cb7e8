"""What photo lists are made of."""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from services.gallery.web.schemas import FaceBox

#: Which `libs.common.images.sizes.long_side` makes.
PANORAMAS: Final = (
    " One of a picture longer than 2:1 is as high as one of 2:1, and longer, with three times as"
    " many pixels at most. Smaller pictures are not enlarged."
)


class Photo(BaseModel):
    """A photo; its addresses are signed, and stay the same as long as the event is open."""

    id: int = Field(examples=[4711])
    filename: str = Field(examples=["3f6b2c7e9a1d4e58b0c9d7a2f4e6b813.jpg"])
    original_filename: str | None = Field(examples=["IMG_2041.jpg"])
    # Clients' generators make nothing good of a field that can only be null.
    file_path: str | None = Field(description="Null; photos are in an object store.")
    content_type: str = Field(examples=["image/jpeg"])
    photo_type: Literal["uploaded", "selfie"]
    user_id: int | None
    photographer_id: int | None
    uploaded_at: datetime
    event_id: int
    width: int | None
    height: int | None
    taken_at: datetime | None = Field(
        description="By a clock in the event's time zone, where it has one; else by the camera's."
    )
    taken_at_offset: int | None = Field(
        description="The minutes by which that clock is ahead of UTC, where known.", examples=[120]
    )
    url: str
    thumbnail_url: str = Field(description=f"A WebP, its longer side 400 pixels.{PANORAMAS}")
    preview_url: str = Field(description=f"A WebP, its longer side 1600 pixels.{PANORAMAS}")
    placeholder: str | None = Field(description="A thumbhash in Base64.")
    processing_status: Literal["queued", "analyzed", "done", "failed"]


class GuestPhoto(Photo):
    """A photo in a guest's list."""

    event_name: str
    has_face_match: bool


class UncertainPhoto(GuestPhoto):
    """A photo that the guest may be in, and the face that may be theirs."""

    similarity: float = Field(examples=[78.4], description="0 to 100.")
    box: FaceBox | None


class PhotographerPhoto(Photo):
    """A photo in its photographer's list."""

    show_in_general: bool | None
    processing_error: str | None
    processing_note: str | None = Field(
        description="What is wrong with a photo that is shown all the same.",
        examples=["The picture is damaged or cut off: 34 % of it is missing."],
    )


class PersonPhoto(PhotographerPhoto):
    """A photo of one person, with the place of the face."""

    box: FaceBox


class EventExpiration(BaseModel):
    """How long an event's photos can still be seen."""

    event_id: int
    expires_at: datetime
    seconds_remaining: int
    photos_count: int
