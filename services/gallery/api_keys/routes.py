"""API keys: what watchers and tools upload with, instead of somebody's password."""

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

from libs.common.web.auth import PhotographerOrAdmin, Role
from libs.common.web.ids import RowId
from libs.common.web.openapi import problems
from libs.common.web.texts import storable
from services.gallery.api_keys import repository
from services.gallery.api_keys.changes import NewKey, create_key, revoke_key
from services.gallery.api_keys.repository import ApiKeyRow
from services.gallery.gallery import CurrentGallery
from services.gallery.web.schemas import Message

router = APIRouter(prefix="/api/api-keys", tags=["accounts"])

Name = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(storable),
]


class ApiKeyRequest(BaseModel):
    """A key to be made; without an event it is for all of the photographer's."""

    name: Name = Field(description="What it is for, as people tell keys apart.")
    event_id: RowId | None = None
    photographer_id: RowId | None = Field(default=None, description="Whose; admins have to say.")
    expires_at: AwareDatetime | None = Field(default=None, description="Never, without it.")


class ApiKeyView(BaseModel):
    """A key, without what it is used by."""

    id: uuid.UUID
    name: str = Field(examples=["Camera 2"])
    photographer_id: int
    event_id: int | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="Within ten minutes.")


class ApiKeyCreated(ApiKeyView):
    """A new key. It is shown this once."""

    key: str = Field(
        description="Send it as `Authorization: Bearer …` or as `X-API-Key`.",
        examples=["fmk_4b0e6f1e6a2c4b629a351d5a4b7f0a9e_…"],
    )


@router.post("", operation_id="create_api_key", responses=problems(404, 409))
async def create(
    asked: ApiKeyRequest, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> ApiKeyCreated:
    """Make a key for uploads and watchers, and show it this once."""
    new = NewKey(asked.name, asked.photographer_id, asked.event_id, asked.expires_at)
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            key, row = await create_key(new, principal, unit=unit)
    return ApiKeyCreated(key=key.text, **_view(row).model_dump())


@router.get("", operation_id="list_api_keys")
async def list_keys(
    principal: PhotographerOrAdmin,
    gallery: CurrentGallery,
    photographer_id: RowId | None = None,
) -> list[ApiKeyView]:
    """List one's own keys, the newest first; an admin's are everybody's, or a photographer's."""
    whose = photographer_id if principal.role is Role.ADMIN else principal.user_id
    async with gallery.database.read() as connection:
        found = await repository.find_keys(connection, user_id=whose)
    return [_view(row) for row in found]


@router.delete("/{key_id}", operation_id="revoke_api_key", responses=problems(404))
async def revoke(
    key_id: uuid.UUID, principal: PhotographerOrAdmin, gallery: CurrentGallery
) -> Message:
    """Revoke a key: it is good for nothing from now on."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await revoke_key(key_id, principal, unit=unit)
    return Message(message="The key is revoked.")


def _view(row: ApiKeyRow) -> ApiKeyView:
    return ApiKeyView(
        id=row.id,
        name=row.name,
        photographer_id=row.photographer_id,
        event_id=row.event_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
