"""What the overview answers."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.gallery.events.schemas import EventSummary


class EventAtAGlance(EventSummary):
    """An event, and how much it has."""

    photographer_id: int | None
    is_over: bool = Field(description="Whether it has ended for its guests.")
    photos: int
    pending: int = Field(description="Photos that are not matched yet.")
    failed: int = Field(description="Photos that could not be analysed.")
    guests: int


class Overview(BaseModel):
    """All events of who asks, the newest first; an admin's are everybody's."""

    events: list[EventAtAGlance]
    event_lifetime_days: int = Field(
        description="How long a new event lasts where nobody says when it ends."
    )


class Minute(BaseModel):
    """What happened to an event's photos within a minute."""

    minute: datetime = Field(description="When it began.")
    received: int
    done: int = Field(description="Of the photos of the last hours, those that were finished then.")


class Pace(BaseModel):
    """How an event's photos come in."""

    minutes: list[Minute] = Field(description="The oldest first; the last one is not over.")
