"""Guests' pages, joined from parts: two small statements, and no photo that is known is read."""

import asyncio
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.gallery.events.access import open_to_guest
from services.gallery.events.links import PhotoLinks
from services.gallery.events.rules import Event
from services.gallery.lists import long_lists, pages_repository
from services.gallery.lists.cache import ListKey, Scope
from services.gallery.lists.list_page import ListPage
from services.gallery.lists.pages_repository import Chosen, PageOfPhotos
from services.gallery.lists.photo_parts import PhotoPart, PhotoParts, guest_part, seal_of
from services.gallery.lists.repository import PhotoRow
from services.gallery.web.paging import Place, encode_cursor

#: Some 2 ms, after which others are answered: a page may have thousands.
MADE_IN_A_TURN = 50

_SHOWN, _NOT_SHOWN = b"true},", b"false},"


async def guest_page(
    connection: AsyncConnection, key: ListKey, *, parts: PhotoParts, links: PhotoLinks
) -> ListPage | None:
    """Return a page of a guest's own list or of the general one, None if it is too long for memory.

    Each statement sees what is committed by then, and no photo is shown that had gone, or was
    hidden, before the page was read. Raises NotAllowed, EventOver.
    """
    found = await pages_repository.guest_of_event(connection, key.user_id, key.event_id)
    event = open_to_guest(found.event if found else None)
    assert found is not None  # noqa: S101 - or there is no event
    chosen: frozenset[int] | Chosen = found.own
    if key.scope is Scope.GENERAL:
        chosen = Chosen.SELECTED if found.selected_only else Chosen.SHOWN
    limit = long_lists.MAX_PHOTOS_IN_MEMORY if key.page.limit is None else key.page.limit
    page = await pages_repository.photos_of_page(connection, key.event_id, chosen, key.page, limit)
    if page.last is not None and key.page.limit is None:
        return None
    shown = await _parts(connection, page, event, parts=parts, links=links)
    return joined(shown, found.own, page.last)


async def _parts(
    connection: AsyncConnection,
    page: PageOfPhotos,
    event: Event,
    *,
    parts: PhotoParts,
    links: PhotoLinks,
) -> dict[int, PhotoPart]:
    """Return the page's photos, but those that went while it was read."""
    seal = seal_of(event)
    found = _known(page, seal, parts)
    if None in found.values():
        async with parts.making(event.id):
            # After a start everybody asks for the same photos: others have made them meanwhile.
            found = _known(page, seal, parts)
            unknown = [photo_id for photo_id, part in found.items() if part is None]
            rows = await _unknown(connection, event.id, unknown)
            for made, (photo, version) in enumerate(rows, start=1):
                found[photo.id] = part = guest_part(photo, event, links)
                parts.keep(photo.id, version, seal, part)
                if made % MADE_IN_A_TURN == 0:
                    await asyncio.sleep(0)
    return {photo_id: part for photo_id, part in found.items() if part is not None}


def _known(page: PageOfPhotos, seal: int, parts: PhotoParts) -> dict[int, PhotoPart | None]:
    return dict(zip(page.ids, parts.find(page.ids, page.versions, seal), strict=True))


async def _unknown(
    connection: AsyncConnection, event_id: int, photo_ids: Sequence[int]
) -> Sequence[tuple[PhotoRow, int]]:
    if not photo_ids:
        return ()
    return await pages_repository.photos_with_versions(connection, event_id, photo_ids)


def joined(shown: dict[int, PhotoPart], own: frozenset[int], last: Place | None) -> ListPage:
    """Return the page, and where the next one begins if there is one."""
    pieces: list[bytes] = [b"["] * (2 * len(shown) + 2)
    ends = [_SHOWN if photo_id in own else _NOT_SHOWN for photo_id in shown]
    if ends:
        ends[-1] = ends[-1][:-1]
    pieces[1:-1:2] = [head for head, _ in shown.values()]
    pieces[2:-1:2] = ends
    pieces[-1] = b"]"
    return ListPage(
        pieces,
        [digest for _, digest in shown.values()] + ends,
        next_cursor=encode_cursor(last) if last is not None else None,
    )
