"""What an API key opens: uploads and watchers, of its photographer and its event."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Executable, delete, func, insert, update

from libs.common.accounts.api_keys import ApiKey
from libs.common.database.tables import api_keys, users
from libs.common.messaging.messages import AccountChanged
from tests.ingest.conftest import Gallery, new_gallery
from tests.support.image_files import image_file
from tests.support.kept_logins import keep_logins
from tests.support.polling import eventually

WATCHERS = "/api/admin/local-watchers"


async def key_for(gallery: Gallery, **values: object) -> ApiKey:
    key = ApiKey.new()
    row: dict[str, object] = {
        "id": key.id,
        "digest": key.digest,
        "user_id": gallery.photographer_id,
        "name": "Camera 2",
    }
    await gallery.ingest.world.execute(insert(api_keys).values(row | values))
    return key


def by_bearer(key: ApiKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.text}"}


def by_header(key: ApiKey) -> dict[str, str]:
    return {"X-API-Key": key.text}


async def upload(gallery: Gallery, headers: dict[str, str], kind: str = "") -> httpx.Response:
    return await gallery.ingest.client.post(
        f"{gallery.url}{kind}",
        headers=headers,
        files=[("files", ("a.jpg", image_file(), "image/jpeg"))],
    )


@pytest.mark.parametrize("headers", [by_bearer, by_header])
async def test_a_key_uploads_as_its_photographer(gallery: Gallery, headers: Any) -> None:
    key = await key_for(gallery)
    answer = await upload(gallery, headers(key))
    assert answer.status_code == 200, answer.text
    assert [row.photographer_id for row in await gallery.ingest.photos()] == [
        gallery.photographer_id
    ]
    answer = await upload(gallery, headers(key), "-async")
    assert answer.status_code == 200, answer.text
    status = f"/api/upload-jobs/{answer.json()['job_id']}/status"
    assert (await gallery.ingest.client.get(status, headers=headers(key))).status_code == 200


async def test_a_key_for_one_event_reaches_no_other(gallery: Gallery) -> None:
    ingest = gallery.ingest
    other = Gallery(
        ingest, await ingest.world.event(gallery.photographer_id), gallery.photographer_id
    )
    key = by_bearer(await key_for(gallery, event_id=gallery.event_id))
    whole = by_bearer(await key_for(gallery))
    assert (await upload(gallery, key)).status_code == 200
    answer = await upload(other, key)
    assert answer.status_code == 403
    assert answer.json()["detail"] == "This API key is for another event."
    job = await upload(other, whole, "-async")
    status = f"/api/upload-jobs/{job.json()['job_id']}/status"
    assert (await ingest.client.get(status, headers=key)).status_code == 404

    made = {}
    for where in (gallery, other):
        answer = await ingest.client.post(
            WATCHERS, json={"event_id": where.event_id}, headers=whole
        )
        made[where.event_id] = answer.json()["id"]
    seen = (await ingest.client.get(WATCHERS, headers=key)).json()
    assert [watcher["event_id"] for watcher in seen] == [gallery.event_id]
    foreign = f"{WATCHERS}/{made[other.event_id]}"
    answer = await ingest.client.post(WATCHERS, json={"event_id": other.event_id}, headers=key)
    assert answer.status_code == 404
    assert (await ingest.client.put(foreign, json={"label": "x"}, headers=key)).status_code == 404
    assert (await ingest.client.delete(foreign, headers=key)).status_code == 404
    own = f"{WATCHERS}/{made[gallery.event_id]}"
    assert (await ingest.client.put(own, json={"label": "x"}, headers=key)).status_code == 200
    assert (await ingest.client.delete(own, headers=key)).status_code == 200


async def test_a_key_reaches_no_other_photographers_event(gallery: Gallery) -> None:
    stranger = await new_gallery(gallery.ingest)
    key = await key_for(gallery)
    assert (await upload(stranger, by_bearer(key))).status_code == 403


async def test_a_key_that_is_none_opens_nothing(gallery: Gallery) -> None:
    key = await key_for(gallery)
    wrong = ApiKey(key.id, ApiKey.new().secret)
    for text in (wrong.text, ApiKey.new().text, "fmk_", "fmk_x", "é"):
        for name, value in ((b"Authorization", f"Bearer {text}"), (b"X-API-Key", text)):
            answer = await gallery.ingest.client.post(gallery.url, headers={name: value.encode()})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
    assert not await gallery.ingest.photos()


async def test_a_key_does_not_send_selfies(gallery: Gallery) -> None:
    key = await key_for(gallery)
    answer = await gallery.ingest.client.post("/api/upload-selfie", headers=by_bearer(key))
    assert answer.status_code == 403


ENDS: dict[str, Callable[[ApiKey, int], Executable]] = {
    "revoked": lambda key, _: delete(api_keys).where(api_keys.c.id == key.id),
    "expired": lambda key, _: (
        update(api_keys)
        .where(api_keys.c.id == key.id)
        .values(expires_at=func.now() - timedelta(seconds=1))
    ),
    "its photographer is locked out": lambda _, user_id: (
        update(users).where(users.c.id == user_id).values(is_active=False)
    ),
    "its photographer is one no more": lambda _, user_id: (
        update(users).where(users.c.id == user_id).values(user_type="user")
    ),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_key_ends_at_once(gallery: Gallery, end: str) -> None:
    ingest = gallery.ingest
    keep_logins(ingest.app)
    key = await key_for(gallery)
    assert (await upload(gallery, by_bearer(key))).status_code == 200
    await ingest.world.execute(ENDS[end](key, gallery.photographer_id))
    message = AccountChanged(user_id=gallery.photographer_id, ended_sessions=())
    await ingest.resources.bus.publish(message.outgoing())

    async def is_refused() -> bool:
        answer = await ingest.client.get(WATCHERS, headers=by_bearer(key))
        return answer.status_code == 401

    await eventually(is_refused)


async def test_the_last_use_of_a_key_is_noted(gallery: Gallery) -> None:
    ingest = gallery.ingest
    used, unused = await key_for(gallery), await key_for(gallery)
    await ingest.client.get(WATCHERS, headers=by_bearer(used))
    await ingest.app.state.accounts.note_seen_once()
    noted = await ingest.world.scalar(
        "SELECT array_agg(id) FROM api_keys WHERE last_used_at IS NOT NULL"
    )
    assert noted == [used.id]
    assert unused.id not in noted
