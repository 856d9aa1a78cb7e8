"""What ingest asks of the gallery for a guest who registers or joins together with a selfie.

Bytes and face check are ingest's, accounts the gallery's: ingest asks whether the account could be
made, has the selfie judged, has the account made, and keeps the selfie. The same where the guest
joins without a password, with a new account or the one that they are logged in with.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from libs.common.errors import NotFound

REGISTRATIONS_PATH = "/internal/registrations"
REGISTRATION_CHECK_PATH = "/internal/registrations/check"
JOINS_PATH = "/internal/joins"
JOIN_CHECK_PATH = "/internal/joins/check"
MAX_TEXT_CHARACTERS = 10_000


class EventCodeUnknown(NotFound):
    """No open event has this code; ingest says it as the gallery does."""

    def __init__(self, code: str | None) -> None:
        super().__init__("Event code", code)
        self.args = ("Event code not found. Check it with whoever gave it to you.",)


class RegistrationRequest(BaseModel):
    """An account that a guest asks for, the code of their invitation, and where they call from."""

    # Neither an error nor a line of the log quotes a password.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    username: str = Field(max_length=MAX_TEXT_CHARACTERS)
    email: str = Field(max_length=MAX_TEXT_CHARACTERS)
    password: str = Field(max_length=MAX_TEXT_CHARACTERS, repr=False)
    event_code: str = Field(max_length=MAX_TEXT_CHARACTERS)
    client_address: str | None = None


class GuestAccount(BaseModel):
    """A guest's account, as the gallery tells of accounts."""

    id: int
    username: str
    #: None for a guest who named none, or did not prove it yet.
    email: str | None
    user_type: Literal["user"]
    is_active: bool
    created_at: datetime
    selfie_path: str | None
    event_id: int | None
    event_name: str | None
    event_code: str | None
    event_date: datetime | None


class RegisteredGuest(GuestAccount):
    """The account of a guest who has just registered."""

    email: str


class JoinRequest(BaseModel):
    """Who joins which event, and what their request says of them beside."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    event_code: str = Field(max_length=MAX_TEXT_CHARACTERS)
    name: str = Field(max_length=MAX_TEXT_CHARACTERS)
    consent_version: str = Field(max_length=MAX_TEXT_CHARACTERS)
    #: Empty where the form leaves them out, or so.
    language: str = Field(default="", max_length=MAX_TEXT_CHARACTERS)
    email: str = Field(default="", max_length=MAX_TEXT_CHARACTERS)
    #: Whose session came with the request; None for a new guest.
    user_id: int | None = None
    accept_language: str = ""
    user_agent: str = ""
    client_address: str | None = None


class JoinedWithSelfie(BaseModel):
    """The guest is in the event, and their selfie is being matched."""

    message: str = Field(examples=["You are in Zoë and Max."])
    access_token: str | None = Field(
        repr=False, description="Null where there was a session already."
    )
    token_type: Literal["bearer"]
    user: GuestAccount
    event_id: int
    event_name: str


class Joined(BaseModel):
    """What the gallery answers ingest: what the guest is answered, and their cookie's lifetime."""

    model_config = ConfigDict(hide_input_in_errors=True)

    answer: JoinedWithSelfie
    #: None where there was a session already.
    session_seconds: int | None
