"""Guests' selfies."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel

from libs.common.consent import require_present
from libs.common.limits.budgets import SELFIE_CHECKS, SELFIES, SELFIES_A_DAY
from libs.common.limits.fair_queue import FairQueue
from libs.common.limits.source import caller_source
from libs.common.web.auth import ParticipantOrAdmin
from libs.common.web.openapi import problems
from services.ingest.context import Context, IngestContext
from services.ingest.request_body import multipart_form
from services.ingest.selfies import repository
from services.ingest.selfies.receive_selfie import (
    FILE_FIELD,
    LEAST_BYTES_PER_SECOND,
    FaceCheck,
    Selfie,
    judge_selfie,
    read_selfie_form,
)
from services.ingest.selfies.store_selfie import MAX_SELFIES, ShownConsent, store_selfie
from services.ingest.turns import selfie_size

#: What a body may hold beside the selfie: boundaries, headers, small fields.
FORM_OVERHEAD_BYTES = 64 * 1024

router = APIRouter(tags=["selfies"])

AddToOthers = Annotated[
    bool, Query(description=f"Keep the selfies that are there, up to {MAX_SELFIES} in all.")
]

ConsentVersion = Annotated[
    str | None,
    Query(
        max_length=100,
        description="Of the text at `/api/consent` that was shown; an outdated one is 409."
        " Without it, sending a selfie is the consent to the present text.",
    ),
]
ConsentLanguage = Annotated[
    str | None, Query(max_length=100, description="In which the text was shown.")
]


class Validity(BaseModel):
    """The selfie can be used; one that cannot is answered with 400 and the reason."""

    valid: Literal[True] = True


class SelfieAnswer(BaseModel):
    """The selfie is stored; `deleted` photos were the guest's by those that it replaced."""

    message: str
    deleted: int
    scheduled: Literal[True] = True


@router.post(
    "/api/validate-selfie", responses=problems(429), openapi_extra=multipart_form(FILE_FIELD)
)
async def validate_selfie(request: Request, context: IngestContext) -> Validity:
    """Say whether a picture can serve as a selfie, before there is an account."""
    source = caller_source()
    await context.limiter.spend(SELFIE_CHECKS.of(source))
    turns = context.selfies
    await _receive(
        request,
        context,
        source,
        arriving=turns.arriving_of_strangers,
        checked=turns.checked_of_strangers,
        face_check=context.trial_face_check,
    )
    return Validity()


@router.post(
    "/api/upload-selfie",
    openapi_extra=multipart_form(FILE_FIELD),
    responses=problems(409, 410, 429, 507),
)
async def upload_selfie(
    principal: ParticipantOrAdmin,
    request: Request,
    context: IngestContext,
    *,
    add: AddToOthers = False,
    consent_version: ConsentVersion = None,
    language: ConsentLanguage = None,
    accept_language: Annotated[str | None, Header()] = None,
) -> SelfieAnswer:
    """Replace the caller's selfies, or add one; matching goes on in the background."""
    if consent_version is not None:
        require_present(consent_version)  # before the selfie is read
    me = principal.user_id
    await context.limiter.spend(SELFIES.of(me), SELFIES_A_DAY.of(me))
    # Before the body, and before a check that may cost.
    async with context.resources.database.read() as connection:
        (await repository.joined_events(connection, me)).require_open()
    turns = context.selfies
    selfie = await _receive(
        request,
        context,
        f"account {me}",
        arriving=turns.arriving_of_guests,
        checked=turns.checked_of_guests,
        face_check=context.face_check,
    )
    deleted = await store_selfie(
        selfie,
        principal.user_id,
        replaces=not add,
        consent=ShownConsent(consent_version, language or accept_language),
        store=context.resources.store,
        database=context.resources.database,
    )
    return SelfieAnswer(message="Selfie uploaded. Your photos are being found.", deleted=deleted)


async def _receive(
    request: Request,
    context: Context,
    source: str,
    *,
    arriving: FairQueue,
    checked: FairQueue,
    face_check: FaceCheck,
) -> Selfie:
    settings = context.settings
    max_bytes = settings.max_selfie_bytes + FORM_OVERHEAD_BYTES
    size = selfie_size(request.headers.get("content-length"), max_bytes=max_bytes)
    further = checked.wait_seconds(source)
    async with arriving.turn(source, size=size, further_seconds=further):
        content = await read_selfie_form(
            context.parts(
                request, max_bytes=max_bytes, least_bytes_per_second=LEAST_BYTES_PER_SECOND
            ),
            max_bytes=settings.max_selfie_bytes,
        )
        # Within: those that wait with their bytes are as many as there is room for.
        async with checked.turn(source):
            return await judge_selfie(
                content, max_pixels=settings.max_selfie_pixels, face_check=face_check
            )
