"""Registration, login and the caller's own account."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, Field

from libs.common.web.auth import TOKEN_COOKIE, CurrentPrincipal, Participant, Tokens
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.changes import delete_account
from services.gallery.accounts.login import log_in, own_account, profile
from services.gallery.accounts.registration import join_event, register_participant
from services.gallery.accounts.repository import AccountRow
from services.gallery.accounts.rules import NewAccount
from services.gallery.events.access import require_open_event
from services.gallery.events.rules import EventCodeUnknown
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.web.answers import View, json_answer
from services.gallery.web.requests import Text

router = APIRouter(prefix="/api", tags=["accounts"])


class EventCode(BaseModel):
    """An event code as somebody typed it."""

    event_code: Text


class Availability(BaseModel):
    """What somebody would like to be called."""

    username: Text | None = None
    email: Text | None = None


class UserData(BaseModel):
    """An account to be made; a `user_type` is ignored, guests register as participants."""

    username: Text
    email: Text
    password: Text = Field(repr=False)

    def account(self) -> NewAccount:
        """Return it for the rules to judge."""
        return NewAccount.of(self.username, self.email, self.password)


class Registration(BaseModel):
    """An account and the event it is for."""

    user_data: UserData
    event_code: Text


class Login(BaseModel):
    """A username or an email address, and a password."""

    username: Text
    password: Text = Field(repr=False)


def account_view(account: AccountRow) -> View:
    """Return `user`; there is no password hash in what it is made of."""
    return {
        "id": account.id,
        "username": account.username,
        "email": account.email,
        "user_type": account.user_type,
        "is_active": account.is_active,
        "created_at": account.created_at,
        "selfie_path": f"/api/selfie/{account.id}" if account.has_selfie else None,
        "event_id": account.event_id,
        "event_name": account.event_name,
        "event_code": account.event_code,
        "event_date": account.event_date,
    }


@router.post("/check-event-code")
async def check_event_code(asked: EventCode, gallery: CurrentGallery) -> dict[str, bool]:
    """Whether guests can register with the code."""
    try:
        async with gallery.database.read() as connection:
            await require_open_event(connection, asked.event_code)
    except EventCodeUnknown:
        return {"valid": False}
    return {"valid": True}


@router.post("/check-user-availability")
async def check_user_availability(asked: Availability, gallery: CurrentGallery) -> dict[str, bool]:
    """Whether the username and the email address are in use."""
    async with gallery.database.read() as connection:
        username_taken, email_taken = await accounts.taken(
            connection, username=asked.username, email=asked.email
        )
    return {"username_taken": username_taken, "email_taken": email_taken}


@router.post("/register-with-event-code")
async def register_with_event_code(asked: Registration, gallery: CurrentGallery) -> Response:
    """Register as a participant; 400 joins everything that is wrong."""
    return await _register(asked, gallery, code_is_address=False)


@router.post("/register-invite")
async def register_invite(asked: Registration, gallery: CurrentGallery) -> Response:
    """Register from an invitation's link; 404 when its code is unknown."""
    return await _register(asked, gallery, code_is_address=True)


@router.post("/join-event", tags=["participants"])
async def join(
    asked: Annotated[Text | EventCode, Body()], principal: Participant, gallery: CurrentGallery
) -> dict[str, str]:
    """Join a further event by its code."""
    code = asked.event_code if isinstance(asked, EventCode) else asked
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            name = await join_event(principal.user_id, code, unit=unit)
    return {"message": f"You have joined {name}."}


@router.post("/login")
async def login(
    asked: Login, request: Request, response: Response, gallery: CurrentGallery
) -> dict[str, str]:
    """Answer an access token, and set it as the cookie that images are fetched with."""
    principal = await log_in(
        asked.username, asked.password, database=gallery.database, passwords=gallery.passwords
    )
    tokens: Tokens = request.app.state.tokens
    lifetime = timedelta(days=gallery.settings.access_token_days)
    token = tokens.issue(principal, lifetime=lifetime)
    response.set_cookie(
        TOKEN_COOKIE,
        token,
        max_age=int(lifetime.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    response.headers["Cache-Control"] = "no-store"
    return {"access_token": token, "token_type": "bearer"}


@router.get("/me")
async def me(principal: CurrentPrincipal, gallery: CurrentGallery) -> Response:
    """The caller's account."""
    async with gallery.database.read() as connection:
        return json_answer(account_view(await own_account(connection, principal.user_id)))


@router.delete("/me")
async def remove_me(principal: CurrentPrincipal, gallery: CurrentGallery) -> Response:
    """Delete the caller's account with its selfies and matches."""
    async for attempt in gallery.database.attempts(patient=True):
        async with attempt as unit:
            await delete_account(principal.user_id, unit=unit)
    answer = json_answer({"message": "Your account is deleted."})
    answer.delete_cookie(TOKEN_COOKIE)
    return answer


@router.get("/profile")
async def my_profile(principal: CurrentPrincipal, gallery: CurrentGallery) -> Response:
    """The caller's account and photo counts."""
    account, counts = await profile(principal, database=gallery.database)
    return json_answer(
        {
            "user": account_view(account),
            "total_photos": counts.total,
            "photos_with_face": counts.of_guest,
        }
    )


async def _register(asked: Registration, gallery: Gallery, *, code_is_address: bool) -> Response:
    user_id = await register_participant(
        asked.user_data.account(),
        asked.event_code,
        database=gallery.database,
        passwords=gallery.passwords,
        code_is_address=code_is_address,
    )
    async with gallery.database.read() as connection:
        return json_answer(account_view(await own_account(connection, user_id)))
