"""Registration, login and the caller's own account."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from libs.common.web.auth import TOKEN_COOKIE, CurrentPrincipal
from libs.common.web.tokens import Tokens
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.log_in import log_in
from services.gallery.accounts.profile import own_account, profile
from services.gallery.accounts.register_participant import register_participant
from services.gallery.accounts.rules import NewAccount
from services.gallery.events import repository as events
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.web.answers import json_answer
from services.gallery.web.fields import Text
from services.gallery.web.views import account_view

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


@router.post("/check-event-code")
async def check_event_code(asked: EventCode, gallery: CurrentGallery) -> dict[str, bool]:
    """Whether guests can register with the code."""
    async with gallery.database.read() as connection:
        event = await events.find_open_event(connection, asked.event_code)
    return {"valid": event is not None}


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


@router.get("/profile")
async def my_profile(principal: CurrentPrincipal, gallery: CurrentGallery) -> Response:
    """The caller's account and photo counts."""
    return json_answer(await profile(principal, database=gallery.database))


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
