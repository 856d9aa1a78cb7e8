"""Requests that meet other transactions: rows that are deleted meanwhile, and deadlocks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client import REGISTRY
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database.tables import match_overrides, memberships, photos, selfies, users
from libs.common.database.transactions import UnitOfWork
from services.gallery.accounts.passwords import Passwords
from services.gallery.gallery import Gallery
from tests.gallery.world import NOON, World
from tests.support.locks import someone_waits
from tests.support.people import Person
from tests.support.polling import eventually

UNKNOWN = "Event code not found. Check it with whoever gave it to you."
GUEST = {"username": "ada", "email": "ada@example.org", "password": "Quiet-Lake-12"}


@dataclass
class Venue:
    """An event with three photos, its photographer, a guest in two of them, and an admin."""

    world: World
    photographer: Person
    event_id: int
    guest: Person
    admin: Person
    first: int
    middle: int
    last: int

    async def ask(self, method: str, path: str, person: Person, json: object) -> httpx.Response:
        return await self.world.client.request(method, path, json=json, headers=person.headers)


@pytest.fixture
async def venue(world: World) -> Venue:
    photographer = await world.photographer()
    event_id = await world.event(photographer, code="GALA")
    guest = await world.person(joined=event_id)
    selfie_id = await world.selfie(guest)
    first, middle, last = [await world.photo(event_id) for _ in range(3)]
    await world.match(guest, event_id, [first, last], selfie_id)
    return Venue(world, photographer, event_id, guest, await world.admin(), first, middle, last)


@contextlib.asynccontextmanager
async def another_transaction(world: World, statement: str) -> AsyncIterator[AsyncConnection]:
    """Somebody else has run the statement, and has not committed yet."""
    async with world.database.engine.connect() as connection:
        # Of two that wait for each other, the other one is given up.
        await connection.execute(text("SET deadlock_timeout = '1min'"))
        await connection.execute(text(statement))
        yield connection
        await connection.execute(text("RESET deadlock_timeout"))


def conflicts() -> float:
    return REGISTRY.get_sample_value("findme_db_conflicts_total") or 0


DEADLOCKS = {
    "show": ("PUT", "/api/photos/bulk/show-in-general", "photographer"),
    "delete photos": ("DELETE", "/api/photos?photo_ids={first},{last}", "photographer"),
    "delete selfies": ("DELETE", "/api/my-selfie", "guest"),
    "delete account": ("DELETE", "/api/me", "guest"),
    "delete event": ("DELETE", "/api/admin/events/{event_id}", "admin"),
    "threshold": (
        "PUT", "/api/photographer/events/{event_id}/match-threshold", "photographer",
    ),
    "code": ("POST", "/api/admin/set-event-code", "admin"),
    "verdict": ("POST", "/api/my-photos/{last}/not-me", "guest"),
    "guest added": ("POST", "/api/photographer/events/{event_id}/photos/{last}/guests", "admin"),
}  # fmt: skip
#: What the other one holds, and what it comes for when the request waits for that.
OTHERS = {
    "show": ("photos WHERE id = {last}", "photos WHERE id = {first}"),
    "delete photos": ("photos WHERE id = {last}", "photos WHERE id = {first}"),
    "delete selfies": ("selfies", "users WHERE id = {guest}"),
    "delete account": ("selfies", "users WHERE id = {guest}"),
    # Whichever end its plan begins at.
    "delete event": ("photos WHERE id = {middle}", "photos WHERE id IN ({first}, {last})"),
    "threshold": ("events", "matching_settings"),
    "code": ("events", None),
    "verdict": ("photos WHERE id = {last}", "events"),
    "guest added": ("photos WHERE id = {last}", "events"),
}
BODIES: dict[str, object] = {
    "show": {"show_in_general": True},
    "threshold": {"value": 90},
    "code": {"event_code": "BALL26"},
    "guest added": {},
}


@pytest.mark.parametrize("what", DEADLOCKS)
async def test_a_request_that_a_deadlock_ended_is_made_again(venue: Venue, what: str) -> None:
    names = {
        "first": venue.first,
        "middle": venue.middle,
        "last": venue.last,
        "event_id": venue.event_id,
        "guest": venue.guest.id,
    }
    method, path, role = DEADLOCKS[what]
    held, wanted = OTHERS[what]
    body = BODIES.get(what)
    if isinstance(body, dict):
        ids = {"photo_ids": [venue.first, venue.last], "event_id": venue.event_id}
        body = body | ids | {"user_id": venue.guest.id}
    lock = f"SELECT 1 FROM {held} FOR UPDATE".format(**names)
    # The lock of codes; see lock_codes.
    then = "SELECT pg_advisory_xact_lock(1179209287)"
    if wanted is not None:
        then = f"SELECT 1 FROM {wanted} FOR UPDATE".format(**names)
    before = conflicts()
    async with another_transaction(venue.world, lock) as other:
        asking = asyncio.create_task(
            venue.ask(method, path.format(**names), getattr(venue, role), body)
        )
        await eventually(lambda: someone_waits(venue.world.database))
        await other.execute(text(then))
        await other.rollback()
    answer = await asking
    assert answer.status_code == 200, answer.text
    assert conflicts() == before + 1


async def test_two_who_delete_the_same_photos_do_not_wait_for_each_other(venue: Venue) -> None:
    # Its row comes after the others': only an order has it locked first.
    await venue.world.execute(text(f"UPDATE photos SET width = width + 1 WHERE id = {venue.first}"))
    async with another_transaction(
        venue.world, f"SELECT 1 FROM photos WHERE id = {venue.first} FOR UPDATE"
    ) as other:
        path = f"/api/photos?photo_ids={venue.last},{venue.first}"
        asking = asyncio.create_task(venue.ask("DELETE", path, venue.photographer, None))
        await eventually(lambda: someone_waits(venue.world.database))
        # The request holds none of the later ones while it waits.
        await other.execute(text(f"SELECT 1 FROM photos WHERE id = {venue.last} FOR UPDATE NOWAIT"))
        await other.rollback()
    assert (await asking).json()["deleted_count"] == 2


async def test_another_time_zone_locks_photos_in_their_order_and_the_event_after_them(
    venue: Venue,
) -> None:
    # The rows come in the other order.
    for photo_id in (venue.last, venue.middle, venue.first):
        await venue.world.change(photos, photo_id, taken_at=NOON.replace(tzinfo=None))
    async with another_transaction(
        venue.world, f"SELECT 1 FROM photos WHERE id = {venue.first} FOR UPDATE"
    ) as other:
        path = f"/api/photographer/events/{venue.event_id}/settings"
        change = {"event_code": "BALL26", "time_zone": "Europe/Paris", "name": "Ball"}
        asking = asyncio.create_task(venue.ask("PATCH", path, venue.photographer, change))
        await eventually(lambda: someone_waits(venue.world.database))
        for wanted in (f"photos WHERE id = {venue.last}", "events"):
            await other.execute(text(f"SELECT 1 FROM {wanted} FOR UPDATE NOWAIT"))
        await other.rollback()
    changed = (await asking).json()
    assert change.items() <= changed.items()


class EventEnds(Passwords):
    """The event is deleted while a password is hashed."""

    def __init__(self, venue: Venue) -> None:
        super().__init__(at_once=1, hasher=Argon2Hasher())
        self.venue = venue

    async def hash(self, password: str, *, logs_in_next: bool = False) -> str:
        await self.venue.ask(
            "DELETE", f"/api/admin/events/{self.venue.event_id}", self.venue.admin, None
        )
        return await super().hash(password, logs_in_next=logs_in_next)


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/api/register-with-event-code", 400, "This event code is not valid."),
        ("/api/register-invite", 404, UNKNOWN),
    ],
)
async def test_an_event_that_is_deleted_while_a_guest_registers_is_an_unknown_code(
    venue: Venue, path: str, status: int, detail: str
) -> None:
    gallery: Gallery = venue.world.app.state.gallery
    object.__setattr__(gallery, "passwords", EventEnds(venue))
    answer = await venue.world.client.post(path, json={"user_data": GUEST, "event_code": "gala"})
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})
    assert GUEST["username"] not in {row["username"] for row in await venue.world.rows(users)}


async def test_an_event_that_is_deleted_while_a_guest_joins_is_an_unknown_code(
    venue: Venue,
) -> None:
    late = await venue.world.person()
    async with another_transaction(venue.world, "DELETE FROM events") as deleting:
        asking = asyncio.create_task(venue.ask("POST", "/api/join-event", late, "GALA"))
        await eventually(lambda: someone_waits(venue.world.database))
        await deleting.commit()
    answer = await asking
    assert (answer.status_code, answer.json()) == (404, {"detail": UNKNOWN})
    assert await venue.world.rows(memberships) == []


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "goes"])
async def test_a_selfie_that_changes_while_its_guest_joins_is_matched_if_it_is_there(
    venue: Venue, arrives: bool
) -> None:
    await venue.world.event(venue.photographer, code="BALL")
    await venue.world.sent()
    # As ingest locks the account for a new selfie, and the gallery for one that is deleted.
    strength = "UPDATE" if arrives else "NO KEY UPDATE"
    lock = f"SELECT 1 FROM users WHERE id = {venue.guest.id} FOR {strength}"
    async with another_transaction(venue.world, lock) as other:
        await other.execute(text("DELETE FROM selfies"))
        if arrives:
            await venue.world.insert_selfie(venue.guest, unit=UnitOfWork(other))
        asking = asyncio.create_task(venue.ask("POST", "/api/join-event", venue.guest, "BALL"))
        await eventually(lambda: someone_waits(venue.world.database))
        await other.commit()
    assert (await asking).status_code == 200
    there = [row["id"] for row in await venue.world.rows(selfies)]
    assert len(there) == arrives
    matched = [body["selfie_id"] for _, body in await venue.world.sent()]
    assert matched == there


async def test_a_guest_whose_account_is_deleted_while_they_join_is_asked_to_log_in(
    venue: Venue,
) -> None:
    await venue.world.event(venue.photographer, code="BALL")
    deletion = f"DELETE FROM users WHERE id = {venue.guest.id}"
    async with another_transaction(venue.world, deletion) as deleting:
        asking = asyncio.create_task(venue.ask("POST", "/api/join-event", venue.guest, "BALL"))
        await eventually(lambda: someone_waits(venue.world.database))
        await deleting.commit()
    assert (await asking).status_code == 401


@pytest.mark.parametrize("change", [False, True], ids=["created", "changed"])
async def test_a_photographer_who_is_deleted_while_they_get_an_event_is_unknown(
    venue: Venue, change: bool
) -> None:
    leaving = await venue.world.photographer()
    method, path = "POST", "/api/admin/create-event"
    if change:
        method, path = "PUT", f"/api/admin/events/{venue.event_id}"
    body = {"name": "Ball", "photographer_id": leaving.id}
    deletion = f"DELETE FROM users WHERE id = {leaving.id}"
    async with another_transaction(venue.world, deletion) as deleting:
        asking = asyncio.create_task(venue.ask(method, path, venue.admin, body))
        await eventually(lambda: someone_waits(venue.world.database))
        await deleting.commit()
    answer = await asking
    expected = {"detail": f"There is no photographer with the id {leaving.id}."}
    assert (answer.status_code, answer.json()) == (400, expected)


async def test_an_admin_whose_account_is_gone_adds_no_guest(venue: Venue) -> None:
    await venue.world.execute(text("DELETE FROM match_overrides"))
    await venue.world.execute(text(f"DELETE FROM users WHERE id = {venue.admin.id}"))
    path = f"/api/photographer/events/{venue.event_id}/photos/{venue.last}/guests"
    answer = await venue.ask("POST", path, venue.admin, {"user_id": venue.guest.id})
    assert answer.status_code == 401
    assert await venue.world.rows(match_overrides) == []


@pytest.mark.parametrize("deleted", ["photos", "events", "users"])
async def test_a_verdict_on_what_is_deleted_meanwhile_is_about_nothing(
    venue: Venue, deleted: str
) -> None:
    row = {"photos": venue.last, "events": venue.event_id, "users": venue.guest.id}[deleted]
    deletion = f"DELETE FROM {deleted} WHERE id = {row}"
    async with another_transaction(venue.world, deletion) as deleting:
        path = f"/api/my-photos/{venue.last}/its-me"
        asking = asyncio.create_task(venue.ask("POST", path, venue.guest, None))
        await eventually(lambda: someone_waits(venue.world.database))
        await deleting.commit()
    assert (await asking).status_code == 404
    assert await venue.world.rows(match_overrides) == []


async def test_selfies_of_an_account_that_is_deleted_meanwhile_are_not_found(
    venue: Venue,
) -> None:
    deletion = f"DELETE FROM users WHERE id = {venue.guest.id}"
    async with another_transaction(venue.world, deletion) as deleting:
        asking = asyncio.create_task(venue.ask("DELETE", "/api/my-selfie", venue.guest, None))
        await eventually(lambda: someone_waits(venue.world.database))
        await deleting.commit()
    assert (await asking).status_code == 404
    assert await venue.world.rows(selfies) == []
    assert len(await venue.world.rows(photos)) == 3
