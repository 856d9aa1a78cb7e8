"""An event whose guests send selfies and whose photographer uploads, through the real services."""

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

import httpx
from sqlalchemy import text

from libs.common.web.auth import Role
from services.recognition.engine.face_engine import to_bytes
from tests.support.all_services import AllServices
from tests.support.people import Person
from tests.support.polling import eventually
from tests.support.rekognition.picture_engine import alone
from tests.support.rekognition.pictures import picture_of
from tests.support.rekognition_server import RekognitionServer
from tests.support.rows import Rows
from tests.support.scripted_engine import embedding_of
from tests.support.traces import Needle, find_traces

#: Calls of a paid service, for the bill; and the keys of what an older backup must not bring back.
KEPT_TABLES = frozenset({"aws_usage", "erasures"})
#: Who did what to whom, by ids alone.
TABLES_OF_NUMBERS = frozenset({"audit"})


@dataclass(frozen=True)
class Party(Rows):
    """Two events with the same services; what is deleted must not take the other's."""

    services: AllServices
    server: RekognitionServer | None
    admin: Person
    photographer: Person

    async def call(
        self, method: str, path: str, person: Person, **options: object
    ) -> httpx.Response:
        return await self.services.client.request(
            method,
            path,
            headers=person.headers,
            **options,  # type: ignore[arg-type]
        )

    async def guest(self, number: int, *event_ids: int) -> Person:
        """Somebody who has joined these events and sent a selfie."""
        guest = await self.person(Role.PARTICIPANT)
        for event_id in event_ids:
            await self.join(guest, event_id)
        answer = await self.send_selfie(guest, number)
        assert answer.status_code == 200, answer.text
        return guest

    async def send_selfie(self, guest: Person, number: int) -> httpx.Response:
        picture = ("selfie.jpg", picture_of([number], size=(1600, 900)), "image/jpeg")
        return await self.call("POST", "/api/upload-selfie", guest, files={"file": picture})

    async def upload(self, event_id: int, *people: Sequence[int]) -> httpx.Response:
        """Photos of these people."""
        pictures = [
            ("files", (f"{mark}.jpg", picture_of(some, mark=mark), "image/jpeg"))
            for mark, some in enumerate(people)
        ]
        return await self.call(
            "POST",
            f"/api/photographer/events/{event_id}/upload-photos",
            self.photographer,
            files=pictures,
        )

    async def begin_upload(self, event_id: int) -> str:
        """A photo of which the second half never comes; return the upload's id."""
        said = {"event_id": str(event_id), "filename": "half.jpg"}
        pairs = [
            f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items()
        ]
        answer = await self.services.client.post(
            "/api/uploads",
            headers=self.photographer.headers
            | {
                "Tus-Resumable": "1.0.0",
                "Upload-Length": "2000",
                "Upload-Metadata": ",".join(pairs),
                "Content-Type": "application/offset+octet-stream",
            },
            content=bytes(1000),
        )
        assert answer.status_code == 201, answer.text
        return str(answer.headers["Location"].rpartition("/")[2])

    async def settled(self) -> None:
        """Wait until nothing is on its way, and no transaction is open."""
        await eventually(self._is_settled)

    async def looked_again(self) -> None:
        """Have the second look at what was deleted now, and wait for its end."""
        await self.execute(text("UPDATE outbox SET next_attempt_at = now()"))
        await self.settled()

    async def _is_settled(self) -> bool:
        return not await self.scalar(
            """
            SELECT (SELECT count(*) FROM outbox WHERE next_attempt_at <= now())
                 + (SELECT count(*) FROM face_removals)
                 + (SELECT count(*) FROM external_collections c
                    WHERE NOT EXISTS (SELECT FROM events e
                                      WHERE e.id = c.event_id AND e.erased_at IS NULL))
                 + (SELECT count(*) FROM photos WHERE processing_status IN ('queued', 'analyzed'))
                 + (SELECT count(*) FROM selfies s JOIN memberships m USING (user_id)
                    JOIN events e ON e.id = m.event_id AND e.expires_at > now()
                    WHERE NOT EXISTS (SELECT 1 FROM selfie_indexes i WHERE i.selfie_id = s.id
                                      AND i.event_id = m.event_id
                                      AND i.status IN ('done', 'failed')))
                 + (SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                      AND xact_start IS NOT NULL)
            """
        )

    async def all_of_event(self, event_id: int) -> list[Needle]:
        """Everything by which an event, its photos or the faces of its guests could be known."""
        needles: list[Needle] = [event_id, f"events/{event_id}/"]
        async with self.database.read() as connection:
            for row in await connection.execute(
                text("SELECT id, filename FROM photos WHERE event_id = :event"), {"event": event_id}
            ):
                needles += [row.id, row.filename]
            for row in await connection.execute(
                text(
                    "SELECT f.id, f.embedding, f.external_face_id FROM faces f"
                    " WHERE f.event_id = :event"
                ),
                {"event": event_id},
            ):
                needles += [row.id, *(key for key in row[1:] if key)]
            needles += await connection.scalars(
                text(
                    "SELECT s.embedding FROM selfies s JOIN memberships m USING (user_id)"
                    " WHERE s.embedding IS NOT NULL"
                    " GROUP BY s.id HAVING array_agg(m.event_id) = ARRAY[CAST(:event AS bigint)]"
                ),
                {"event": event_id},
            )
        return needles

    async def all_of_selfies(self, guest: Person, number: int) -> list[Needle]:
        """Everything by which a guest's selfies could be known."""
        needles: list[Needle] = [to_bytes(alone(embedding_of(number)))]
        async with self.database.read() as connection:
            for row in await connection.execute(
                text(
                    "SELECT s.id, filename, sha256, s.embedding, external_face_id FROM selfies s"
                    " LEFT JOIN selfie_indexes i ON i.selfie_id = s.id WHERE s.user_id = :guest"
                ),
                {"guest": guest.id},
            ):
                needles += [key for key in row if key]
        return needles

    async def all_of_account(self, guest: Person, number: int) -> list[Needle]:
        """Everything by which a guest could be known."""
        return [guest.id, guest.name, *(await self.all_of_selfies(guest, number))]

    async def traces(self, needles: Sequence[Needle]) -> list[str]:
        """Where any of it is still found: in tables, in the store, at the service."""
        found = await find_traces(
            self.database,
            needles,
            ids_may_be_in=KEPT_TABLES,
            numbers_may_be_in=TABLES_OF_NUMBERS,
        )
        words = [str(needle) for needle in needles if not isinstance(needle, bytes)]
        found += [f"store: {key}" for key in await self._keys_with(words)]
        if self.server is not None:
            for name, faces in self.server.collections.faces.items():
                for face_id, face in faces.items():
                    is_left = any(word in (face.external_image_id or "") for word in words)
                    if is_left or face_id in words:
                        found.append(f"{name}: {face.external_image_id}")
                if any(name == f"event_{word}" for word in words):
                    found.append(f"collection {name}")
        return found

    async def is_gone_from_the_store(self, needles: Sequence[Needle]) -> bool:
        """Whether the cleanup has been there."""
        return not await self._keys_with([str(item) for item in needles if item])

    async def _keys_with(self, words: Sequence[str]) -> list[str]:
        keys = [info.key async for info in self.services.resources.store.list("")]
        return [key for key in keys if any(word in key for word in words)]

    async def nothing_is_left(self, needles: Sequence[Needle]) -> None:
        """Wait until nothing is found any more, and see that the second look leaves nothing."""
        await self.settled()
        # The message that will have the store looked through once more still has an id.
        await self._is_clean(needles, but={"outbox.body"})
        await self.looked_again()
        await self._is_clean(needles)
        assert await self.scalar("SELECT count(*) FROM dead_letters") == 0

    async def _is_clean(self, needles: Sequence[Needle], but: Collection[str] = ()) -> None:
        left: list[str] = []

        async def nothing() -> bool:
            left[:] = [place for place in await self.traces(needles) if place not in but]
            return not left

        await eventually(nothing, message=partial(str, left))
