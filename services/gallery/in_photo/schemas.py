"""What is answered of who is in a photo."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.gallery.web.schemas import FaceBox, Message


class FaceInPhoto(FaceBox):
    """A face; `matched` is about the caller."""

    matched: bool
    confidence: float


class PhotoFaces(BaseModel):
    """The faces of a photo; its size is null until it was analysed."""

    image_width: int | None
    image_height: int | None
    boxes: list[FaceInPhoto]


class PhotoVerdict(Message):
    """What was said of a photo is noted."""

    photo_id: int


class GuestVerdict(PhotoVerdict):
    """What was said of a guest in a photo is noted."""

    user_id: int


class EventGuest(BaseModel):
    """Somebody who joined the event."""

    user_id: int
    username: str = Field(examples=["zoe"])
    joined_at: datetime
    has_selfie: bool
    photos: int = Field(description="How many photos they were found in, or added to.")


class PhotoGuest(BaseModel):
    """Somebody who is in a photo; the likeness is null for those added by hand alone."""

    user_id: int
    username: str = Field(examples=["zoe"])
    similarity: float | None = Field(examples=[93.7], description="0 to 100.")
    box: FaceBox | None
    added_by_hand: bool
    confirmed_by_guest: bool
