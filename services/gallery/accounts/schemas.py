"""What the routes of accounts answer."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from services.gallery.web.schemas import Message

UserType = Literal["user", "photographer", "admin"]


class EventCodeValidity(BaseModel):
    """Whether guests can register with the code."""

    valid: bool


class TakenNames(BaseModel):
    """Whether somebody has the name and the address already."""

    username_taken: bool
    email_taken: bool


class AccessToken(BaseModel):
    """A token that says who calls, for the header `Authorization: Bearer …`."""

    access_token: str
    token_type: Literal["bearer"]


class User(BaseModel):
    """An account; the event is the first one that a guest joined."""

    id: int = Field(examples=[17])
    username: str = Field(examples=["zoe"])
    email: str | None = Field(
        examples=["zoe@example.com"],
        description="Null for a guest who named none, or did not prove it yet.",
    )
    user_type: UserType
    is_active: bool
    created_at: datetime
    selfie_path: str | None = Field(examples=["/api/selfie/17"])
    event_id: int | None
    event_name: str | None = Field(examples=["Zoë and Max"])
    event_code: str | None = Field(examples=["ZOEMAX26"])
    event_date: datetime | None


class Profile(BaseModel):
    """The caller's account, and how many photos its event has."""

    user: User
    total_photos: int
    photos_with_face: int


class DeletedAccount(Message):
    """A receipt: which account was deleted, when, and by which request."""

    account_id: int
    deleted_at: datetime
    request_id: str | None


class CreatedAccount(Message):
    """An account that was made."""

    user_id: int


class ChangedPhotographer(User, Message):
    """The account as it is now."""
