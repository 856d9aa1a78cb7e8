"""What the gallery tests are about: a running service, people, events, photos."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import Table, delete, update

from libs.common.database.database import Database
from libs.common.database.tables import faces, outbox
from libs.common.messaging.bus.protocol import Bus
from libs.common.messaging.messages import Message
from libs.common.resources import Resources
from libs.common.web.auth import Role
from services.recognition.engine.face_engine import EMBEDDED
from tests.support.people import Person
from tests.support.rows import Rows

#: What the first admin is made with.
SETUP_TOKEN = "a token that the start prints"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class World(Rows):
    """A service, and what it is connected to."""

    app: FastAPI
    client: httpx.AsyncClient
    bus: Bus

    @property
    def services_database(self) -> Database:
        """The service's own connections, on its role; `database` is the test's."""
        resources: Resources = self.app.state.resources
        return resources.database

    async def photographer(self) -> Person:
        return await self.person(Role.PHOTOGRAPHER)

    async def admin(self) -> Person:
        return await self.person(Role.ADMIN)

    async def photo(
        self,
        event_id: int,
        *,
        uploaded_at: datetime = NOON,
        photographer: Person | None = None,
        show_in_general: bool | None = None,
        status: str = "done",
        error: str | None = None,
        note: str | None = None,
    ) -> int:
        return await self.insert_photo(
            event_id,
            processing_note=note,
            photographer_id=photographer and photographer.id,
            uploaded_at=uploaded_at,
            show_in_general=show_in_general,
            processing_status=status,
            processing_error=error,
        )

    async def selfie(self, person: Person) -> int:
        return await self.insert_selfie(person)

    async def face(self, photo_id: int, event_id: int, position: int = 0) -> int:
        face = {
            "photo_id": photo_id,
            "event_id": event_id,
            "position": position,
            "left": 0.125,
            "top": 0.25,
            "width": 0.5,
            "height": 0.375,
            "confidence": 0.75,
            "engine": EMBEDDED.name,
        }
        return await self.insert(faces, face)

    async def change(self, table: Table, row_id: int, **values: object) -> None:
        await self.execute(update(table).where(table.c.id == row_id).values(**values))

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
