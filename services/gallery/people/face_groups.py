"""The faces of an event by guest, for admins who look after the quality of matches."""

from collections.abc import Sequence
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.audit import Action, record
from libs.common.errors import NotFound
from libs.common.rights.access import is_enrolled
from libs.common.storage.keys import photo_key, rendition_key
from services.gallery.events.access import require_event
from services.gallery.events.rules import Event
from services.gallery.gallery import Gallery
from services.gallery.in_photo.repository import Box, best_faces
from services.gallery.people import repository as face_groups
from services.gallery.people.repository import FoundPhoto
from services.gallery.web.answers import View, percent

#: Photos in all groups together: 5,000 guests with 20 photos each, about 4 MB.
MAX_PHOTOS = 100_000
SAMPLES_EACH = 3
SAMPLED_GROUPS = 200


async def groups_of_event(
    event_id: int, *, photos_each: int, actor_id: int, gallery: Gallery
) -> View:
    """Return each guest's best photos, and of the largest groups a few to look at.

    Who looks at faces is recorded first. Raises NotFound.
    """
    await record_view(event_id, actor_id=actor_id, gallery=gallery)
    async with gallery.list_turn(actor_id), gallery.database.scan() as connection:
        event = await require_event(connection, event_id)
        found = await face_groups.groups(
            connection, event_id, photos_each=photos_each, limit=MAX_PHOTOS
        )
        by_guest = {
            user_id: list(photos) for user_id, photos in groupby(found, lambda one: one.user_id)
        }
        sampled = [
            photo
            for photos in list(by_guest.values())[:SAMPLED_GROUPS]
            for photo in photos[:SAMPLES_EACH]
        ]
        samples = await _samples(connection, event, sampled, gallery)
    return {
        "event_id": event_id,
        "event_name": event.name,
        "groups": {str(user_id): _group(photos) for user_id, photos in by_guest.items()},
        "samples": samples,
    }


async def faces_of_guest(
    event_id: int, user_id: int, *, limit: int, actor_id: int, gallery: Gallery
) -> View:
    """Return the guest's best face in each photo, the most alike first. Raises NotFound."""
    await record_view(event_id, actor_id=actor_id, account_id=user_id, gallery=gallery)
    async with gallery.list_turn(actor_id), gallery.database.scan() as connection:
        await require_event(connection, event_id)
        if not await is_enrolled(connection, user_id, event_id):
            raise NotFound("Guest", user_id)
        found = await face_groups.group_of(connection, event_id, user_id, limit=limit)
        pairs = [(user_id, photo_id) for photo_id, _ in found]
        boxes = await best_faces(connection, event_id, pairs)
    results: list[View] = [
        {
            "photo_id": photo_id,
            "similarity": percent(similarity),
            "box": _box_view(boxes.get((user_id, photo_id))),
        }
        for photo_id, similarity in found
    ]
    return {"event_id": event_id, "user_id": user_id, "count": len(results), "results": results}


async def record_view(
    event_id: int, *, actor_id: int, account_id: int | None = None, gallery: Gallery
) -> None:
    """Record that somebody looks at faces, of a guest or of all, before they are shown.

    Raises NotFound.
    """
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await require_event(unit.connection, event_id)
            await record(
                unit.connection,
                Action.FACES_VIEWED,
                actor_id=actor_id,
                account_id=account_id,
                event_id=event_id,
            )


async def _samples(
    connection: AsyncConnection, event: Event, sampled: Sequence[FoundPhoto], gallery: Gallery
) -> dict[str, list[View]]:
    boxes = await best_faces(
        connection, event.id, [(photo.user_id, photo.photo_id) for photo in sampled]
    )
    names = await face_groups.filenames(connection, [photo.photo_id for photo in sampled])
    samples: dict[str, list[View]] = {}
    for photo in sampled:
        if photo.photo_id not in names:
            continue  # deleted between the two reads
        name = names[photo.photo_id]
        thumbnail = rendition_key(event.id, name, "thumbnail")
        samples.setdefault(str(photo.user_id), []).append(
            {
                "photo_id": photo.photo_id,
                "score": percent(photo.similarity),
                "url": gallery.links.sign(photo_key(event.id, name), event.end),
                "thumbnail_url": gallery.links.sign(thumbnail, event.end),
                "box": _box_view(boxes.get((photo.user_id, photo.photo_id))),
            }
        )
    return samples


def _group(photos: Sequence[FoundPhoto]) -> View:
    scores = [{"photo_id": one.photo_id, "score": percent(one.similarity)} for one in photos]
    return {"count": photos[0].photos, "photos": scores, "best_score": scores[0]["score"]}


def _box_view(box: Box | None) -> View | None:
    """Return it in the words of the service that this answer once came from."""
    if box is None:
        return None
    return {"Left": box.left, "Top": box.top, "Width": box.width, "Height": box.height}
