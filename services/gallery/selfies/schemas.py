"""What is answered of the caller's selfies and their matching."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field


class MySelfie(BaseModel):
    """When the newest selfie was sent."""

    user_id: int
    created_at: datetime


class Selfie(BaseModel):
    """One selfie; its address asks for the caller's token."""

    id: int
    created_at: datetime
    url: str = Field(examples=["/api/selfie/17?selfie_id=5"])


class MatchingIdle(BaseModel):
    """There is no selfie, or no event to match it in."""

    status: Literal["idle"]


class MatchingRunning(BaseModel):
    """It is being matched."""

    status: Literal["running"]
    started_at: float = Field(description="Seconds since 1970.")
    matched: Literal[0]


class MatchingDone(BaseModel):
    """It has been matched with all photos there are."""

    status: Literal["done"]
    finished_at: float = Field(description="Seconds since 1970.")
    matched: int


class MatchingFailed(BaseModel):
    """It cannot be used; the error says why."""

    status: Literal["failed"]
    finished_at: float = Field(description="Seconds since 1970.")
    error: str


RematchStatus = Annotated[
    MatchingIdle | MatchingRunning | MatchingDone | MatchingFailed, Field(discriminator="status")
]
