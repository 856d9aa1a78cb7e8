"""What operators look at: the queue, the cache, dead letters, and what paid calls cost."""

from dataclasses import asdict
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from libs.common.errors import NotFound
from libs.common.messaging.dead_letters import repository as dead_letters
from libs.common.messaging.dead_letters.settle import Settlement, settle, settle_all
from libs.common.messaging.dead_letters.view import details, summary
from libs.common.web.auth import Admin, Role, require
from libs.common.web.ids import PathId, PathName, QueryName, RowId
from libs.common.web.openapi import problems
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.lists.cache import CacheFigures
from services.gallery.operations import repository as operations
from services.gallery.operations.rules import bill
from services.gallery.operations.schemas import (
    ClearedCaches,
    Colleague,
    DeadLetter,
    DeadLetterDetails,
    DroppedLetters,
    EndedLogins,
    FailedPhoto,
    PhotoJob,
    QueueStatistics,
    ReplayedLetters,
    Situation,
    UsageBill,
)
from services.gallery.operations.situation import log_out_colleague, situation
from services.gallery.photos.progress import photo_job, processing_queue
from services.gallery.web.answers import View, json_answer
from services.gallery.web.paging import MAX_LIMIT, next_page
from services.gallery.web.requests import Text
from services.gallery.web.schemas import paged

DEFAULT_LIMIT = 100

router = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[Depends(require(Role.ADMIN))])


class ChosenQueue(BaseModel):
    """Whose letters are meant; without a queue, all."""

    queue: Text | None = None


@router.get(
    "/dead-letters",
    operation_id="list_dead_letters",
    response_model=list[DeadLetter],
    responses=paged(),
)
async def all_dead_letters(
    request: Request,
    gallery: CurrentGallery,
    queue: QueryName | None = None,
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
        query = asked | {"limit": limit, "cursor": found[limit - 1].id}
        answer.headers["Link"] = next_page(request, query)
    return answer


@router.get(
    "/dead-letters/{letter_id}",
    operation_id="get_dead_letter",
    response_model=DeadLetterDetails,
    responses=problems(404),
)
async def dead_letter(letter_id: PathId, gallery: CurrentGallery) -> Response:
    """One letter with its message."""
    async with gallery.database.read() as connection:
        found = await dead_letters.find(connection, letter_id)
    if found is None:
        raise NotFound("Dead letter", letter_id)
    return json_answer(details(found))


@router.post(
    "/dead-letters/replay", operation_id="replay_dead_letters", response_model=ReplayedLetters
)
async def replay_all(gallery: CurrentGallery, asked: ChosenQueue | None = None) -> Response:
    """Publish all letters (of a queue) again, from their first attempt."""
    queue = asked.queue if asked is not None else None
    replayed = await settle_all(queue, Settlement.REPLAYED, database=gallery.database)
    return json_answer({"message": "Dead letters replayed.", "replayed": replayed})


@router.post(
    "/dead-letters/{letter_id}/replay",
    operation_id="replay_dead_letter",
    response_model=ReplayedLetters,
    responses=problems(404),
)
async def replay(letter_id: PathId, gallery: CurrentGallery) -> Response:
    """Publish one letter again, from its first attempt."""
    await _settle_one(letter_id, Settlement.REPLAYED, gallery)
    return json_answer({"message": "Dead letter replayed.", "replayed": 1})


@router.delete("/dead-letters", operation_id="drop_dead_letters", response_model=DroppedLetters)
async def drop_all(gallery: CurrentGallery, queue: QueryName) -> Response:
    """Forget all letters of a queue; it must be named."""
    dropped = await settle_all(queue, Settlement.DROPPED, database=gallery.database)
    return json_answer({"message": "Dead letters dropped.", "dropped": dropped})


@router.delete(
    "/dead-letters/{letter_id}",
    operation_id="drop_dead_letter",
    response_model=DroppedLetters,
    responses=problems(404),
)
async def drop(letter_id: PathId, gallery: CurrentGallery) -> Response:
    """Forget one letter."""
    await _settle_one(letter_id, Settlement.DROPPED, gallery)
    return json_answer({"message": "Dead letter dropped.", "dropped": 1})


@router.get("/queue/stats", operation_id="get_queue_statistics", response_model=QueueStatistics)
async def stats(gallery: CurrentGallery) -> Response:
    """How far processing is, and what this process's cache did."""
    queue = await processing_queue(database=gallery.database)
    cache = {"photo_lists": _cache_view(gallery.cache.figures())}
    return json_answer({"queue": queue, "cache": cache})


@router.get(
    "/queue/jobs/{job_id}",
    operation_id="get_photo_job",
    response_model=PhotoJob,
    responses=problems(404),
)
async def job(job_id: PathName, gallery: CurrentGallery) -> Response:
    """How far one uploaded photo is."""
    return json_answer(await photo_job(job_id, database=gallery.database))


@router.post("/cache/clear", response_model=ClearedCaches)
async def clear_cache(gallery: CurrentGallery) -> Response:
    """Forget the lists that this process has cached."""
    gallery.cache.clear()
    gallery.main_events.forget_all()
    return json_answer({"message": "Cache cleared.", "cleared": ["photo_lists", "main_events"]})


@router.get("/aws-usage", operation_id="get_aws_usage", response_model=UsageBill)
async def aws_usage(
    gallery: CurrentGallery, event_id: RowId | None = None, since: date | None = None
) -> Response:
    """Calls and cost per operation and per event, of one event or from a day on if asked."""
    async with gallery.database.read() as connection:
        calls = await operations.paid_calls(connection, event_id=event_id, since=since)
    return json_answer(bill(calls, price_per_call=gallery.settings.aws_price_per_call))


@router.get("/situation", operation_id="get_situation")
async def look_around(gallery: CurrentGallery) -> Situation:
    """What waits and since when, what was given up, and which processes work."""
    grafana = gallery.settings.grafana_url
    async with gallery.database.read(patient=True) as connection:
        return await situation(connection, grafana_url=grafana)


@router.get(
    "/failed-photos",
    operation_id="list_failed_photos",
    response_model=list[FailedPhoto],
    responses=paged(),
)
async def all_failed_photos(
    request: Request,
    gallery: CurrentGallery,
    limit: Annotated[int, Query(ge=1)] = DEFAULT_LIMIT,
    cursor: RowId | None = None,
) -> Response:
    """Photos of events that are not over and could not be analysed, the newest first."""
    limit = min(limit, MAX_LIMIT)
    async with gallery.database.read(patient=True) as connection:
        found = await operations.failed_photos(connection, before=cursor, limit=limit + 1)
    answer = json_answer([asdict(photo) for photo in found[:limit]])
    if len(found) > limit:
        query = {"limit": limit, "cursor": found[limit - 1].id}
        answer.headers["Link"] = next_page(request, query)
    return answer


@router.get("/people", operation_id="list_colleagues", response_model=list[Colleague])
async def all_colleagues(gallery: CurrentGallery) -> Response:
    """Photographers and admins: what they run, and whether they are logged in."""
    async with gallery.database.read() as connection:
        found = await operations.colleagues(connection)
    return json_answer([asdict(one) for one in found])


@router.post("/people/{user_id}/logout", operation_id="log_out_colleague", responses=problems(404))
async def log_out_everywhere(
    user_id: PathId, principal: Admin, gallery: CurrentGallery
) -> EndedLogins:
    """End all logins of a photographer or an admin, as when a laptop was lost."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            ended = await log_out_colleague(user_id, actor_id=principal.user_id, unit=unit)
    return EndedLogins(message="Logged out everywhere.", ended=ended)


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
