"""What is answered of an event's settings, and sent to change them."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from libs.common.web.ids import RowId
from libs.common.web.moments import Moment
from services.gallery.events.schemas import TIME_ZONE, Event
from services.gallery.web.requests import Text, none_if_empty

ACCENT = "The colour of the event's pages; null for ours."
CONSENT_TEXT = "What the organisers add to what guests agree to; it may have several lines."
SELECTED_ONLY = (
    "Whether guests see, besides the photos of them, only those that were chosen to be shown."
)
COVER = "The photo that whoever has the event's code sees first, also a hidden one."


class EventSettings(Event):
    """All that an event's photographer can change of it."""

    accent: str | None = Field(description=ACCENT, examples=["#B93E14"])
    consent_text: str | None = Field(description=CONSENT_TEXT)
    cover_photo_id: int | None = Field(description=COVER)
    cover_url: str | None
    selected_only: bool = Field(description=SELECTED_ONLY)


class EventSettingsChange(BaseModel):
    """What is to change; what is not named stays as it is."""

    name: Text | None = Field(default=None, examples=["Zoë and Max"])
    event_code: Text | None = Field(default=None, examples=["ZOEMAX26"])
    date: Annotated[Moment | None, BeforeValidator(none_if_empty)] = Field(
        default=None, description="Null for none."
    )
    expires_at: Moment | None = None
    strip_metadata: bool | None = None
    accent: Annotated[Text | None, BeforeValidator(none_if_empty)] = Field(
        default=None, description=ACCENT
    )
    consent_text: Annotated[Text | None, BeforeValidator(none_if_empty)] = Field(
        default=None, description=CONSENT_TEXT + " Null for nothing."
    )
    cover_photo_id: RowId | None = Field(default=None, description=COVER + " Null for none.")
    selected_only: bool | None = Field(default=None, description=SELECTED_ONLY)
    time_zone: Annotated[Text | None, BeforeValidator(none_if_empty)] = Field(
        default=None, description=TIME_ZONE + " Null for none.", examples=["Europe/Paris"]
    )
