"""A batch that grows: nobody else waits for it, and it survives its replica."""

from contextlib import AbstractAsyncContextManager

import pytest

from libs.common.messaging.bus.topology import bucket_of
from libs.common.resources import Resources
from services.recognition.rekognition_rounds import event_tasks
from services.recognition.settings import RecognitionSettings
from tests.recognition.conftest import running_recognition
from tests.support.polling import eventually
from tests.support.rekognition.album import Album
from tests.support.rekognition_server import RekognitionServer

#: Longer than any test.
FOR_EVER = 3600.0


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_tasks, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(event_tasks, "STOP_SECONDS", 0.2)


def running(
    settings: RecognitionSettings, resources: Resources, *, batch_seconds: float
) -> AbstractAsyncContextManager[object]:
    """A replica whose batches grow for so long."""
    own = settings.model_copy(update={"rekognition_batch_seconds": batch_seconds})
    return running_recognition(own, resources)


async def begin_batch(album: Album, event: int) -> int:
    """A photo that waits for another one, of which nothing is heard any more."""
    await album.guest(event, 1)
    await album.settled()
    await album.insert_photo(event, processing_status="queued")
    first = await album.picture(event, 1)
    # The first of a burst is matched early.
    await eventually(lambda: is_matched(album, first))
    waiting = await album.picture(event, 1, 2)
    await eventually(lambda: is_analyzed(album, waiting))
    return waiting


async def is_matched(album: Album, photo_id: int) -> bool:
    return bool((await album.photo_row(photo_id)).processing_status == "done")


async def is_analyzed(album: Album, photo_id: int) -> bool:
    return bool((await album.photo_row(photo_id)).processing_status == "analyzed")


async def test_another_event_of_the_same_partition_is_matched_at_once(
    album: Album, settings: RecognitionSettings, resources: Resources
) -> None:
    async with running(settings, resources, batch_seconds=FOR_EVER):
        event = await album.event()
        waiting = await begin_batch(album, event)
        other = await album.event()
        while bucket_of(other) != bucket_of(event):
            other = await album.event()
        guest = await album.guest(other, 5)
        photo = await album.picture(other, 5)
        await eventually(lambda: is_matched(album, photo))

        async def is_found() -> bool:
            # A selfie is indexed outside of the partition: the photo may be done before it.
            return await album.matches(other) == {(guest, photo)}

        await eventually(is_found)
        assert await is_analyzed(album, waiting)


async def test_a_batch_is_taken_over_by_the_next_owner_and_paid_once(
    album: Album, server: RekognitionServer, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await album.event()
    async with running(settings, resources, batch_seconds=FOR_EVER):
        waiting = await begin_batch(album, event)
        searches = server.count()["SearchFaces"]
    assert await is_analyzed(album, waiting)
    async with running(settings, resources, batch_seconds=0.1):
        await eventually(lambda: is_matched(album, waiting))
    assert len(await album.matches(event)) == 2
    assert server.count()["SearchFaces"] == searches + 1


async def test_a_round_that_ends_with_its_replica_is_made_again_once(
    album: Album, server: RekognitionServer, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await album.event()
    async with running(settings, resources, batch_seconds=FOR_EVER):
        waiting = await begin_batch(album, event)
    searches = server.count()["SearchFaces"]
    with server.holding("SearchFaces"):
        async with running(settings, resources, batch_seconds=0.1):
            await eventually(lambda: server.in_hand["SearchFaces"])
        assert await is_analyzed(album, waiting)
    async with running(settings, resources, batch_seconds=0.1):
        await eventually(lambda: is_matched(album, waiting))
    assert len(await album.matches(event)) == 2
    assert server.count()["SearchFaces"] <= searches + 2
