"""Another password: by a link in a mail, or with the one that is there."""

from typing import Annotated

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field

from libs.common.web.auth import CurrentPrincipal
from libs.common.web.openapi import problems
from services.gallery.accounts.link_limits import guessing_link, may_ask_for_mail
from services.gallery.accounts.password_changes import (
    change_password,
    request_password_reset,
    reset_password,
)
from services.gallery.gallery import CurrentGallery
from services.gallery.mail.rules import language_of
from services.gallery.web.requests import Text
from services.gallery.web.schemas import Message

router = APIRouter(prefix="/api", tags=["accounts"])


class ResetRequest(BaseModel):
    """Whose password is to be replaced."""

    email: Text = Field(examples=["zoe@example.com"])


class ResetConfirmation(BaseModel):
    """The token of the link in the mail, and what the password is to be."""

    token: Text = Field(repr=False)
    new_password: Text = Field(repr=False)


class PasswordChange(BaseModel):
    """The password that the account has, and the one that it is to have."""

    current: Text = Field(repr=False)
    new: Text = Field(repr=False)


class PasswordReset(Message):
    """Whose password was replaced."""

    username: str = Field(examples=["zoe"])


@router.post(
    "/password-reset/request",
    operation_id="request_password_reset",
    response_model=Message,
    responses=problems(429),
)
async def request_reset(
    asked: ResetRequest,
    gallery: CurrentGallery,
    accept_language: Annotated[str, Header()] = "",
) -> dict[str, str]:
    """Send a link for another password, if there is an account with this address.

    The answer is the same if there is none. The link holds for an hour, works once, and voids
    older ones.
    """
    await may_ask_for_mail(asked.email, limiter=gallery.limiter)
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await request_password_reset(
                asked.email, language=language_of(accept_language), unit=unit
            )
    return {
        "message": "If there is an account with this address, a mail with a link is on its way."
    }


@router.post(
    "/password-reset/confirm",
    operation_id="reset_password",
    response_model=PasswordReset,
    responses=problems(404, 429),
)
async def confirm_reset(asked: ResetConfirmation, gallery: CurrentGallery) -> dict[str, str]:
    """Replace the password of the account that the link was for; all its devices are logged out.

    400 for a link that is over, and for a password that is refused, after which the link still
    works.
    """
    async with guessing_link(gallery.limiter):
        username = await reset_password(
            asked.token,
            asked.new_password,
            database=gallery.database,
            passwords=gallery.passwords,
            limiter=gallery.limiter,
        )
    return {"message": "Your password is changed. Log in with it.", "username": username}


@router.post(
    "/me/password",
    operation_id="change_my_password",
    response_model=Message,
    responses=problems(409, 429),
)
async def change_my_password(
    asked: PasswordChange, principal: CurrentPrincipal, gallery: CurrentGallery
) -> dict[str, str]:
    """Replace the caller's password; all other devices are logged out, and a mail tells of it."""
    await change_password(
        principal.user_id,
        asked.current,
        asked.new,
        session_id=principal.session_id,
        database=gallery.database,
        passwords=gallery.passwords,
        limiter=gallery.limiter,
    )
    return {"message": "Your password is changed, and your other devices are logged out."}
