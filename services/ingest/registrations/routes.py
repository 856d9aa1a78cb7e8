"""Guests who register, or join without a password, together with their selfie."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from libs.common.limits.budgets import SELFIE_CHECKS
from libs.common.limits.source import caller_source
from libs.common.registrations import (
    JoinedWithSelfie,
    JoinRequest,
    RegisteredGuest,
    RegistrationRequest,
)
from libs.common.web.auth import principal_if_any, require_own_pages
from libs.common.web.openapi import problems
from libs.common.web.session_cookie import set_session_cookie
from services.ingest.context import IngestContext
from services.ingest.registrations import join_guest, register_guest
from services.ingest.registrations.form import form_document, read_form
from services.ingest.selfies.receive_selfie import LEAST_BYTES_PER_SECOND
from services.ingest.selfies.routes import FORM_OVERHEAD_BYTES
from services.ingest.turns import selfie_size

#: What is kept of a header that only tells how to speak to the guest.
MAX_HEADER_CHARACTERS = 500

router = APIRouter(tags=["accounts"])


@router.post(
    "/api/register-invite-with-selfie",
    openapi_extra=form_document(register_guest.FIELDS),
    responses=problems(404, 409, 410, 429, 507),
)
async def register_invite_with_selfie(request: Request, context: IngestContext) -> RegisteredGuest:
    """Register from an invitation's link, with a selfie; 404 when its code is unknown."""
    settings = context.settings
    source = caller_source()
    await context.limiter.spend(SELFIE_CHECKS.of(source))
    max_bytes = settings.max_selfie_bytes + FORM_OVERHEAD_BYTES
    async with context.selfies.arriving_of_strangers.turn(
        source,
        size=selfie_size(request.headers.get("content-length"), max_bytes=max_bytes),
        further_seconds=context.selfies.checked_of_strangers.wait_seconds(source),
    ):
        form = await read_form(
            context.parts(
                request, max_bytes=max_bytes, least_bytes_per_second=LEAST_BYTES_PER_SECOND
            ),
            required=register_guest.FIELDS,
            max_bytes=settings.max_selfie_bytes,
        )
        asked = RegistrationRequest.model_validate(
            form.texts | {"client_address": _address(request)}
        )
        return await register_guest.register_guest(
            asked,
            form.content,
            source,
            turns=context.selfies,
            max_pixels=settings.max_selfie_pixels,
            accounts=context.accounts,
            face_check=context.anonymous_face_check,
            store=context.resources.store,
            database=context.resources.database,
        )


@router.post(
    "/api/join-with-selfie",
    openapi_extra=form_document(join_guest.FIELDS, join_guest.OPTIONAL_FIELDS),
    responses=problems(401, 403, 404, 409, 410, 429, 507),
)
async def join_with_selfie(
    request: Request, response: Response, context: IngestContext
) -> JoinedWithSelfie:
    """Join an event with a name and a selfie, and no password: `/api/join` and the selfie in one.

    The session is answered, and set as a cookie for months. Whoever has a guest's session joins
    with the same account, and the selfie replaces theirs. 403 for a form of another website.
    """
    settings = context.settings
    principal = await principal_if_any(request)
    if principal is None:
        require_own_pages(request)
    sender = join_guest.Sender.of(
        principal,
        caller_source(),
        turns=context.selfies,
        face_check=context.face_check,
        anonymous_face_check=context.anonymous_face_check,
    )
    await context.limiter.spend(*sender.limits)
    max_bytes = settings.max_selfie_bytes + FORM_OVERHEAD_BYTES
    async with sender.arriving.turn(
        sender.source,
        size=selfie_size(request.headers.get("content-length"), max_bytes=max_bytes),
        further_seconds=sender.checked.wait_seconds(sender.source),
    ):
        form = await read_form(
            context.parts(
                request, max_bytes=max_bytes, least_bytes_per_second=LEAST_BYTES_PER_SECOND
            ),
            required=join_guest.FIELDS,
            optional=join_guest.OPTIONAL_FIELDS,
            max_bytes=settings.max_selfie_bytes,
        )
        asked = JoinRequest.model_validate(
            form.texts
            | {
                "user_id": None if principal is None else principal.user_id,
                "accept_language": _header(request, "accept-language"),
                "user_agent": _header(request, "user-agent"),
                "client_address": _address(request),
            }
        )
        joined = await join_guest.join_with_selfie(
            asked,
            form.content,
            sender,
            max_pixels=settings.max_selfie_pixels,
            accounts=context.accounts,
            store=context.resources.store,
            database=context.resources.database,
        )
    token, seconds = joined.answer.access_token, joined.session_seconds
    if token is not None and seconds is not None:
        set_session_cookie(response, request, token, lifetime=timedelta(seconds=seconds))
    return joined.answer


def _header(request: Request, name: str) -> str:
    return request.headers.get(name, "")[:MAX_HEADER_CHARACTERS]


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None
