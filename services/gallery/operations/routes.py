"""What operators look at: the queue, the cache, dead letters, and what paid calls cost."""

from datetime import date
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from libs.common.errors import NotFound
from libs.common.messaging.dead_letters import repository as dead_letters
from libs.common.messaging.dead_letters.settle import Settlement, settle, settle_all
from libs.common.messaging.dead_letters.view import details, summary
from libs.common.web.auth import Role, require
from libs.common.web.ids import PathId, RowId
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.lists.cache import CacheFigures
from services.gallery.operations import repository as operations
from services.gallery.operations.rules import bill
from services.gallery.photos.progress import photo_job, processing_queue
from services.gallery.web.answers import View, json_answer
from services.gallery.web.paging import MAX_LIMIT
from services.gallery.web.requests import Text

DEFAULT_LIMIT = 100

router = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[Depends(require(Role.ADMIN))])


class ChosenQueue(BaseModel):
    """Whose letters are meant; without a queue, all."""

    queue: Text | None = None


@router.get("/dead-letters")
async def all_dead_letters(
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
        found = await dead_letters.page(connection, queue=queue, before=cursor, limit=limit + 1)
    answer = json_answer([summary(letter) for letter in found[:limit]])
    if len(found) > limit:
        asked = {"queue": queue} if queue is not None else {}
        query = urlencode(asked | {"limit": limit, "cursor": found[limit - 1].id})
        answer.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    return answer


@router.get("/dead-letters/{letter_id}")
async def dead_letter(letter_id: PathId, gallery: CurrentGallery) -> Response:
    """One letter with its message."""
    async with gallery.database.read() as connection:
        found = await dead_letters.find(connection, letter_id)
    if found is None:
        raise NotFound("Dead letter", letter_id)
    return json_answer(details(found))


@router.post("/dead-letters/replay")
async def replay_all(gallery: CurrentGallery, asked: ChosenQueue | None = None) -> Response:
    """Publish all letters (of a queue) again, from their first attempt."""
    queue = asked.queue if asked is not None else None
    replayed = await settle_all(queue, Settlement.REPLAYED, database=gallery.database)
    return json_answer({"message": "Dead letters replayed.", "replayed": replayed})


@router.post("/dead-letters/{letter_id}/replay")
async def replay(letter_id: PathId, gallery: CurrentGallery) -> Response:
    """Publish one letter again, from its first attempt."""
    await _settle_one(letter_id, Settlement.REPLAYED, gallery)
    return json_answer({"message": "Dead letter replayed.", "replayed": 1})


@router.delete("/dead-letters")
async def drop_all(gallery: CurrentGallery, queue: Text) -> Response:
    """Forget all letters of a queue; it must be named."""
    dropped = await settle_all(queue, Settlement.DROPPED, database=gallery.database)
    return json_answer({"message": "Dead letters dropped.", "dropped": dropped})


@router.delete("/dead-letters/{letter_id}")
async def drop(letter_id: PathId, gallery: CurrentGallery) -> Response:
    """Forget one letter."""
    await _settle_one(letter_id, Settlement.DROPPED, gallery)
    return json_answer({"message": "Dead letter dropped.", "dropped": 1})


@router.get("/queue/stats")
async def stats(gallery: CurrentGallery) -> Response:
    """How far processing is, and what this process's cache did."""
    queue = await processing_queue(database=gallery.database)
    cache = {"photo_lists": _cache_view(gallery.cache.figures())}
    return json_answer({"queue": queue, "cache": cache})


@router.get("/queue/jobs/{job_id}")
async def job(job_id: str, gallery: CurrentGallery) -> Response:
    """How far one uploaded photo is."""
    return json_answer(await photo_job(job_id, database=gallery.database))


@router.post("/cache/clear")
async def clear_cache(gallery: CurrentGallery) -> Response:
    """Forget the lists that this process has cached."""
    gallery.cache.clear()
    gallery.main_events.clear()
    return json_answer({"message": "Cache cleared.", "cleared": ["photo_lists", "main_events"]})


@router.get("/aws-usage")
async def aws_usage(
    gallery: CurrentGallery, event_id: RowId | None = None, since: date | None = None
) -> Response:
    """Calls and cost per operation and per event, of one event or from a day on if asked."""
    async with gallery.database.read() as connection:
        calls = await operations.paid_calls(connection, event_id=event_id, since=since)
    return json_answer(bill(calls, price_per_call=gallery.settings.aws_price_per_call))


async def _settle_one(letter_id: int, settlement: Settlement, gallery: Gallery) -> None:
    if not await settle([letter_id], settlement, database=gallery.database):
        raise NotFound("Dead letter", letter_id)


def _cache_view(figures: CacheFigures) -> View:
    asked = figures.hits + figures.misses
    rate = 100 * figures.hits / asked if asked else 0.0
    return {
        "size": figures.entries,
        "hits": figures.hits,
        "misses": figures.misses,
        "hit_rate": f"{rate:.2f}%",
    }
