"""Searches themselves, with an index that is filled directly."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import update

from libs.common.database.tables import selfie_indexes
from libs.common.resources import Resources
from services.recognition.indexes.rekognition.client import Rekognition, open_rekognition
from services.recognition.indexes.rekognition.planner import Comparisons
from services.recognition.indexes.rekognition.search import Searcher
from services.recognition.indexes.rekognition.usage import Usage
from tests.support.rekognition.album import Album
from tests.support.rekognition.pictures import picture_of
from tests.support.rekognition.sight import see_angles
from tests.support.rekognition_server import RekognitionServer


@dataclass
class Filled:
    """An event whose faces are indexed, and a search in it."""

    album: Album
    rekognition: Rekognition
    event: int

    @property
    def collection(self) -> str:
        return f"event_{self.event}"

    async def index(self, person: int, name: str) -> str:
        indexed = await self.rekognition.index_faces(
            self.event, self.collection, image=picture_of([person]), external_image_id=name
        )
        return indexed.faces[0].face_id

    async def photo(self, person: int) -> int:
        photo_id = await self.album.insert_photo(
            self.event, processing_status="analyzed", engine="rekognition"
        )
        face_id = await self.index(person, f"photo:{photo_id}")
        await self.album.indexed_face(self.event, photo_id, face_id)
        return photo_id

    async def selfie(self, person: int) -> int:
        user = await self.album.user()
        selfie = await self.album.insert_selfie(user)
        face_id = await self.index(person, f"user:{user}:{selfie}")
        await self.album.index(
            selfie,
            self.event,
            user,
            status="indexed",
            engine="rekognition",
            external_face_id=face_id,
        )
        return selfie

    async def matched_selfies(self, selfies: list[int]) -> None:
        """What becomes of selfies once their matches are written."""
        await self.album.execute(
            update(selfie_indexes)
            .where(selfie_indexes.c.selfie_id.in_(selfies))
            .values(status="done")
        )

    def searcher(self, max_results: int = 4096, threshold: float = 85) -> Searcher:
        return Searcher(
            database=self.album.database,
            rekognition=self.rekognition,
            event_id=self.event,
            collection=self.collection,
            threshold=threshold,
            max_results=max_results,
        )

    async def matched(
        self, photos: list[int], selfies: list[int], max_results: int = 4096
    ) -> set[tuple[int, int]]:
        searched = await self.searcher(max_results).match(photos, selfies)
        return {(match.selfie_id, match.photo_id) for match in searched.matches}


@pytest.fixture
async def filled(
    album: Album, server: RekognitionServer, resources: Resources
) -> AsyncIterator[Filled]:
    async with open_rekognition(
        Usage(resources.database, price_per_call=0.001),
        region="eu-central-1",
        endpoint_url=server.url,
        calls_at_once=10,
    ) as rekognition:
        event = await album.event()
        await rekognition.create_collection(event, f"event_{event}")
        yield Filled(album, rekognition, event)


async def test_new_photos_meet_all_selfies_and_new_selfies_all_photos(filled: Filled) -> None:
    old_selfie, new_selfie = await filled.selfie(1), await filled.selfie(2)
    old = [await filled.photo(1), await filled.photo(2)]
    new = [await filled.photo(1), await filled.photo(2)]
    assert await filled.matched(new, [new_selfie]) == {
        (old_selfie, new[0]),
        (new_selfie, new[1]),
        (new_selfie, old[1]),
    }


async def test_a_result_that_is_cut_off_is_made_up_for_from_the_other_side(
    filled: Filled, server: RekognitionServer
) -> None:
    selfie = await filled.selfie(1)
    photos = [await filled.photo(1) for _ in range(7)]
    expected = {(selfie, photo) for photo in photos}
    assert await filled.matched([], [selfie], max_results=3) == expected
    assert server.count()["SearchFaces"] == 1 + len(photos)


async def test_everybody_is_found_with_the_lowest_threshold(filled: Filled) -> None:
    await filled.selfie(1)
    photos = [await filled.photo(person) for person in (1, 2)]
    searched = await filled.searcher(threshold=-10).match(photos, [])
    assert {match.photo_id for match in searched.matches} == set(photos)


async def test_a_photos_result_that_is_cut_off_is_made_up_for_from_the_selfies(
    filled: Filled, server: RekognitionServer
) -> None:
    server.collections.sight = see_angles
    # The photo's face is more like three earlier ones than like the guest's selfie.
    for _ in range(3):
        await filled.photo(45)
    selfie, _ = await filled.selfie(0), await filled.selfie(150)
    photo = await filled.photo(25)
    assert await filled.matched([photo], [], max_results=3) == {(selfie, photo)}
    assert server.count()["SearchFaces"] == 1 + 2


async def test_what_a_selfie_met_while_photos_waited_is_not_compared_again(
    filled: Filled, server: RekognitionServer
) -> None:
    selfies = [await filled.selfie(person) for person in (1, 2)]
    photos = [await filled.photo(person) for person in (1, 2, 3, 4)]
    comparisons = Comparisons()
    first = await filled.searcher().match([], None, comparisons=comparisons, waiting_photos=10)
    assert first.selfie_ids == selfies
    matches = {(selfies[0], photos[0]), (selfies[1], photos[1])}
    assert {(match.selfie_id, match.photo_id) for match in first.matches} == matches
    comparisons.record(first.compared, waiting=first.waiting)
    await filled.matched_selfies(selfies)
    second = await filled.searcher().match(photos, None, comparisons=comparisons)
    assert (second.calls, second.matches) == (0, [])
    new = await filled.photo(2)
    third = await filled.searcher().match([*photos, new], None, comparisons=comparisons)
    assert {(match.selfie_id, match.photo_id) for match in third.matches} == {(selfies[1], new)}
    assert server.count()["SearchFaces"] == 2 + 1


async def test_a_selfie_whose_result_was_cut_off_has_not_met_what_waits(
    filled: Filled, server: RekognitionServer
) -> None:
    selfie = await filled.selfie(1)
    photos = [await filled.photo(1) for _ in range(4)]
    comparisons = Comparisons()
    first = await filled.searcher(3).match([], None, comparisons=comparisons, waiting_photos=10)
    comparisons.record(first.compared, waiting=first.waiting)
    await filled.matched_selfies([selfie])
    second = await filled.searcher(3).match(photos, None, comparisons=comparisons)
    found = {(match.selfie_id, match.photo_id) for match in (*first.matches, *second.matches)}
    assert found == {(selfie, photo) for photo in photos}
    assert second.calls > 0


async def test_a_late_selfie_costs_one_search(filled: Filled, server: RekognitionServer) -> None:
    for person in (2, 3, 4):
        await filled.selfie(person)
    photos = [await filled.photo(1) for _ in range(5)]
    late = await filled.selfie(1)
    assert await filled.matched([], [late]) == {(late, photo) for photo in photos}
    assert server.count()["SearchFaces"] == 1


async def test_a_batch_is_searched_from_the_side_that_has_fewer(
    filled: Filled, server: RekognitionServer
) -> None:
    selfies = [await filled.selfie(person) for person in (1, 2)]
    photos = [await filled.photo(person) for person in (1, 2, 3, 1)]
    matches = {(selfies[0], photos[0]), (selfies[1], photos[1]), (selfies[0], photos[3])}
    assert await filled.matched(photos, []) == matches
    assert server.count()["SearchFaces"] == 2
    assert await filled.matched(photos[:1], []) == {(selfies[0], photos[0])}
    assert server.count()["SearchFaces"] == 3


async def test_a_face_that_was_deleted_meanwhile_is_left_out(filled: Filled) -> None:
    selfie, other = await filled.selfie(1), await filled.selfie(2)
    photos = [await filled.photo(1), await filled.photo(2), await filled.photo(2)]
    face = await filled.album.scalar(
        "SELECT external_face_id FROM selfie_indexes WHERE selfie_id = :selfie", selfie=selfie
    )
    await filled.rekognition.delete_faces(filled.event, filled.collection, [face])
    assert await filled.matched(photos, []) == {(other, photos[1]), (other, photos[2])}
