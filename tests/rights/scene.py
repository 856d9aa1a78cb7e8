"""The people and rows that every route is called with."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from libs.common.accounts.principal import Role
from libs.common.database.database import Database
from libs.common.database.tables import cameras, events, users
from libs.common.signing_keys import SigningKeys
from libs.common.storage.keys import photo_key, selfie_key
from libs.common.storage.protocol import ObjectStore
from tests.rights.rules import Rule, Viewer
from tests.support.image_files import image_file
from tests.support.people import Person, bearer, issue_token
from tests.support.rows import Rows, new_filename

OTHER_SECRET = "another secret of more than 32 characters"
PICTURE = image_file()
#: An id that no row has.
UNKNOWN = 10**12


def forged(admin: Person) -> str:
    """A token of the admin, signed by somebody else."""
    return issue_token(admin.id, Role.ADMIN, keys=SigningKeys(OTHER_SECRET))


def expired(admin: Person) -> str:
    """A token of the admin that was valid until a while ago."""
    return issue_token(admin.id, Role.ADMIN, lifetime=timedelta(minutes=-5))


@dataclass(frozen=True)
class Scene:
    """Two events, one of which is over; `people` are None where nobody is logged in."""

    people: Mapping[Viewer, str | None]
    open_event: Mapping[str, object]
    ended_event: Mapping[str, object]

    def fill(self, rule: Rule, viewer: Viewer) -> tuple[str, dict[str, Any]]:
        """Return the path and the request for this viewer."""
        is_ended = viewer in (Viewer.ENDED_GUEST, Viewer.ENDED_OWNER)
        values = self.ended_event if is_ended else self.open_event
        request = dict(rule.request)
        if request.get("json", {}).get("user_id"):
            request["json"] = {"user_id": values["user_id"]}
        token = self.people[viewer]
        if token is not None:
            request["headers"] = bearer(token)
        return rule.path.format(**values), request


class Scenes(Rows):
    """Makes scenes."""

    def __init__(self, database: Database, store: ObjectStore) -> None:
        super().__init__(database)
        self._store: ObjectStore
        object.__setattr__(self, "_store", store)

    async def scene(self) -> Scene:
        owner, other, ended_owner = [await self.person(Role.PHOTOGRAPHER) for _ in range(3)]
        event_id, elsewhere = await self.event(owner), await self.event(other)
        ended = await self.event(ended_owner)
        matched, ended_guest = await self.person(joined=event_id), await self.person(joined=ended)
        deactivated, deleted = [await self.person(Role.ADMIN) for _ in range(2)]
        admin = await self.person(Role.ADMIN)
        values = await self._event_values(event_id, matched)
        ended_values = await self._event_values(ended, ended_guest)
        past = datetime.now(UTC) - timedelta(hours=1)
        await self.execute(update(events).where(events.c.id == ended).values(expires_at=past))
        await self.execute(
            update(users).where(users.c.id == deactivated.id).values(is_active=False)
        )
        await self.delete(users, deleted.id)
        return Scene(
            {
                Viewer.ANONYMOUS: None,
                Viewer.FORGED: forged(admin),
                Viewer.EXPIRED: expired(admin),
                Viewer.DEACTIVATED: deactivated.token,
                Viewer.DELETED: deleted.token,
                Viewer.GUEST: (await self.person(joined=event_id)).token,
                Viewer.MATCHED: matched.token,
                Viewer.ELSEWHERE: (await self.person(joined=elsewhere)).token,
                Viewer.OWNER: owner.token,
                Viewer.OTHER: other.token,
                Viewer.ADMIN: admin.token,
                Viewer.ENDED_GUEST: ended_guest.token,
                Viewer.ENDED_OWNER: ended_owner.token,
            },
            values,
            ended_values,
        )

    async def _event_values(self, event_id: int, guest: Person) -> dict[str, object]:
        filename, selfie = new_filename(), new_filename()
        photo_id = await self.insert_photo(
            event_id,
            filename=filename,
            show_in_general=False,
            processing_status="done",
            size_bytes=len(PICTURE),
            sha256=hashlib.sha256(PICTURE).digest(),
        )
        selfie_id = await self.insert_selfie(guest, filename=selfie)
        await self.match(guest, event_id, [photo_id], selfie_id)
        for key in (photo_key(event_id, filename), selfie_key(guest.id, selfie)):
            await self._store.put(key, PICTURE, content_type="image/jpeg")
        async with self.database.read() as connection:
            code = await connection.scalar(
                events.select()
                .with_only_columns(events.c.event_code)
                .where(events.c.id == event_id)
            )
        camera = {"event_id": event_id, "make": "Canon", "model": "R6", "serial": "1"}
        return {
            "event_id": event_id,
            "camera_id": await self.insert(cameras, camera),
            "photo_id": photo_id,
            "filename": filename,
            "name": "a.jpg",
            "user_id": guest.id,
            "code": code,
            "asset": "none.js",
            "key": photo_key(event_id, filename),
            "selfie_id": UNKNOWN,
            "person_id": UNKNOWN,
            "unknown_id": UNKNOWN,
            "letter_id": UNKNOWN,
            "watcher_id": UNKNOWN,
            "job_id": "0" * 32,
            "upload_id": "0" * 32,
            "key_id": "00000000-0000-4000-8000-000000000000",
            "download_id": "00000000-0000-4000-8000-000000000000",
            "session_id": "00000000-0000-4000-8000-000000000000",
        }

    async def photos_there(self) -> int:
        """How many photos there are, to see whether a refused call took one."""
        return int(await self.scalar("SELECT count(*) FROM photos"))
