"""Guests who join together with a selfie: asked for by ingest, which has that."""

from datetime import timedelta

from fastapi import APIRouter, Depends, Request, Response

from libs.common.database.audit import caller_address
from libs.common.limits.budgets import JOINS
from libs.common.limits.source import caller_source
from libs.common.registrations import JOIN_CHECK_PATH, JOINS_PATH, JoinRequest
from libs.common.web.internal import require_internal
from services.gallery.accounts.link_limits import may_ask_for_mail
from services.gallery.events.access import guessed_event
from services.gallery.gallery import CurrentGallery
from services.gallery.guests.join import Joining, check_joining, join_event
from services.gallery.guests.views import joined_view, tokens_of
from services.gallery.mail.rules import language_of
from services.gallery.web.answers import json_answer

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_internal)])


@router.post(JOIN_CHECK_PATH)
async def check_join(asked: JoinRequest, gallery: CurrentGallery) -> Response:
    """Say what is wrong with the code or the guest, before the selfie costs a look."""
    caller_address.set(asked.client_address)
    event = await guessed_event(
        asked.event_code, database=gallery.database, limiter=gallery.limiter
    )
    await gallery.limiter.spend(JOINS.of(event.id, caller_source()))
    async with gallery.database.read() as connection:
        await check_joining(_joining(asked), asked.user_id, connection)
    return json_answer({"valid": True})


@router.post(JOINS_PATH)
async def join(asked: JoinRequest, request: Request, gallery: CurrentGallery) -> Response:
    """Have the guest join, once `check_join` let them; their selfie comes next.

    A new guest whose selfie cannot be kept is withdrawn as a registration is.
    """
    # It is the guest who does it, not the service that asks.
    caller_address.set(asked.client_address)
    joining = _joining(asked)
    # Here, not in the check: a selfie that is refused sends no mail.
    if asked.user_id is None and joining.email is not None:
        await may_ask_for_mail(joining.email, limiter=gallery.limiter)
    lifetime = timedelta(days=gallery.settings.guest_session_days)
    joined = await join_event(
        joining,
        asked.user_id,
        lifetime=lifetime,
        user_agent=asked.user_agent,
        tokens=tokens_of(request),
        database=gallery.database,
    )
    seconds = None if joined.session is None else int(joined.session.lifetime.total_seconds())
    return json_answer({"answer": await joined_view(joined, gallery), "session_seconds": seconds})


def _joining(asked: JoinRequest) -> Joining:
    return Joining(
        event_code=asked.event_code,
        name=asked.name,
        consent_version=asked.consent_version,
        language=asked.language or language_of(asked.accept_language),
        email=asked.email or None,
    )
