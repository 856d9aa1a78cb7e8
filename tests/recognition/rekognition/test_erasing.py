import pytest

from libs.common.database.tables import events, photos, selfies, users
from tests.support.polling import eventually
from tests.support.rekognition.album import Album
from tests.support.rekognition.pictures import picture_of
from tests.support.rekognition_server import Fault, RekognitionServer

pytestmark = pytest.mark.usefixtures("recognition")


async def test_a_deleted_photos_faces_are_deleted_by_their_ids(
    album: Album, server: RekognitionServer
) -> None:
    event = await album.event()
    gone, kept = await album.picture(event, 1, 2, 3), await album.picture(event, 1)
    await album.settled()
    await album.delete(photos, gone)
    await album.erased()
    assert server.faces(f"event_{event}") == [f"photo:{kept}"]
    assert server.count()["DeleteFaces"] == 1


async def test_a_deleted_selfies_face_is_deleted_in_every_event(
    album: Album, server: RekognitionServer
) -> None:
    first, second = await album.event(), await album.event()
    guest = await album.user()
    await album.join(guest, first)
    await album.join(guest, second)
    selfie = await album.selfie(guest, picture_of([1]))
    await album.settled()
    name = f"user:{guest}:{selfie}"
    assert server.faces(f"event_{first}") == server.faces(f"event_{second}") == [name]
    await album.delete(selfies, selfie)
    await album.erased()
    assert server.faces(f"event_{first}") == server.faces(f"event_{second}") == []


async def test_a_deleted_accounts_face_is_deleted(album: Album, server: RekognitionServer) -> None:
    event = await album.event()
    guest = await album.guest(event, 1)
    await album.settled()
    await album.delete(users, guest)
    await album.erased()
    assert server.faces(f"event_{event}") == []


async def test_a_deleted_event_takes_its_collection_with_it(
    album: Album, server: RekognitionServer
) -> None:
    event, other = await album.event(), await album.event()
    await album.picture(event, 1)
    await album.picture(other, 1)
    await album.settled()
    await album.delete(events, event)
    await eventually(lambda: f"event_{event}" not in server.collections.faces)
    assert f"event_{other}" in server.collections.faces
    await album.erased()

    async def forgotten() -> bool:
        return not await album.scalar(
            "SELECT count(*) FROM external_collections WHERE event_id = :event", event=event
        )

    await eventually(forgotten)


async def test_an_event_whose_deletion_is_refused_keeps_no_other_from_being_erased(
    album: Album, server: RekognitionServer
) -> None:
    event, refused = await album.event(), await album.event()
    photo = await album.picture(event, 1)
    await album.picture(refused, 1)
    await album.settled()
    server.fail("DeleteCollection", *[Fault.INVALID] * 1000)
    await album.delete(events, refused)
    await eventually(lambda: "DeleteCollection" in [call.operation for call in server.calls])
    await album.delete(photos, photo)
    await eventually(lambda: server.faces(f"event_{event}") == [])
    assert f"event_{refused}" in server.collections.faces
    assert server.count()["DeleteCollection"] < 3


@pytest.mark.parametrize("table", [photos, events])
async def test_a_deletion_during_the_indexing_leaves_no_face(
    album: Album, server: RekognitionServer, table: object
) -> None:
    event = await album.event()
    with server.holding("IndexFaces"):
        photo = await album.picture(event, 1, 2)
        await eventually(lambda: server.faces(f"event_{event}"))
        if table is photos:
            await album.delete(photos, photo)
        else:
            await album.delete(events, event)
    await eventually(lambda: server.faces(f"event_{event}") == [])
    assert await album.scalar("SELECT count(*) FROM faces") == 0


async def test_a_selfie_removed_during_its_indexing_leaves_no_face(
    album: Album, server: RekognitionServer
) -> None:
    event = await album.event()
    with server.holding("IndexFaces"):
        guest = await album.guest(event, 1)
        await eventually(lambda: server.faces(f"event_{event}"))
        await album.delete(users, guest)
    await eventually(lambda: server.faces(f"event_{event}") == [])
    await album.settled()
    assert await album.scalar("SELECT count(*) FROM selfie_indexes") == 0


async def test_erasing_goes_on_when_the_service_is_back(
    album: Album, server: RekognitionServer
) -> None:
    event = await album.event()
    photo = await album.picture(event, 1)
    await album.settled()
    server.fail("DeleteFaces", Fault.BROKEN, Fault.THROTTLED)
    await album.delete(photos, photo)
    await album.erased()
    assert server.faces(f"event_{event}") == []


async def test_faces_go_with_a_collection_that_is_gone(
    album: Album, server: RekognitionServer
) -> None:
    event = await album.event()
    photo = await album.picture(event, 1)
    await album.settled()
    server.collections.faces.clear()
    await album.delete(photos, photo)
    await album.erased()
    assert [call.error for call in server.calls if call.operation == "DeleteFaces"] == [
        "ResourceNotFoundException"
    ]
