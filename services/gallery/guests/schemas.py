"""What guests send of themselves, and what they are answered."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from libs.common.consent import VERSION
from services.gallery.accounts.schemas import User
from services.gallery.event_settings.schemas import ACCENT, CONSENT_TEXT, COVER
from services.gallery.mail.rules import LANGUAGES
from services.gallery.web.requests import Text
from services.gallery.web.schemas import Message

Language = Literal["en", "fr"]
assert LANGUAGES == ("en", "fr")  # noqa: S101 - the literal above cannot be computed


class Invitation(BaseModel):
    """What whoever has an event's code is told of it before they join."""

    name: str = Field(examples=["Zoë and Max"])
    event_code: str = Field(examples=["ZOEMAX26"])
    date: datetime | None
    expires_at: datetime
    photos: int = Field(description="How many photos all of its guests may see.", examples=[412])
    accent: str | None = Field(description=ACCENT, examples=["#B93E14"])
    consent_text: str | None = Field(description=CONSENT_TEXT)
    cover_url: str | None = Field(description=COVER)


class Join(BaseModel):
    """Who joins which event."""

    event_code: Text = Field(examples=["ZOEMAX26"])
    name: Text = Field(examples=["Zoë"])
    consent_version: Text = Field(
        examples=[VERSION], description="Of the text that was shown: `GET /api/consent`."
    )
    language: Language | None = Field(
        default=None, description="Of mails; what the browser asks for when missing."
    )
    email: Text | None = Field(default=None, examples=["zoe@example.com"])


class OpenedAccount(Message):
    """The session that has begun, if one did, and whose it is."""

    access_token: str | None = Field(description="Null where there was a session already.")
    token_type: Literal["bearer"]
    user: User


class GuestJoined(OpenedAccount):
    """The event, too."""

    event_id: int
    event_name: str


class LinkRequest(BaseModel):
    """How the link reaches the other device."""

    by_mail: bool = Field(
        default=False, description="Else it is answered, to be shown as a QR code."
    )


class AccountLink(Message):
    """A link that opens the account on another device; null where it was sent by mail."""

    link: str | None = Field(examples=["https://photos.example.org/api/pages/link#token=…"])
    expires_at: datetime | None


class LinkToken(BaseModel):
    """The token of a link."""

    token: Text = Field(repr=False)


class OwnAccountChange(BaseModel):
    """What is to change; what is missing or null stays."""

    name: Text | None = None
    email: Text | None = Field(
        default=None, description="Yours once the link is opened that is sent there; empty: none."
    )
    language: Language | None = None
    wants_news: bool | None = None
    password: Text | None = Field(
        default=None,
        repr=False,
        description="Goes with another address, where the login is older than 15 minutes.",
    )


class OwnAccount(BaseModel):
    """What a person can change of their account."""

    name: str = Field(examples=["Zoë"])
    email: str | None = Field(examples=["zoe@example.com"])
    unconfirmed_email: str | None = Field(
        description="An address that was named, and whose link was not opened yet."
    )
    language: Language | None
    wants_news: bool
    has_password: bool
