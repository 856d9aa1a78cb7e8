"""Small factories for the rows that a test needs before it starts."""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, text

from libs.common.database import Database, UnitOfWork
from libs.common.messages import PhotoUploaded, SelfieUploaded
from libs.common.storage.keys import photo_key, selfie_key
from libs.common.storage.protocol import ObjectStore
from libs.common.tables import events, matches, memberships, photos, selfies, users


@dataclass(frozen=True)
class World:
    """Writes what the services would have written; ids are returned."""

    database: Database
    store: ObjectStore

    async def user(self, user_type: str = "user") -> int:
        name = f"{user_type}-{uuid.uuid4().hex[:12]}"
        return await self._insert(
            users,
            username=name,
            email=f"{name}@example.com",
            password_hash="-",
            user_type=user_type,
        )

    async def event(self, photographer_id: int | None = None) -> int:
        code = uuid.uuid4().hex[:8].upper()
        return await self._insert(
            events,
            name=f"Event {code}",
            event_code=code,
            code_key=code,
            photographer_id=photographer_id,
            expires_at=datetime.now(UTC) + timedelta(days=60),
        )

    async def join(self, user_id: int, event_id: int) -> None:
        async with self.database.unit_of_work() as unit:
            await unit.connection.execute(
                insert(memberships).values(user_id=user_id, event_id=event_id)
            )

    async def photo(self, event_id: int, content: str, *, publish: bool = True) -> int:
        """A stored photo that waits for analysis, with its message unless told otherwise."""
        filename = f"{uuid.uuid4().hex}.jpg"
        data = content.encode()
        await self.store.put(photo_key(event_id, filename), data, content_type="image/jpeg")
        async with self.database.unit_of_work() as unit:
            photo_id = await self._insert(
                photos,
                unit,
                event_id=event_id,
                filename=filename,
                original_filename="photo.jpg",
                content_type="image/jpeg",
                sha256=hashlib.sha256(data).digest(),
                crc32=0,
                size_bytes=len(data),
                width=4000,
                height=3000,
            )
            if publish:
                unit.publish(PhotoUploaded(event_id=event_id, photo_id=photo_id))
        return photo_id

    async def selfie(self, user_id: int, content: str, *, publish: bool = True) -> int:
        """A stored selfie, with a message for each event of the guest."""
        filename = f"{uuid.uuid4().hex}.jpg"
        key = selfie_key(user_id, filename)
        data = content.encode()
        await self.store.put(key, data, content_type="image/jpeg")
        async with self.database.unit_of_work() as unit:
            selfie_id = await self._insert(
                selfies,
                unit,
                user_id=user_id,
                filename=filename,
                object_key=key,
                content_type="image/jpeg",
                sha256=hashlib.sha256(data).digest(),
                size_bytes=len(data),
            )
            for event_id in await self._joined(unit, user_id) if publish else ():
                unit.publish(
                    SelfieUploaded(event_id=event_id, user_id=user_id, selfie_id=selfie_id)
                )
        return selfie_id

    async def guest(self, event_id: int, person: int) -> int:
        """A guest of the event whose selfie shows `person`."""
        user_id = await self.user()
        await self.join(user_id, event_id)
        await self.selfie(user_id, f"people {person}")
        return user_id

    async def delete(self, table: Any, row_id: int) -> None:
        async with self.database.unit_of_work() as unit:
            await unit.connection.execute(table.delete().where(table.c.id == row_id))

    async def matches(self, event_id: int) -> set[tuple[int, int]]:
        """All (user id, photo id) of the event."""
        async with self.database.read() as connection:
            rows = await connection.execute(
                select(matches.c.user_id, matches.c.photo_id).where(matches.c.event_id == event_id)
            )
            return {(row.user_id, row.photo_id) for row in rows}

    async def photo_row(self, photo_id: int) -> Any:
        async with self.database.read() as connection:
            return (await connection.execute(select(photos).where(photos.c.id == photo_id))).one()

    async def scalar(self, sql: str, **parameters: object) -> Any:
        async with self.database.read() as connection:
            return await connection.scalar(text(sql), parameters)

    async def _joined(self, unit: UnitOfWork, user_id: int) -> list[int]:
        query = select(memberships.c.event_id).where(memberships.c.user_id == user_id)
        return [row.event_id for row in await unit.connection.execute(query)]

    async def _insert(self, table: Any, unit: UnitOfWork | None = None, **values: object) -> int:
        statement = insert(table).values(**values).returning(table.c.id)
        if unit is not None:
            return int(await unit.connection.scalar(statement) or 0)
        async with self.database.unit_of_work() as own:
            return int(await own.connection.scalar(statement) or 0)
