import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.common.database.tables import events, photos, users
from libs.common.web.auth import Role
from services.gallery.events.rules import CODE_ALPHABET
from services.gallery.gallery import Gallery
from tests.gallery.world import SETUP_TOKEN, World

ACCOUNT = {"username": "boss", "email": "boss@example.org", "password": "Quiet-Lake-12"}
FIRST = ACCOUNT | {"setup_token": SETUP_TOKEN}


async def post(world: World, path: str, body: object, headers: dict[str, str]) -> Any:
    answer = await world.client.post(f"/api/admin/{path}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_first_admin_registers_and_no_second_one(world: World) -> None:
    answer = await world.client.post("/api/register-admin", json=FIRST)
    assert (answer.status_code, set(answer.json())) == (200, {"message", "user_id"})
    other = FIRST | {"username": "other", "email": "other@example.org"}
    for path in ("/api/register-admin", "/api/admin/register-admin"):
        assert (await world.client.post(path, json=other)).status_code == 403
    assert [row["user_type"] for row in await world.rows(users)] == ["admin"]


async def test_the_first_admin_is_made_by_who_has_the_setup_token(world: World) -> None:
    path = "/api/register-admin"
    for wrong in ({}, {"setup_token": None}, {"setup_token": "a token that the start print"}):
        answer = await world.client.post(path, json=ACCOUNT | wrong)
        assert answer.status_code == 403
        assert "setup token" in answer.json()["detail"]
    answer = await world.client.post(path, json=ACCOUNT, headers={"X-Setup-Token": "no"})
    assert answer.status_code == 403
    assert await world.rows(users) == []
    headers = {"X-Setup-Token": SETUP_TOKEN}
    answer = await world.client.post("/api/admin/register-admin", json=ACCOUNT, headers=headers)
    assert answer.status_code == 200, answer.text


async def test_without_a_setup_token_nobody_becomes_admin_over_http(world: World) -> None:
    gallery: Gallery = world.app.state.gallery
    closed = gallery.settings.model_copy(update={"setup_token": None})
    object.__setattr__(gallery, "settings", closed)
    for token in ("", SETUP_TOKEN):
        answer = await world.client.post(
            "/api/register-admin", json=ACCOUNT | {"setup_token": token}
        )
        assert answer.status_code == 403


async def test_of_many_first_admins_at_once_one_is_made(world: World) -> None:
    answers = await asyncio.gather(
        *(
            world.client.post(
                "/api/register-admin",
                json=FIRST | {"username": f"boss{n}", "email": f"boss{n}@example.org"},
            )
            for n in range(4)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403]
    assert len(await world.rows(users)) == 1


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("create-admin", Role.ADMIN),
        ("create-photographer", Role.PHOTOGRAPHER),
        ("photographers", Role.PHOTOGRAPHER),
    ],
)
async def test_admins_make_accounts(world: World, path: str, role: Role) -> None:
    admin = await world.admin()
    made = await post(world, path, ACCOUNT, admin.headers)
    assert set(made) == {"message", "user_id"}
    assert {row["id"]: row["user_type"] for row in await world.rows(users)} == {
        admin.id: "admin",
        made["user_id"]: role.value,
    }
    again = await world.client.post(
        f"/api/admin/{path}", json=ACCOUNT | {"password": "weak"}, headers=admin.headers
    )
    assert again.status_code == 400
    assert len(again.json()["detail"].split("; ")) == 3


async def test_accounts_are_listed_without_password_hashes(world: World) -> None:
    admin, photographer = await world.admin(), await world.photographer()
    event_id = await world.event(photographer)
    guest = await world.person(joined=event_id, password_hash="THE-HASH")
    await world.person(password_hash="THE-HASH")
    lists = {
        "/api/admin/photographers": [photographer.id],
        f"/api/admin/events/{event_id}/users": [guest.id],
    }
    for path, expected in lists.items():
        answer = await world.client.get(path, headers=admin.headers)
        assert [account["id"] for account in answer.json()] == expected
        assert "THE-HASH" not in answer.text
        assert not [key for key in answer.json()[0] if "password" in key or "hash" in key]
    for path in ("/api/me", "/api/profile"):
        assert "THE-HASH" not in (await world.client.get(path, headers=guest.headers)).text
    answer = await world.client.get(
        f"/api/admin/events/{event_id + 100}/users", headers=admin.headers
    )
    assert answer.status_code == 404


async def test_an_event_is_created_with_its_code_date_and_photographer(world: World) -> None:
    admin, photographer = await world.admin(), await world.photographer()
    date = datetime.now(UTC).replace(microsecond=0) + timedelta(days=100)
    made = await post(
        world,
        "create-event",
        {
            "name": " Wedding ",
            "event_code": " ab 12 cd ",
            "date": date.isoformat(),
            "photographer_id": photographer.id,
        },
        admin.headers,
    )
    assert made == {
        "message": "Event created.",
        "event_id": made["event_id"],
        "event_code": "ab12cd",
    }
    (row,) = await world.rows(events)
    assert (row["name"], row["code_key"], row["date"]) == ("Wedding", "AB12CD", date)
    assert row["expires_at"] == date + timedelta(days=90)
    listed = await world.client.get("/api/admin/events", headers=admin.headers)
    assert [(event["id"], event["photographer_id"]) for event in listed.json()] == [
        (made["event_id"], photographer.id)
    ]


async def test_an_event_without_a_code_gets_one(world: World) -> None:
    admin = await world.admin()
    body = {"name": "Wedding", "event_code": "", "date": "", "photographer_id": ""}
    made = await post(world, "create-event", body, admin.headers)
    assert len(made["event_code"]) == 8
    assert set(made["event_code"]) <= set(CODE_ALPHABET)
    (row,) = await world.rows(events)
    assert timedelta(days=89) < row["expires_at"] - datetime.now(UTC) < timedelta(days=91)


async def test_a_date_without_a_zone_is_taken_as_utc(world: World) -> None:
    admin = await world.admin()
    await post(world, "create-event", {"name": "W", "date": "2026-06-01"}, admin.headers)
    (row,) = await world.rows(events)
    assert row["date"] == datetime(2026, 6, 1, tzinfo=UTC)


async def test_a_code_names_one_event(world: World) -> None:
    admin, guest = await world.admin(), await world.person()
    await world.event(code="BALL12")
    other = await world.event(code="OTHER")
    refused = [
        ("create-event", {"name": "W", "event_code": "ball 12"}),
        ("create-event", {"name": "W", "event_code": "BA1I12"}),
        ("create-event", {"name": "W", "event_code": "NOBODY", "photographer_id": guest.id}),
        ("create-event", {"name": "  ", "event_code": "NAMELESS"}),
        ("create-event", {"name": "W", "event_code": "X" * 65}),
        ("create-event", {"name": "W", "event_code": "SHORT"}),
        ("create-event", {"name": "W", "event_code": "ANNA-MAX"}),
        ("create-event", {"name": "W", "event_code": "ÉTÉ2026"}),
        ("set-event-code", {"event_id": other, "event_code": "ball12"}),
        ("set-event-code", {"event_id": other, "event_code": "  "}),
    ]
    for path, body in refused:
        answer = await world.client.post(f"/api/admin/{path}", json=body, headers=admin.headers)
        assert answer.status_code == 400, (body, answer.text)
    assert {row["event_code"] for row in await world.rows(events)} == {"BALL12", "OTHER"}


async def test_events_made_at_once_with_one_code_are_one_event(world: World) -> None:
    admin = await world.admin()
    answers = await asyncio.gather(
        *(
            world.client.post(
                "/api/admin/create-event",
                json={"name": "W", "event_code": "AB12CD"},
                headers=admin.headers,
            )
            for _ in range(4)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


async def test_of_events_given_one_code_at_once_one_gets_it(world: World) -> None:
    admin = await world.admin()
    event_ids = [await world.event() for _ in range(5)]
    answers = await asyncio.gather(
        *(
            world.client.post(
                "/api/admin/set-event-code",
                json={"event_id": event_id, "event_code": "AB12CD"},
                headers=admin.headers,
            )
            for event_id in event_ids
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]


async def test_a_code_is_set_kept_or_generated(world: World) -> None:
    admin = await world.admin()
    event_id = await world.event(code="OLD")
    for code in ("OLD", "Newer1", "NEWER1"):
        answer = await post(
            world, "set-event-code", {"event_id": event_id, "event_code": code}, admin.headers
        )
        assert answer["event_code"] == code
    for body in (event_id, {"event_id": event_id}):
        code = (await post(world, "generate-event-code", body, admin.headers))["event_code"]
        (row,) = await world.rows(events)
        assert (row["event_code"], len(code)) == (code, 8)
    for nothing in (None, {}, {"event_id": None}):
        proposed = await post(world, "generate-event-code", nothing, admin.headers)
        assert proposed["event_code"] != (await world.rows(events))[0]["event_code"]
    answer = await world.client.post(
        "/api/admin/set-event-code",
        json={"event_id": event_id + 100, "event_code": "BALL23"},
        headers=admin.headers,
    )
    assert answer.status_code == 404


async def test_a_job_is_the_photo_named_by_it(world: World) -> None:
    admin = await world.admin()
    event_id = await world.event()
    expected = {
        "queued": "pending",
        "analyzed": "processing",
        "done": "completed",
        "failed": "failed",
    }
    for status in expected:
        await world.photo(event_id, status=status, error="broken" if status == "failed" else None)
    for row in await world.rows(photos):
        job_id = row["filename"].removesuffix(".jpg")
        answer = await world.client.get(f"/api/admin/queue/jobs/{job_id}", headers=admin.headers)
        assert answer.json() == {
            "job_id": job_id,
            "event_id": event_id,
            "filename": "IMG_1.jpg",
            "status": expected[row["processing_status"]],
            "error": row["processing_error"],
            "attempts": 0 if row["processing_status"] == "queued" else 1,
            "created_at": row["uploaded_at"].isoformat(),
        }
        part = await world.client.get(f"/api/admin/queue/jobs/{job_id[:-1]}", headers=admin.headers)
        assert part.status_code == 404


async def test_the_queue_and_the_cache_are_told_and_the_cache_is_cleared(world: World) -> None:
    admin = await world.admin()
    event_id = await world.event()
    for status, count in [("queued", 3), ("analyzed", 2), ("done", 4), ("failed", 1)]:
        for _ in range(count):
            photo_id = await world.photo(event_id, status=status)
            if status == "queued" and photo_id % 2:
                await world.change(photos, photo_id, claimed_by="a replica")
    guest = await world.person(joined=event_id)

    async def stats() -> Any:
        answer = await world.client.get("/api/admin/queue/stats", headers=admin.headers)
        return answer.json()

    assert (await stats())["cache"]["photo_lists"]["hit_rate"] == "0.00%"
    for _ in range(3):
        await world.client.get("/api/all-photos", headers=guest.headers)
    assert await stats() == {
        "queue": {
            "total_enqueued": 10,
            "total_processed": 4,
            "total_failed": 1,
            "current_queue_size": 5,
            "workers_active": 2,
            "total_jobs": 10,
        },
        "cache": {"photo_lists": {"size": 1, "hits": 2, "misses": 1, "hit_rate": "66.67%"}},
    }
    cleared = await post(world, "cache/clear", None, admin.headers)
    assert set(cleared) == {"message", "cleared"}
    assert (await stats())["cache"]["photo_lists"]["size"] == 0
