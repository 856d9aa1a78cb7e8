"""What a test starts from: rows with their objects in the store and their messages."""

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from libs.common.database.tables import faces, memberships, photos
from libs.common.database.transactions import UnitOfWork
from libs.common.messaging.messages import PhotoUploaded, SelfieUploaded
from libs.common.rights.counted_matches import guest_photos
from libs.common.storage.keys import photo_key, selfie_key
from libs.common.storage.protocol import ObjectStore
from libs.common.web.auth import Role
from services.recognition.engine.face_engine import EMBEDDED
from tests.support.rows import Rows, new_filename


@dataclass(frozen=True)
class World(Rows):
    """Writes what the services would have written; ids are returned."""

    store: ObjectStore

    async def user(self, user_type: str = "user") -> int:
        return (await self.person(Role(user_type))).id

    async def photo(
        self,
        event_id: int,
        content: str | bytes,
        *,
        name: str = "photo.jpg",
        publish: bool = True,
        in_bulk: bool = False,
    ) -> int:
        """A stored photo that waits for analysis, with its message unless told otherwise."""
        filename = new_filename()
        data = content.encode() if isinstance(content, str) else content
        await self.store.put(photo_key(event_id, filename), data, content_type="image/jpeg")
        async with self.database.unit_of_work() as unit:
            photo_id = await self.insert_photo(
                event_id,
                unit=unit,
                filename=filename,
                original_filename=name,
                sha256=hashlib.sha256(data).digest(),
                size_bytes=len(data),
            )
            if publish:
                unit.publish(PhotoUploaded(event_id=event_id, photo_id=photo_id, in_bulk=in_bulk))
        return photo_id

    async def replace_photo(self, photo_id: int, data: bytes) -> None:
        """As if these bytes had been uploaded in the first place."""
        row = await self.photo_row(photo_id)
        whole = {"size_bytes": len(data), "sha256": hashlib.sha256(data).digest()}
        await self.execute(photos.update().where(photos.c.id == photo_id).values(whole))
        key = photo_key(row.event_id, row.filename)
        await self.store.put(key, data, content_type="image/jpeg")

    async def selfie(self, user_id: int, content: str | bytes, *, publish: bool = True) -> int:
        """A stored selfie, with a message for each event of the guest."""
        filename = new_filename()
        data = content.encode() if isinstance(content, str) else content
        await self.store.put(selfie_key(user_id, filename), data, content_type="image/jpeg")
        async with self.database.unit_of_work() as unit:
            selfie_id = await self.insert_selfie(
                user_id,
                unit=unit,
                filename=filename,
                sha256=hashlib.sha256(data).digest(),
                size_bytes=len(data),
            )
            for event_id in await self._joined(unit, user_id) if publish else ():
                unit.publish(
                    SelfieUploaded(event_id=event_id, user_id=user_id, selfie_id=selfie_id)
                )
        return selfie_id

    async def face(self, photo_id: int, event_id: int, *, engine: str = EMBEDDED.name) -> int:
        """The row of a photo's only face, without what it would be found by."""
        face = {
            "photo_id": photo_id,
            "event_id": event_id,
            "position": 0,
            "left": 0.1,
            "top": 0.1,
            "width": 0.2,
            "height": 0.3,
            "confidence": 0.9,
            "engine": engine,
        }
        return await self.insert(faces, face)

    async def guest(self, event_id: int, person: int) -> int:
        """A guest of the event whose selfie shows `person`."""
        user_id = await self.user()
        await self.join(user_id, event_id)
        await self.selfie(user_id, f"people {person}")
        return user_id

    async def matches(self, event_id: int) -> set[tuple[int, int]]:
        """All (user id, photo id) of the event that guests see."""
        async with self.database.read() as connection:
            rows = await connection.execute(select(guest_photos(event_id)))
            return {(row.user_id, row.photo_id) for row in rows}

    async def photo_row(self, photo_id: int) -> Any:
        async with self.database.read() as connection:
            return (await connection.execute(select(photos).where(photos.c.id == photo_id))).one()

    async def _joined(self, unit: UnitOfWork, user_id: int) -> list[int]:
        query = select(memberships.c.event_id).where(memberships.c.user_id == user_id)
        return [row.event_id for row in await unit.connection.execute(query)]
