"""The OpenAPI document of all services together: what one origin answers."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter

from libs.common.web.openapi import Node, document
from services.gallery.app import ROUTERS as GALLERY
from services.ingest.app import ROUTERS as INGEST
from services.media.app import ROUTERS as MEDIA

#: Recognition answers no client.
ALL: Final[Sequence[APIRouter]] = (*GALLERY, *INGEST, *MEDIA)

_DESCRIPTION: Final = (
    "Guests of an event send one selfie and get every photo they are in. Lists are bare arrays,"
    ' newest first; errors are `{"detail": "…"}`, a sentence that says what to do.'
)
#: What the tags stand for, in the order of the page.
TAGS: Final = {
    "accounts": "Registration, login, and the caller's own account.",
    "participants": "What guests see: their events and photos.",
    "selfies": "A guest's selfies, and how far their matching is.",
    "live": "What happens in an event, as it happens.",
    "media": "Photos, thumbnails and selfies as bytes.",
    "downloads": "Photos to take along, as one archive.",
    "photographers": "Events, photos and people, for the photographer of an event.",
    "uploads": "Photos that come in.",
    "watchers": "Programs that upload a folder's photos.",
    "admin": "Accounts, events, and what operators look at.",
}


def joint_document() -> Node:
    """Return the document."""
    routes = [route for router in ALL for route in router.routes]
    found = document(routes, title="FindMe", description=_DESCRIPTION)
    found["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    return found
