"""All services on a real socket, in a thread of their own, with something of everything in them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from libs.common.web.auth import Role
from services.recognition.engine import thumbhash
from services.recognition.engine.decode import PhotoScales
from services.recognition.engine.face_engine import PhotoAnalysis, Purpose
from standalone.app import gateway_app
from tests.support.databases import Databases
from tests.support.http_server import serving
from tests.support.people import Person
from tests.support.stack import Stack, running_stack
from tests.support.tiny_jpeg import tiny_jpeg


@dataclass(frozen=True)
class Nobody:
    """An engine that decodes as ours do, and then finds nobody."""

    def analyze(self, path: Path, purpose: Purpose = Purpose.SELFIE) -> PhotoAnalysis:
        photo = PhotoScales(path)
        return PhotoAnalysis(
            width=photo.photo.width,
            height=photo.photo.height,
            placeholder=thumbhash.encode(photo.base),
            faces=(),
        )


@dataclass(frozen=True)
class Served:
    """Where they answer, who may call, and ids that exist, by the names of path parameters."""

    url: str
    people: dict[str, Person]
    ids: dict[str, str | int]


@contextmanager
def served(databases: Databases, objects: Path) -> Iterator[Served]:
    """Serve for the length of the block, on an event loop in another thread."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_served(databases, objects)) as services,
    ):
        yield services


@asynccontextmanager
async def _served(databases: Databases, objects: Path) -> AsyncIterator[Served]:
    async with (
        databases.fresh() as database_url,
        running_stack(database_url, engine=Nobody, photo_store_dir=objects) as stack,
        serving(gateway_app(stack.services)) as url,
    ):
        people, ids = await _furnished(stack)
        yield Served(url, people, ids)


async def _furnished(stack: Stack) -> tuple[dict[str, Person], dict[str, str | int]]:
    world = stack.world
    photographer = await world.person(Role.PHOTOGRAPHER)
    event_id = await world.event(photographer, code="WEDDING")
    guest = await world.person(joined=event_id)
    upload = await stack.upload(photographer, event_id, ("photo.jpg", tiny_jpeg("people 1")))
    photo_id = upload["jobs"][0]["photo_id"]
    selfie_id = await world.selfie(guest.id, tiny_jpeg("people 1"))
    await world.match(guest, event_id, [photo_id], selfie_id)
    people = {
        "guest": guest,
        "photographer": photographer,
        "admin": await world.person(Role.ADMIN),
    }
    row = await world.photo_row(photo_id)
    ids: dict[str, str | int] = {
        "event_id": event_id,
        "photo_id": photo_id,
        "user_id": guest.id,
        "selfie_id": selfie_id,
        "job_id": upload["jobs"][0]["job_id"],
        "filename": row.filename,
        "code": "WEDDING",
    }
    return people, ids
