"""What the routes of events answer."""

from datetime import datetime

from pydantic import BaseModel, Field

from libs.common.rights.access import EventDuplicates
from services.gallery.web.requests import Text
from services.gallery.web.schemas import Message

DUPLICATES = (
    "When the same bytes uploaded again are the photo that is there, whatever way they come:"
    " `window` within five minutes, `event` for the event's whole life. Null leaves it to the way:"
    " forms have the window, all other ways the event's life."
)


TIME_ZONE = (
    "Of the IANA's list. Clocks of cameras whose files say no offset are taken to be in it, and all"
    " `taken_at` are told in it. Without one, they are as the cameras' clocks showed."
)


class EventCode(BaseModel):
    """An event code as somebody typed it."""

    event_code: Text = Field(examples=["ZOEMAX26"])


class EventSummary(BaseModel):
    """What everybody who may see an event sees of it."""

    id: int = Field(examples=[3])
    name: str = Field(examples=["Zoë and Max"])
    event_code: str = Field(examples=["ZOEMAX26"])
    date: datetime | None
    expires_at: datetime


class Event(EventSummary):
    """An event, as its photographer and admins see it."""

    photographer_id: int | None
    strip_metadata: bool = Field(
        description="Whether guests get photos without place, names and serial numbers."
    )
    duplicates: EventDuplicates | None = Field(description=DUPLICATES)
    time_zone: str | None = Field(description=TIME_ZONE, examples=["Europe/Paris"])


class JoinedEvent(EventSummary):
    """An event, as a guest sees it."""

    joined_at: datetime
    time_zone: str | None = Field(description=TIME_ZONE, examples=["Europe/Paris"])


class ChangedEvent(Event, Message):
    """The event as it is now."""


class CreatedEvent(Message):
    """An event that was made, and the code that its guests join by."""

    event_id: int
    event_code: str = Field(examples=["ZOEMAX26"])


class GivenCode(Message):
    """A code for an event."""

    event_code: str = Field(examples=["ZOEMAX26"])


class NewExpiration(Message):
    """Until when the event's photos can be seen now."""

    event_id: int
    new_expiration: datetime
    photos_updated: int
