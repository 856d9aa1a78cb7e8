"""Participants' lists that are kept, answered without a task: see `libs/common/web/at_once.py`."""

import re
from typing import Final

from fastapi import Request

from libs.common.web.at_once import ReadyAnswer, ReadyEndpoint
from libs.common.web.auth import Role, known_principal
from services.gallery.gallery import Gallery
from services.gallery.lists.answer import accepted_coding, ready_list
from services.gallery.lists.cache import ListKey, Scope
from services.gallery.web.paging import linked_page

_ID: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


def kept_list(scope: Scope) -> ReadyEndpoint:
    """Return what answers a participant's list of the path's event, or of the main one.

    The caller's login is known to stand, and the event to go on; as far as that is not known any
    more, or the list is not kept, the endpoint asks for it.
    """

    def answer(request: Request) -> ReadyAnswer | None:
        gallery: Gallery = request.app.state.gallery
        page = linked_page(request.scope["query_string"])
        principal = known_principal(request)
        if page is None or principal is None or principal.role is not Role.PARTICIPANT:
            return None
        event_id = _event_of(request, principal.user_id, gallery)
        if event_id is None or not gallery.ends.goes_on(event_id):
            return None
        key = ListKey(event_id, principal.user_id, scope, page)
        coding = accepted_coding(request)
        found = gallery.cache.kept(key, coding)
        return None if found is None else ready_list(request, found, page, coding)

    return answer


def _event_of(request: Request, user_id: int, gallery: Gallery) -> int | None:
    """Return the event that the path names, else the user's main one if it is known."""
    named: str | None = request.path_params.get("event_id")
    if named is None:
        known = gallery.main_events.known(user_id)
        return None if known is None else known.value
    return int(named) if _ID.fullmatch(named) else None
