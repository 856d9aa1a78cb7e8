"""Guests without a password: they join, change what they said, and go on on another device."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from libs.common.limits.budgets import JOINS
from libs.common.limits.source import caller_source
from libs.common.web.auth import (
    CurrentPrincipal,
    Participant,
    PhotographerOrAdmin,
    principal_if_any,
)
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from libs.common.web.session_cookie import set_session_cookie
from services.gallery.accounts.link_limits import guessing_link, may_ask_for_mail
from services.gallery.accounts.login import require_presence
from services.gallery.event_settings.changes import event_look
from services.gallery.event_settings.views import look_view
from services.gallery.events.access import guessed_event
from services.gallery.events.schemas import EventCode
from services.gallery.gallery import CurrentGallery
from services.gallery.guests.join import Joining, join_event
from services.gallery.guests.own_account import (
    change_own_account,
    open_link,
    own_settings,
    send_own_link,
    show_own_link,
)
from services.gallery.guests.removal import remove_guest
from services.gallery.guests.repository import PersonRow
from services.gallery.guests.rules import GuestChange
from services.gallery.guests.schemas import (
    AccountLink,
    GuestJoined,
    Invitation,
    Join,
    LinkRequest,
    LinkToken,
    OpenedAccount,
    OwnAccount,
    OwnAccountChange,
)
from services.gallery.guests.views import joined_view, opened_view, tokens_of
from services.gallery.links.rules import KINDS, Purpose
from services.gallery.lists.participant_lists import count_general_photos
from services.gallery.mail.rules import language_of
from services.gallery.sessions.sessions import IssuedSession
from services.gallery.web.answers import View, json_answer
from services.gallery.web.schemas import Message

router = APIRouter(prefix="/api", tags=["accounts"])
AcceptLanguage = Annotated[str, Header()]


@router.post(
    "/look-up-event",
    operation_id="look_up_event",
    response_model=Invitation,
    responses=problems(404, 410, 429),
)
async def look_up_event(asked: EventCode, gallery: CurrentGallery) -> Response:
    """What whoever has an event's code is told of it before they join."""
    event = await guessed_event(
        asked.event_code, database=gallery.database, limiter=gallery.limiter
    )
    async with gallery.database.read() as connection:
        count = await count_general_photos(connection, event.id)
        look = await event_look(connection, event.id)
    return json_answer(
        {
            "name": event.name,
            "event_code": event.event_code,
            "date": event.date,
            "expires_at": event.expires_at,
            "photos": count,
        }
        | look_view(event, look, gallery.links)
    )


@router.post(
    "/join",
    operation_id="join_as_guest",
    response_model=GuestJoined,
    responses=problems(401, 403, 404, 409, 410, 429),
)
async def join(
    asked: Join, request: Request, gallery: CurrentGallery, accept_language: AcceptLanguage = ""
) -> Response:
    """Join an event with a name, and no password.

    The session is answered, and set as a cookie for months. Whoever has a guest's session joins
    with the same account. An address gets a link that opens the account on another device.
    """
    joining = Joining(
        event_code=asked.event_code,
        name=asked.name,
        consent_version=asked.consent_version,
        language=asked.language or language_of(accept_language),
        email=asked.email or None,
    )
    principal = await principal_if_any(request)
    event = await guessed_event(
        asked.event_code, database=gallery.database, limiter=gallery.limiter
    )
    await gallery.limiter.spend(JOINS.of(event.id, caller_source()))
    if principal is None and joining.email is not None:
        await may_ask_for_mail(joining.email, limiter=gallery.limiter)
    joined = await join_event(
        joining,
        None if principal is None else principal.user_id,
        lifetime=timedelta(days=gallery.settings.guest_session_days),
        user_agent=request.headers.get("user-agent"),
        tokens=tokens_of(request),
        database=gallery.database,
    )
    return _with_session(await joined_view(joined, gallery), joined.session, request)


@router.post("/me/link", operation_id="link_other_device", responses=problems(409, 429))
async def link_other_device(
    principal: Participant, gallery: CurrentGallery, asked: LinkRequest | None = None
) -> AccountLink:
    """Make a link that opens the caller's account on another device, once, and void older ones.

    It is answered, and holds for minutes; or it is sent to the caller's address, and holds a day.
    """
    link, expires_at, message = None, None, "A mail with a link is on its way."
    if asked is not None and asked.by_mail:
        await may_ask_for_mail(f"account {principal.user_id}", limiter=gallery.limiter)
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            if asked is not None and asked.by_mail:
                await send_own_link(principal.user_id, unit=unit)
            else:
                link = await show_own_link(
                    principal.user_id, public_url=gallery.settings.links_begin_with, unit=unit
                )
    if link is not None:
        expires_at = datetime.now(UTC) + KINDS[Purpose.OTHER_DEVICE].lifetime
        message = "Open this link on the other device, within ten minutes."
    return AccountLink(message=message, link=link, expires_at=expires_at)


@router.post(
    "/link/confirm",
    operation_id="open_link",
    response_model=OpenedAccount,
    responses=problems(401, 404, 429),
)
async def confirm_link(asked: LinkToken, request: Request, gallery: CurrentGallery) -> Response:
    """Open the account that a link is for on this device, and prove the address it was sent to.

    A link works once; 400 when it is over.
    """
    async with guessing_link(gallery.limiter):
        async for attempt in gallery.database.attempts():
            async with attempt as unit:
                opened = await open_link(
                    asked.token,
                    lifetime=timedelta(days=gallery.settings.guest_session_days),
                    user_agent=request.headers.get("user-agent"),
                    tokens=tokens_of(request),
                    unit=unit,
                )
    said = (
        "Your account is open on this device." if opened.session else "Your address is confirmed."
    )
    view = await opened_view(opened.person.user_id, opened.session, said, gallery)
    return _with_session(view, opened.session, request)


@router.get("/me/settings", operation_id="get_my_settings")
async def get_settings(principal: CurrentPrincipal, gallery: CurrentGallery) -> OwnAccount:
    """What the caller can change of their account."""
    async with gallery.database.unit_of_work() as unit:
        return _own_account(await own_settings(principal.user_id, unit=unit))


@router.put("/me", operation_id="change_my_account", responses=problems(409, 429))
async def change_me(
    asked: OwnAccountChange, principal: CurrentPrincipal, gallery: CurrentGallery
) -> OwnAccount:
    """Change name, address, language, or whether news come.

    Another address counts once the link is opened that is sent there. Whoever has a password sends
    it with a new address, unless the login is of the last 15 minutes: else 403, as for a wrong one.
    """
    change = GuestChange(asked.name, asked.email, asked.language, asked.wants_news)
    if asked.email is not None:
        # Whoever has the address can have a new password: a session found open must not do.
        await require_presence(
            principal,
            asked.password,
            database=gallery.database,
            passwords=gallery.passwords,
            limiter=gallery.limiter,
        )
    if asked.email:
        await may_ask_for_mail(asked.email, limiter=gallery.limiter)
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            person = await change_own_account(principal.user_id, change, unit=unit)
    return _own_account(person)


@router.delete(
    "/photographer/events/{event_id}/guests/{user_id}",
    tags=["photographers"],
    operation_id="remove_guest_of_event",
    responses=problems(404, 410),
)
async def remove(
    event_id: PathId, user_id: PathId, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Message:
    """Take a guest out of the event, with all that was found of them in it.

    Their account goes, too, with their selfies, unless it has a password or is in other events. The
    event's code lets them in again.
    """
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await remove_guest(event_id, user_id, principal=principal, unit=unit)
    return Message(message="The guest was taken out of the event.")


def _with_session(view: View, session: IssuedSession | None, request: Request) -> Response:
    answer = json_answer(view)
    if session is not None:
        set_session_cookie(answer, request, session.token, lifetime=session.lifetime)
    return answer


def _own_account(person: PersonRow) -> OwnAccount:
    return OwnAccount.model_validate(
        {
            "name": person.name,
            "email": person.email,
            "unconfirmed_email": person.pending_email,
            "language": person.language,
            "wants_news": person.wants_news,
            "has_password": person.has_password,
        }
    )
