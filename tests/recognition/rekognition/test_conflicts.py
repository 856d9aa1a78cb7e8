import pytest

from services.recognition.matching import repository as stored_matches
from tests.support.conflicts import OneDeadlock
from tests.support.rekognition.album import Album
from tests.support.rekognition_server import RekognitionServer


@pytest.mark.usefixtures("recognition")
async def test_searches_whose_transaction_meets_another_one_are_not_paid_for_again(
    album: Album, server: RekognitionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await album.event()
    photo = await album.picture(event, 1, 2)
    await album.settled()
    deadlock = OneDeadlock(stored_matches.upsert)
    monkeypatch.setattr(stored_matches, "upsert", deadlock)
    guest = await album.guest(event, 1)
    await album.settled()
    assert await album.matches(event) == {(guest, photo)}
    assert deadlock.calls == 2
    assert server.count()["SearchFaces"] == 1
