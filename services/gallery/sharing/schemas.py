"""What is answered about an event's invitation and its walls."""

import uuid
from datetime import datetime

from pydantic import BaseModel, Field


class EventInvitation(BaseModel):
    """Where an event's QR code leads."""

    url: str = Field(
        description="Without a host where neither PUBLIC_URL nor INVITE_URL names one: then guests"
        " reach it by whatever address the caller came by.",
        examples=["https://photos.example.org/e/ZOEMAX26"],
    )
    event_code: str = Field(examples=["ZOEMAX26"])


class WallView(BaseModel):
    """A screen's link; whoever has it sees what all guests of the event may see."""

    id: uuid.UUID
    path: str = Field(description="Below the address that FindMe is reached by.")
    created_at: datetime


class ShownPhoto(BaseModel):
    """A photo as a screen shows it; its addresses hold for hours."""

    id: int
    width: int
    height: int
    placeholder: str | None = Field(description="A thumbhash in Base64.")
    preview_url: str
    url: str = Field(description="As large as guests get it.")


class WallShow(BaseModel):
    """What a wall shows: the event, how it is joined, the newest photos, then a mix of others."""

    event_name: str = Field(examples=["Zoë and Max"])
    event_code: str = Field(examples=["ZOEMAX26"])
    invite_url: str = Field(description="As the event's invitation has it.")
    newest: int = Field(description="How many of the photos are the newest; the others are a mix.")
    photos: list[ShownPhoto]
