import asyncio

import pytest
from prometheus_client import REGISTRY

from libs.common.messaging.messages import PhotoUploaded, SelfieUploaded
from libs.common.resources import Resources
from services.recognition.settings import RecognitionSettings
from tests.recognition.conftest import running_recognition
from tests.support.polling import PATIENCE_SECONDS, eventually
from tests.support.rekognition.album import Album
from tests.support.rekognition.pictures import picture_of
from tests.support.rekognition_server import Fault, RekognitionServer


def indexed(server: RekognitionServer, external_image_id: str) -> int:
    """How often the service carried out or may have carried out an indexing."""
    return sum(call.parameters.get("ExternalImageId") == external_image_id for call in server.calls)


def indexed_of(server: RekognitionServer, guest: int) -> int:
    """How often, for any selfie of the guest."""
    names = [str(call.parameters.get("ExternalImageId")) for call in server.calls]
    return sum(name.startswith(f"user:{guest}:") for name in names)


@pytest.mark.usefixtures("recognition")
async def test_a_selfie_is_indexed_once_however_often_its_message_comes(
    album: Album, server: RekognitionServer
) -> None:
    event = await album.event()
    guest = await album.guest(event, 1)
    selfie = await album.scalar("SELECT id FROM selfies")
    for _ in range(3):
        async with album.database.unit_of_work() as unit:
            unit.publish(SelfieUploaded(event_id=event, user_id=guest, selfie_id=selfie))
    await album.settled()
    assert indexed_of(server, guest) == 1


async def test_two_replicas_index_each_selfie_and_photo_once(
    album: Album,
    server: RekognitionServer,
    settings: RecognitionSettings,
    resources: Resources,
) -> None:
    events = [await album.event() for _ in range(4)]
    async with (
        running_recognition(settings, resources),
        running_recognition(settings, resources),
    ):
        guests = [await album.guest(event, person) for event in events for person in (1, 2)]
        for event in events:
            await album.picture(event, 1, 2)
        await album.settled()
    assert all(indexed_of(server, guest) == 1 for guest in guests)
    assert server.count()["IndexFaces"] == len(guests) + len(events)
    assert server.count()["CreateCollection"] == len(events)


@pytest.mark.usefixtures("recognition")
async def test_an_indexing_whose_answer_was_lost_leaves_no_second_face(
    album: Album, server: RekognitionServer
) -> None:
    server.fail("IndexFaces", Fault.ANSWER_LOST)
    event = await album.event()
    guest = await album.guest(event, 1)
    await album.settled()
    assert indexed_of(server, guest) == 2
    selfie = await album.scalar("SELECT id FROM selfies")
    await eventually(lambda: server.faces(f"event_{event}") == [f"user:{guest}:{selfie}"])
    assert (
        await album.scalar("SELECT external_face_id FROM selfie_indexes")
        in (server.collections.faces[f"event_{event}"])
    )


@pytest.mark.usefixtures("recognition")
async def test_two_selfies_with_the_same_picture_are_both_kept(
    album: Album, server: RekognitionServer
) -> None:
    event = await album.event()
    first = await album.guest(event, 1)
    await album.settled()
    server.fail("IndexFaces", Fault.ANSWER_LOST)
    second = await album.guest(event, 1)
    await album.settled()
    users = [name.split(":")[1] for name in server.faces(f"event_{event}")]
    assert sorted(users) == sorted([str(first), str(second)])


@pytest.mark.usefixtures("recognition")
async def test_as_many_calls_at_once_as_allowed_and_never_more(
    album: Album, server: RekognitionServer, settings: RecognitionSettings
) -> None:
    allowed = settings.aws_concurrent_requests
    event = await album.event()
    with server.holding("IndexFaces"):
        for person in range(allowed + 5):
            await album.picture(event, person)
        await eventually(lambda: server.most_at_once >= allowed)
    await album.settled()
    assert server.most_at_once == allowed


@pytest.mark.usefixtures("recognition")
async def test_a_collection_deleted_behind_our_back_is_made_again(
    album: Album, server: RekognitionServer
) -> None:
    event = await album.event()
    await album.picture(event, 1)
    await album.settled()
    server.collections.faces.clear()
    photo = await album.picture(event, 2)
    await album.settled()
    assert (await album.photo_row(photo)).processing_status == "done"
    assert server.faces(f"event_{event}") == [f"photo:{photo}"]


@pytest.mark.usefixtures("recognition")
async def test_calls_are_counted_per_event_and_operation(album: Album) -> None:
    event = await album.event()
    await album.guest(event, 1)
    await album.settled()
    await album.picture(event, 1)
    await album.settled()

    async def counted() -> bool:
        rows = await album.scalar(
            "SELECT jsonb_object_agg(operation, calls) FROM aws_usage WHERE event_id = :event",
            event=event,
        )
        return bool(rows == {"CreateCollection": 1, "IndexFaces": 2, "SearchFaces": 1})

    await eventually(counted)


async def test_what_was_counted_last_is_written_at_the_end(
    album: Album, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await album.event()
    async with running_recognition(settings, resources):
        await album.picture(event, 1)
        await asyncio.wait_for(album.settled(), PATIENCE_SECONDS)
    assert await album.scalar("SELECT sum(calls) FROM aws_usage") == 2


@pytest.mark.usefixtures("recognition")
async def test_what_a_replica_indexed_before_it_died_is_found_and_removed(
    album: Album, server: RekognitionServer
) -> None:
    event, user = await album.event(), await album.user()
    await album.join(user, event)
    await album.picture(event, 5)
    await album.settled()
    selfie = await album.selfie(user, picture_of([1]), publish=False)
    await album.index(selfie, event, user, status="claimed", claimed_by="a dead replica")
    leave_behind(server, event, f"user:{user}:{selfie}", picture_of([1]))
    async with album.database.unit_of_work() as unit:
        unit.publish(SelfieUploaded(event_id=event, user_id=user, selfie_id=selfie))
    await album.settled()
    assert server.faces(f"event_{event}").count(f"user:{user}:{selfie}") == 1


@pytest.mark.usefixtures("recognition")
async def test_a_photos_second_attempt_removes_what_the_first_may_have_indexed(
    album: Album, server: RekognitionServer
) -> None:
    event = await album.event()
    await album.picture(event, 5)
    await album.settled()
    photo = await album.photo(event, picture_of([1, 2]), publish=False)
    leave_behind(server, event, f"photo:{photo}", picture_of([1, 2]))
    server.fail("IndexFaces", Fault.DENIED)
    async with album.database.unit_of_work() as unit:
        unit.publish(PhotoUploaded(event_id=event, photo_id=photo))
    await album.settled()
    await eventually(lambda: server.faces(f"event_{event}").count(f"photo:{photo}") == 2)


def leave_behind(server: RekognitionServer, event: int, name: str, picture: bytes) -> None:
    """Index a picture as somebody did who never came to write it down."""
    server.collections.index_faces(
        {
            "CollectionId": f"event_{event}",
            "Image": {"Bytes": picture},
            "ExternalImageId": name,
        }
    )


def cost(operation: str) -> float:
    name, labels = "findme_aws_cost_dollars_total", {"operation": operation}
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.usefixtures("recognition")
async def test_calls_that_are_charged_for_are_counted_in_dollars(
    album: Album, server: RekognitionServer, settings: RecognitionSettings
) -> None:
    before = cost("IndexFaces")
    event = await album.event()
    await album.guest(event, 1)
    await album.picture(event, 1)
    await album.settled()
    paid = server.count()["IndexFaces"] * settings.aws_price_per_call
    assert cost("IndexFaces") - before == pytest.approx(paid)
    assert cost("CreateCollection") == 0
