"""What admins do with messages that were given up: look, replay, drop."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from libs.common.errors import NotFound
from libs.common.messaging.dead_letters import repository
from libs.common.messaging.dead_letters.settle import Settlement, settle, settle_all
from libs.common.messaging.dead_letters.view import details, summary
from libs.common.web.auth import require
from libs.common.web.tokens import Role
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.web.answers import json_answer
from services.gallery.web.fields import PathId, RowId, Text
from services.gallery.web.paging import MAX_LIMIT

DEFAULT_LIMIT = 100

router = APIRouter(
    prefix="/api/admin/dead-letters",
    tags=["admin"],
    dependencies=[Depends(require(Role.ADMIN))],
)


class ChosenQueue(BaseModel):
    """Whose letters are meant; without a queue, all."""

    queue: Text | None = None


@router.get("")
async def dead_letters(
    request: Request,
    gallery: CurrentGallery,
    queue: Text | None = None,
    limit: Annotated[int, Query(ge=1)] = DEFAULT_LIMIT,
    cursor: RowId | None = None,
) -> Response:
    """The letters, newest first; the Link header has the next page's address."""
    limit = min(limit, MAX_LIMIT)
    async with gallery.database.read() as connection:
        # One more than asked for tells whether there is a next page.
        found = await repository.page(connection, queue=queue, before=cursor, limit=limit + 1)
    answer = json_answer([summary(letter) for letter in found[:limit]])
    if len(found) > limit:
        asked = {"queue": queue} if queue is not None else {}
        query = urlencode(asked | {"limit": limit, "cursor": found[limit - 1].id})
        answer.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    return answer


@router.get("/{letter_id}")
async def dead_letter(letter_id: PathId, gallery: CurrentGallery) -> Response:
    """One letter with its message."""
    async with gallery.database.read() as connection:
        found = await repository.find(connection, letter_id)
    if found is None:
        raise NotFound("Dead letter", letter_id)
    return json_answer(details(found))


@router.post("/replay")
async def replay_all(gallery: CurrentGallery, asked: ChosenQueue | None = None) -> Response:
    """Publish all letters (of a queue) again, from their first attempt."""
    queue = asked.queue if asked is not None else None
    replayed = await settle_all(queue, Settlement.REPLAYED, database=gallery.database)
    return json_answer({"message": "Dead letters replayed.", "replayed": replayed})


@router.post("/{letter_id}/replay")
async def replay(letter_id: PathId, gallery: CurrentGallery) -> Response:
    """Publish one letter again, from its first attempt."""
    await _settle_one(letter_id, Settlement.REPLAYED, gallery)
    return json_answer({"message": "Dead letter replayed.", "replayed": 1})


@router.delete("")
async def drop_all(gallery: CurrentGallery, queue: Text) -> Response:
    """Forget all letters of a queue; it must be named."""
    dropped = await settle_all(queue, Settlement.DROPPED, database=gallery.database)
    return json_answer({"message": "Dead letters dropped.", "dropped": dropped})


@router.delete("/{letter_id}")
async def drop(letter_id: PathId, gallery: CurrentGallery) -> Response:
    """Forget one letter."""
    await _settle_one(letter_id, Settlement.DROPPED, gallery)
    return json_answer({"message": "Dead letter dropped.", "dropped": 1})


async def _settle_one(letter_id: int, settlement: Settlement, gallery: Gallery) -> None:
    if not await settle([letter_id], settlement, database=gallery.database):
        raise NotFound("Dead letter", letter_id)
