from typing import Any

import httpx
import pytest

from libs.common.database.tables import dead_letters, photos
from libs.common.web.auth import Role
from tests.gallery.world import World
from tests.support.people import Person

LETTERS = "/api/admin/dead-letters"
LANE, PARTITION = "findme.analyze.03", "findme.match.05"


@pytest.fixture
async def admin(world: World) -> Person:
    return await world.person(Role.ADMIN)


async def letter(world: World, body: bytes = b"{}", *, queue: str = LANE, n: int = 0) -> int:
    values = {
        "message_id": f"message {n} {body!r}",
        "queue": queue,
        "routing_key": "photo.uploaded.03",
        "body": body,
        "reason": "PermanentError: it kills the worker",
        "attempts": 2,
    }
    return await world.insert(dead_letters, values)


async def get(world: World, path: str, admin: Person) -> httpx.Response:
    answer = await world.client.get(path, headers=admin.headers)
    assert answer.status_code == 200, answer.text
    return answer


async def waiting(world: World) -> list[int]:
    return sorted(row["id"] for row in await world.rows(dead_letters))


async def test_letters_are_listed_newest_first_page_by_page(world: World, admin: Person) -> None:
    letters = [await letter(world, n=n) for n in range(5)]
    path: str | None = f"{LETTERS}?limit=2"
    pages: list[list[int]] = []
    while path is not None:
        answer = await get(world, path, admin)
        pages.append([found["id"] for found in answer.json()])
        link = answer.links.get("next")
        path = link["url"] if link else None
    newest_first = letters[::-1]
    assert pages == [newest_first[:2], newest_first[2:4], newest_first[4:]]


async def test_a_full_last_page_has_no_next(world: World, admin: Person) -> None:
    for n in range(2):
        await letter(world, n=n)
    assert "link" not in (await get(world, f"{LETTERS}?limit=2", admin)).headers


async def test_a_queues_letters_are_listed_apart_on_every_page(world: World, admin: Person) -> None:
    wanted = [await letter(world, queue=PARTITION, n=n) for n in range(2)]
    await letter(world, queue=LANE)
    first = await get(world, f"{LETTERS}?queue={PARTITION}&limit=1", admin)
    second = await get(world, first.links["next"]["url"], admin)
    assert [answer.json()[0]["id"] for answer in (first, second)] == wanted[::-1]
    assert "link" not in second.headers


async def test_a_letter_says_what_died_where_why_and_after_how_many_attempts(
    world: World, admin: Person
) -> None:
    letter_id = await letter(world, b'{"version":1,"event_id":7,"photo_id":9}')
    shown = (await get(world, f"{LETTERS}/{letter_id}", admin)).json()
    (listed,) = (await get(world, LETTERS, admin)).json()
    assert shown == listed | {"body": {"version": 1, "event_id": 7, "photo_id": 9}}
    assert listed.pop("died_at").endswith("+00:00")
    assert listed == {
        "id": letter_id,
        "queue": LANE,
        "routing_key": "photo.uploaded.03",
        "reason": "PermanentError: it kills the worker",
        "attempts": 2,
        "message_id": shown["message_id"],
    }


async def test_a_body_that_is_not_json_is_shown_as_text(world: World, admin: Person) -> None:
    letter_id = await letter(world, b"no\xffjson")
    shown = (await get(world, f"{LETTERS}/{letter_id}", admin)).json()
    assert shown["body"] == "no\\xffjson"


async def test_a_replayed_letter_is_a_message_again_and_its_photo_waits_again(
    world: World, admin: Person
) -> None:
    event = await world.event()
    photo = await world.insert_photo(event, processing_status="failed", processing_error="worker")
    body = f'{{"version":1,"event_id":{event},"photo_id":{photo}}}'.encode()
    replayed, kept = await letter(world, body), await letter(world)
    answer = await world.client.post(f"{LETTERS}/{replayed}/replay", headers=admin.headers)
    assert (answer.status_code, answer.json()["replayed"]) == (200, 1)
    assert await waiting(world) == [kept]
    assert await world.sent() == [
        ("photo.uploaded", {"version": 1, "event_id": event, "photo_id": photo})
    ]
    (row,) = await world.rows(photos)
    assert (row["processing_status"], row["processing_error"]) == ("queued", None)


@pytest.mark.parametrize(
    ("body", "left"), [({"queue": PARTITION}, 1), ({"queue": None}, 0), ({}, 0), (None, 0)]
)
async def test_all_letters_or_a_queues_are_replayed(
    world: World, admin: Person, body: Any, left: int
) -> None:
    for n in range(2):
        await letter(world, queue=PARTITION, n=n)
    await letter(world, queue=LANE)
    answer = await world.client.post(f"{LETTERS}/replay", json=body, headers=admin.headers)
    assert (answer.status_code, answer.json()["replayed"]) == (200, 3 - left)
    assert len(await waiting(world)) == left
    assert len(await world.sent()) == 3 - left


async def test_dropped_letters_are_gone_without_a_message(world: World, admin: Person) -> None:
    dropped, in_queue, kept = (
        await letter(world),
        await letter(world, queue=PARTITION),
        await letter(world, n=1),
    )
    one = await world.client.delete(f"{LETTERS}/{dropped}", headers=admin.headers)
    assert (one.status_code, one.json()["dropped"]) == (200, 1)
    queue = await world.client.delete(f"{LETTERS}?queue={PARTITION}", headers=admin.headers)
    assert (queue.status_code, queue.json()["dropped"]) == (200, 1)
    assert in_queue not in await waiting(world)
    assert await waiting(world) == [kept]
    assert await world.sent() == []


async def test_dropping_without_naming_a_queue_drops_nothing(world: World, admin: Person) -> None:
    kept = await letter(world)
    answer = await world.client.delete(LETTERS, headers=admin.headers)
    assert answer.status_code == 422
    assert await waiting(world) == [kept]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/1"), ("POST", "/1/replay"), ("DELETE", "/1")]
)
async def test_a_letter_that_is_not_there_is_not_found(
    world: World, admin: Person, method: str, path: str
) -> None:
    answer = await world.client.request(method, LETTERS + path, headers=admin.headers)
    assert (answer.status_code, answer.json()["detail"]) == (404, "Dead letter not found")


@pytest.mark.parametrize(
    "query", ["cursor=0", "cursor=x", "limit=0", f"cursor={2**63}", "queue=a%00b"]
)
async def test_a_page_that_cannot_be_is_refused(world: World, admin: Person, query: str) -> None:
    answer = await world.client.get(f"{LETTERS}?{query}", headers=admin.headers)
    assert answer.status_code == 422
