"""What the gallery tests are about: a running service, people, events, photos."""

import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Table, delete, insert, update

from libs.common.bus.protocol import Bus
from libs.common.database import Database
from libs.common.messages import Message
from libs.common.tables import (
    events,
    faces,
    matches,
    memberships,
    outbox,
    photos,
    selfie_indexes,
    selfies,
    users,
)
from libs.common.tokens import Principal, Role, Tokens
from services.gallery.event_codes import code_key
from services.gallery.settings import GallerySettings

SECRET = "a secret of more than thirty-two letters"
NEXT_MONTH = datetime.now(UTC) + timedelta(days=30)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    """An account and the header that logs it in."""

    id: int
    name: str
    headers: dict[str, str]
    token: str


@dataclass(frozen=True)
class World:
    """A running service and what it is connected to."""

    app: FastAPI
    client: httpx.AsyncClient
    database: Database
    bus: Bus

    async def person(
        self,
        role: Role = Role.PARTICIPANT,
        *,
        joined: int | None = None,
        password_hash: str = "-",
        is_active: bool = True,
    ) -> Person:
        name = f"Person-{uuid.uuid4().hex[:12]}"
        user_id = await self.insert(
            users,
            username=name,
            email=f"{name}@example.org",
            password_hash=password_hash,
            user_type=role.value,
            is_active=is_active,
        )
        if joined is not None:
            await self.join(user_id, joined)
        token = Tokens(SECRET).issue(Principal(user_id, role), lifetime=timedelta(hours=1))
        return Person(user_id, name, {"Authorization": f"Bearer {token}"}, token)

    async def photographer(self) -> Person:
        return await self.person(Role.PHOTOGRAPHER)

    async def admin(self) -> Person:
        return await self.person(Role.ADMIN)

    async def event(
        self,
        photographer: Person | None = None,
        *,
        code: str | None = None,
        expires_at: datetime = NEXT_MONTH,
    ) -> int:
        code = code or uuid.uuid4().hex[:8].upper()
        return await self.insert(
            events,
            name=f"Event {code}",
            event_code=code,
            code_key=code_key(code),
            photographer_id=photographer and photographer.id,
            expires_at=expires_at,
        )

    async def join(self, user_id: int, event_id: int) -> None:
        async with self.database.unit_of_work() as unit:
            await unit.connection.execute(
                insert(memberships).values(user_id=user_id, event_id=event_id)
            )

    async def photo(
        self,
        event_id: int,
        *,
        uploaded_at: datetime = NOON,
        photographer: Person | None = None,
        show_in_general: bool | None = None,
        status: str = "done",
        error: str | None = None,
    ) -> int:
        return await self.insert(
            photos,
            event_id=event_id,
            filename=f"{uuid.uuid4().hex}.jpg",
            original_filename="IMG_1.jpg",
            content_type="image/jpeg",
            photographer_id=photographer and photographer.id,
            uploaded_at=uploaded_at,
            sha256=b"",
            crc32=0,
            size_bytes=1,
            width=4000,
            height=3000,
            show_in_general=show_in_general,
            processing_status=status,
            processing_error=error,
        )

    async def selfie(self, person: Person) -> int:
        filename = f"{uuid.uuid4().hex}.jpg"
        return await self.insert(
            selfies,
            user_id=person.id,
            filename=filename,
            object_key=f"users/{person.id}/selfies/{filename}",
            content_type="image/jpeg",
            sha256=b"",
            size_bytes=1,
        )

    async def index(self, selfie_id: int, event_id: int, person: Person, **values: object) -> None:
        async with self.database.unit_of_work() as unit:
            await unit.connection.execute(
                insert(selfie_indexes).values(
                    selfie_id=selfie_id,
                    event_id=event_id,
                    user_id=person.id,
                    claimed_by="a test",
                    **values,
                )
            )

    async def face(self, photo_id: int, event_id: int, position: int = 0) -> int:
        return await self.insert(
            faces,
            photo_id=photo_id,
            event_id=event_id,
            position=position,
            left=0.125,
            top=0.25,
            width=0.5,
            height=0.375,
            confidence=0.75,
            engine="embedded",
        )

    async def match(
        self,
        person: Person,
        event_id: int,
        photo_ids: Sequence[int],
        selfie_id: int,
        face_id: int = 0,
    ) -> None:
        async with self.database.unit_of_work() as unit:
            await unit.connection.execute(
                insert(matches),
                [
                    {
                        "user_id": person.id,
                        "event_id": event_id,
                        "photo_id": photo_id,
                        "selfie_id": selfie_id,
                        "face_id": face_id,
                        "similarity": 95.0,
                    }
                    for photo_id in photo_ids
                ],
            )

    async def insert(self, table: Table, **values: object) -> int:
        async with self.database.unit_of_work() as unit:
            statement = insert(table).values(**values).returning(table.c.id)
            new_id: int = (await unit.connection.execute(statement)).scalar_one()
        return new_id

    async def change(self, table: Table, row_id: int, **values: object) -> None:
        async with self.database.unit_of_work() as unit:
            await unit.connection.execute(
                update(table).where(table.c.id == row_id).values(**values)
            )

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        async with self.database.read() as connection:
            return [dict(row) for row in (await connection.execute(table.select())).mappings()]

    async def sent(self) -> list[tuple[str, dict[str, Any]]]:
        """Take the messages out of the outbox: topic and body, in their order."""
        async with self.database.unit_of_work() as unit:
            rows = await unit.connection.execute(
                delete(outbox).returning(outbox.c.id, outbox.c.routing_key, outbox.c.body)
            )
            found = sorted((row.id, row.routing_key, row.body) for row in rows)
        return [(key.rpartition(".")[0], json.loads(body)) for _, key, body in found]

    async def publish(self, message: Message) -> None:
        await self.bus.publish(message.outgoing())


def settings_for(database_url: str, **values: object) -> GallerySettings:
    return GallerySettings.model_validate(
        {"database_url": database_url, "secret_key": SECRET, "db_pool_size": 5} | values
    )


@contextlib.asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Run uvicorn as it runs in production, in this process; the app is started already."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        port: int = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.shutdown()
