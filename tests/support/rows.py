"""The rows that a test needs before it starts, as the services would have written them."""

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Executable, Table, delete, insert, text, update

from libs.common.database.database import Database
from libs.common.database.tables import (
    events,
    matches,
    memberships,
    photos,
    selfie_indexes,
    selfies,
    sessions,
    users,
)
from libs.common.database.transactions import UnitOfWork
from libs.common.rights.event_codes import code_key, code_look
from libs.common.storage.keys import selfie_key
from libs.common.web.auth import Role
from services.gallery.accounts.names import email_key, username_key
from tests.support.people import LIFETIME, Person, issue_token, session_of, subject_of

#: When a test's events end unless it says otherwise.
NEXT_MONTH = datetime.now(UTC) + timedelta(days=30)


@dataclass(frozen=True)
class Rows:
    """Small factories with defaults for every column; a suite's world inherits them.

    People are given as a `Person` or as an id.
    """

    database: Database

    async def person(
        self, role: Role = Role.PARTICIPANT, *, joined: int | None = None, **values: object
    ) -> Person:
        """An account that is logged in, and has joined an event if told so."""
        name = f"{role.value}-{uuid.uuid4().hex[:12]}"
        account: dict[str, object] = {
            "username": name,
            "email": f"{name}@example.org",
            "password_hash": "-",
            "user_type": role.value,
        }
        account |= values
        keys = {
            "username_key": username_key(str(account["username"])),
            "email_key": email_key(str(account["email"])),
        }
        user_id = await self.insert(users, keys | account)
        await self.log_in(user_id)
        if joined is not None:
            await self.join(user_id, joined)
        return Person(user_id, name, issue_token(user_id, role))

    async def log_in(self, user_id: int) -> None:
        """Write what makes `issue_token` good for the account."""
        await self.execute(
            update(users).where(users.c.id == user_id).values(subject=subject_of(user_id))
        )
        session = {
            "id": session_of(user_id),
            "user_id": user_id,
            "label": "a test",
            "expires_at": datetime.now(UTC) + LIFETIME,
        }
        await self.execute(insert(sessions).values(session))

    async def event(
        self,
        photographer: Person | int | None = None,
        *,
        code: str | None = None,
        expires_at: datetime = NEXT_MONTH,
        strip_metadata: bool = False,
    ) -> int:
        """One whose guests get photos as they are: most photos of tests are no pictures."""
        code = code or uuid.uuid4().hex[:8].upper()
        event = {
            "name": f"Event {code}",
            "event_code": code,
            "code_key": code_key(code),
            "code_look": code_look(code),
            "photographer_id": None if photographer is None else _id(photographer),
            "expires_at": expires_at,
            "strip_metadata": strip_metadata,
        }
        return await self.insert(events, event)

    async def join(self, guest: Person | int, event_id: int) -> None:
        await self.execute(insert(memberships).values(user_id=_id(guest), event_id=event_id))

    async def insert_photo(
        self, event_id: int, *, unit: UnitOfWork | None = None, **values: object
    ) -> int:
        """The row of a photo; it waits for analysis unless told otherwise."""
        photo = {
            "event_id": event_id,
            "filename": new_filename(),
            "original_filename": "IMG_1.jpg",
            "content_type": "image/jpeg",
            "sha256": b"",
            "crc32": 0,
            "size_bytes": 1,
            "width": 4000,
            "height": 3000,
        }
        return await self.insert(photos, photo | values, unit=unit)

    async def insert_selfie(
        self,
        guest: Person | int,
        *,
        filename: str | None = None,
        unit: UnitOfWork | None = None,
        **values: object,
    ) -> int:
        """The row of a selfie that lies where selfies lie."""
        filename = filename or new_filename()
        selfie = {
            "user_id": _id(guest),
            "filename": filename,
            "object_key": selfie_key(_id(guest), filename),
            "content_type": "image/jpeg",
            "sha256": b"",
            "size_bytes": 1,
        }
        return await self.insert(selfies, selfie | values, unit=unit)

    async def index(
        self, selfie_id: int, event_id: int, guest: Person | int, **values: object
    ) -> None:
        """The claim of a selfie's place in an event's index."""
        claim = {
            "selfie_id": selfie_id,
            "event_id": event_id,
            "user_id": _id(guest),
            "claimed_by": "a test",
        }
        await self.execute(insert(selfie_indexes).values(claim | values))

    async def match(
        self,
        guest: Person | int,
        event_id: int,
        photo_ids: Sequence[int],
        selfie_id: int,
        face_id: int = 0,
    ) -> None:
        """What matching the selfie found: the guest is in these photos."""
        await self.execute(
            insert(matches),
            [
                {
                    "user_id": _id(guest),
                    "event_id": event_id,
                    "photo_id": photo_id,
                    "selfie_id": selfie_id,
                    "face_id": face_id,
                    "similarity": 95.0,
                }
                for photo_id in photo_ids
            ],
        )

    async def insert(
        self, table: Table, values: Mapping[str, object], *, unit: UnitOfWork | None = None
    ) -> int:
        """Write a row, in a transaction of its own unless one is given; return its id."""
        whole = contextlib.nullcontext(unit) if unit else self.database.unit_of_work()
        async with whole as open_unit:
            rows = await open_unit.connection.execute(
                insert(table).values(values).returning(table.c.id)
            )
        new_id: int = rows.scalar_one()
        return new_id

    async def delete(self, table: Table, row_id: object) -> None:
        await self.execute(delete(table).where(table.c.id == row_id))

    async def execute(
        self, statement: Executable, values: Sequence[dict[str, object]] | None = None
    ) -> None:
        """Run a statement in a transaction of its own."""
        async with self.database.unit_of_work() as unit:
            await unit.connection.execute(statement, values)

    async def scalar(self, sql: str, **parameters: object) -> Any:
        async with self.database.read() as connection:
            return await connection.scalar(text(sql), parameters)


def new_filename() -> str:
    """A stored photo's or selfie's name, which nobody else has."""
    return f"{uuid.uuid4().hex}.jpg"


def _id(person: Person | int) -> int:
    return person if isinstance(person, int) else person.id
