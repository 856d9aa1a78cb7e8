"""What is answered of thresholds."""

from typing import Literal

from pydantic import BaseModel, Field


class Threshold(BaseModel):
    """How alike a face must be, 60 to 100."""

    threshold: float = Field(examples=[85.0])


class MatchThreshold(Threshold):
    """An event's; `is_own` where it differs from that of all events."""

    event_id: int
    is_own: bool


class ThresholdPreview(Threshold):
    """How many of the guests' photos would move; one that shows two guests counts twice."""

    event_id: int
    shown: int = Field(description="Photos that are found for guests now.")
    gained: int = Field(
        description="From the uncertain ones to the guest's, as far as uncertain ones are kept."
    )
    doubted: int = Field(description="From the guest's to the uncertain ones.")
    lost: int = Field(description="From the guest's to nowhere.")


class RematchScheduled(BaseModel):
    """The event's selfies are matched again, in the background."""

    scheduled: Literal[True]
    event_id: int
