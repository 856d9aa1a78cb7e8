"""Guests' selfies."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from libs.common.web.auth import ParticipantOrAdmin
from services.ingest.context import Context, IngestContext
from services.ingest.request_body import multipart_form
from services.ingest.selfies.receive_selfie import FILE_FIELD, Selfie, receive_selfie
from services.ingest.selfies.store_selfie import MAX_SELFIES, store_selfie

#: What a body may hold beside the selfie: boundaries, headers, small fields.
FORM_OVERHEAD_BYTES = 64 * 1024

router = APIRouter(tags=["selfies"])

AddToOthers = Annotated[
    bool, Query(description=f"Keep the selfies that are there, up to {MAX_SELFIES} in all.")
]


class Validity(BaseModel):
    """The selfie can be used; one that cannot is answered with 400 and the reason."""

    valid: Literal[True] = True


class SelfieAnswer(BaseModel):
    """The selfie is stored; `deleted` photos were the guest's by those that it replaced."""

    message: str
    deleted: int
    scheduled: Literal[True] = True


@router.post("/api/validate-selfie", openapi_extra=multipart_form(FILE_FIELD))
async def validate_selfie(request: Request, context: IngestContext) -> Validity:
    """Say whether a picture can serve as a selfie, before there is an account."""
    await _receive(request, context)
    return Validity()


@router.post("/api/upload-selfie", openapi_extra=multipart_form(FILE_FIELD))
async def upload_selfie(
    principal: ParticipantOrAdmin,
    request: Request,
    context: IngestContext,
    *,
    add: AddToOthers = False,
) -> SelfieAnswer:
    """Replace the caller's selfies, or add one; matching goes on in the background."""
    selfie = await _receive(request, context)
    deleted = await store_selfie(
        selfie,
        principal.user_id,
        replaces=not add,
        store=context.resources.store,
        database=context.resources.database,
    )
    return SelfieAnswer(message="Selfie uploaded. Your photos are being found.", deleted=deleted)


async def _receive(request: Request, context: Context) -> Selfie:
    settings = context.settings
    async with context.selfies.enter():
        return await receive_selfie(
            context.parts(request, max_bytes=settings.max_selfie_bytes + FORM_OVERHEAD_BYTES),
            max_bytes=settings.max_selfie_bytes,
            max_pixels=settings.max_pixels,
            face_check=context.face_check,
        )
