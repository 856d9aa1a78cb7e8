"""Guests and photos as pictures that say who is in them."""

from dataclasses import dataclass

from sqlalchemy import insert

from libs.common.database.tables import faces
from tests.support.polling import eventually
from tests.support.rekognition.pictures import picture_of
from tests.support.world import World


@dataclass(frozen=True)
class Album(World):
    """A world of such pictures."""

    async def picture(self, event_id: int, *people: int, publish: bool = True) -> int:
        """A photo of these people."""
        return await self.photo(event_id, picture_of(people), publish=publish)

    async def guest(self, event_id: int, person: int) -> int:
        """A guest whose selfie shows them."""
        user_id = await self.user()
        await self.join(user_id, event_id)
        await self.selfie(user_id, picture_of([person]))
        return user_id

    async def settled(self) -> None:
        """Wait until nothing waits any more: no message, no photo, no selfie."""

        async def nothing_waits() -> bool:
            return not await self.scalar(
                """
                SELECT (SELECT count(*) FROM outbox)
                     + (SELECT count(*) FROM photos
                        WHERE processing_status IN ('queued', 'analyzed'))
                     + (SELECT count(*) FROM selfies s JOIN memberships USING (user_id)
                        WHERE NOT EXISTS (SELECT 1 FROM selfie_indexes i WHERE i.selfie_id = s.id
                                          AND i.event_id = memberships.event_id
                                          AND i.status IN ('done', 'failed')))
                """
            )

        await eventually(nothing_waits, timeout=90)

    async def erased(self) -> None:
        """Wait until all faces are removed whose rows are gone."""

        async def nothing_to_remove() -> bool:
            return not await self.scalar("SELECT count(*) FROM face_removals")

        await eventually(nothing_to_remove)

    async def indexed_face(self, event_id: int, photo_id: int, face_id: str) -> None:
        """The row of a photo's only face, which is indexed under this id."""
        await self.execute(
            insert(faces).values(
                photo_id=photo_id,
                event_id=event_id,
                position=0,
                left=0,
                top=0,
                width=0.1,
                height=0.1,
                confidence=1,
                engine="rekognition",
                external_face_id=face_id,
            )
        )
