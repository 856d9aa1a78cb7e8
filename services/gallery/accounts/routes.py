"""Registration, login and the caller's own account."""

from datetime import timedelta
from typing import Annotated

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, Field

from libs.common.database.clock import present_moment
from libs.common.errors import Gone
from libs.common.limits.budgets import JOINS
from libs.common.limits.source import caller_source
from libs.common.registrations import EventCodeUnknown
from libs.common.web.auth import CurrentPrincipal, Participant
from libs.common.web.openapi import problems
from libs.common.web.session_cookie import forget_session_cookie, set_session_cookie
from services.gallery.accounts.changes import delete_account
from services.gallery.accounts.login import (
    Checking,
    Given,
    log_in,
    own_account,
    profile,
    require_presence,
)
from services.gallery.accounts.registration import are_taken, join_event, register_participant
from services.gallery.accounts.rules import NewAccount
from services.gallery.accounts.schemas import (
    AccessToken,
    DeletedAccount,
    EventCodeValidity,
    Profile,
    TakenNames,
    User,
)
from services.gallery.accounts.views import account_view
from services.gallery.events.access import guessed_event
from services.gallery.events.schemas import EventCode
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.web.answers import json_answer
from services.gallery.web.requests import Text
from services.gallery.web.schemas import Message

router = APIRouter(prefix="/api", tags=["accounts"])


class Availability(BaseModel):
    """What somebody would like to be called."""

    username: Text | None = Field(default=None, examples=["zoe"])
    email: Text | None = Field(default=None, examples=["zoe@example.com"])
    #: Who has an event's code is not counted with all others that share their address.
    event_code: Text | None = None


class UserData(BaseModel):
    """An account to be made; a `user_type` is ignored, guests register as participants."""

    username: Text = Field(examples=["zoe"])
    email: Text = Field(examples=["zoe@example.com"])
    password: Text = Field(repr=False, examples=["Seven white Owls!"])

    def account(self) -> NewAccount:
        """Return it for the rules to judge."""
        return NewAccount.of(self.username, self.email, self.password)


class Registration(BaseModel):
    """An account and the event it is for."""

    user_data: UserData
    event_code: Text = Field(examples=["ZOEMAX26"])


class Farewell(BaseModel):
    """The password, where the login is older than 15 minutes."""

    password: Annotated[Text | None, Field(repr=False)] = None


class Login(BaseModel):
    """A username or an email address, and a password."""

    username: Text = Field(examples=["zoe"])
    password: Text = Field(repr=False, examples=["Seven white Owls!"])


@router.post("/check-event-code", response_model=EventCodeValidity, responses=problems(429))
async def check_event_code(asked: EventCode, gallery: CurrentGallery) -> dict[str, bool]:
    """Whether guests can register with the code."""
    try:
        await guessed_event(asked.event_code, database=gallery.database, limiter=gallery.limiter)
    except (EventCodeUnknown, Gone):
        return {"valid": False}
    return {"valid": True}


@router.post("/check-user-availability", response_model=TakenNames, responses=problems(429))
async def check_user_availability(asked: Availability, gallery: CurrentGallery) -> dict[str, bool]:
    """Whether the username and the email address are in use."""
    username_taken, email_taken = await are_taken(
        asked.username,
        asked.email,
        asked.event_code,
        database=gallery.database,
        limiter=gallery.limiter,
    )
    return {"username_taken": username_taken, "email_taken": email_taken}


@router.post("/register-with-event-code", response_model=User, responses=problems(429))
async def register_with_event_code(asked: Registration, gallery: CurrentGallery) -> Response:
    """Register as a participant; 400 joins everything that is wrong."""
    return await _register(asked, gallery, code_is_address=False)


@router.post("/register-invite", response_model=User, responses=problems(404, 410, 429))
async def register_invite(asked: Registration, gallery: CurrentGallery) -> Response:
    """Register from an invitation's link; 404 when its code is unknown."""
    return await _register(asked, gallery, code_is_address=True)


@router.post(
    "/join-event",
    tags=["participants"],
    operation_id="join_event",
    response_model=Message,
    responses=problems(404, 410, 429),
)
async def join(
    asked: Annotated[Text | EventCode, Body()], principal: Participant, gallery: CurrentGallery
) -> dict[str, str]:
    """Join a further event by its code."""
    code = asked.event_code if isinstance(asked, EventCode) else asked
    event = await guessed_event(code, database=gallery.database, limiter=gallery.limiter)
    await gallery.limiter.spend(JOINS.of(event.id, caller_source()))
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            name = await join_event(principal.user_id, code, unit=unit)
    return {"message": f"You have joined {name}."}


@router.post(
    "/login", operation_id="log_in", response_model=AccessToken, responses=problems(401, 429)
)
async def login(
    asked: Login, request: Request, response: Response, gallery: CurrentGallery
) -> dict[str, str]:
    """Answer an access token, and set it as the cookie that images are fetched with."""
    session = await log_in(
        Given(asked.username, asked.password, request.headers.get("user-agent")),
        checking=Checking(
            database=gallery.database,
            passwords=gallery.passwords,
            limiter=gallery.limiter,
            tokens=request.app.state.tokens,
            lifetime=timedelta(days=gallery.settings.access_token_days),
        ),
    )
    set_session_cookie(response, request, session.token, lifetime=session.lifetime)
    return {"access_token": session.token, "token_type": "bearer"}


@router.get("/me", operation_id="get_my_account", response_model=User)
async def me(principal: CurrentPrincipal, gallery: CurrentGallery) -> Response:
    """The caller's account."""
    async with gallery.database.read() as connection:
        return json_answer(account_view(await own_account(connection, principal.user_id)))


@router.delete(
    "/me",
    operation_id="delete_my_account",
    response_model=DeletedAccount,
    responses=problems(404, 409, 429),
)
async def remove_me(
    request: Request,
    principal: CurrentPrincipal,
    gallery: CurrentGallery,
    asked: Annotated[Farewell | None, Body()] = None,
) -> Response:
    """Delete the caller's account with its selfies and matches; answers a receipt.

    403 unless the login is of the last 15 minutes, or the password is sent; also for a wrong one.
    """
    await require_presence(
        principal,
        asked.password if asked is not None else None,
        database=gallery.database,
        passwords=gallery.passwords,
        limiter=gallery.limiter,
    )
    async for attempt in gallery.database.attempts(patient=True):
        async with attempt as unit:
            await delete_account(principal.user_id, actor_id=principal.user_id, unit=unit)
            deleted_at = await present_moment(unit.connection)
    answer = json_answer(
        {
            "message": "Your account is deleted, with your selfies and all that was found by them.",
            "account_id": principal.user_id,
            "deleted_at": deleted_at,
            "request_id": correlation_id.get(),
        }
    )
    forget_session_cookie(answer, request)
    return answer


@router.get("/profile", operation_id="get_my_profile", response_model=Profile)
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
        limiter=gallery.limiter,
        code_is_address=code_is_address,
    )
    async with gallery.database.read() as connection:
        return json_answer(account_view(await own_account(connection, user_id)))
