"""From an engine of ours to Rekognition and back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from libs.common.database.tables import events, photos
from libs.common.resources import Resources
from services.recognition import metrics
from services.recognition.app import create_app
from services.recognition.settings import RecognitionSettings
from tests.recognition.two_engines import is_settled
from tests.support.engine_pools import lent_pools
from tests.support.odd_engines import EMBEDDED, PROVIDERS
from tests.support.polling import eventually
from tests.support.rekognition.album import Album
from tests.support.rekognition.picture_engine import PictureEngine
from tests.support.rekognition_server import RekognitionServer

REKOGNITION = "rekognition"


@asynccontextmanager
async def running(
    engine: str, settings: RecognitionSettings, resources: Resources
) -> AsyncIterator[None]:
    own = settings.model_copy(update={"face_recognizer_provider": PROVIDERS.get(engine, engine)})
    async with lent_pools(PictureEngine, own) as pools:
        app = create_app(own, resources, pools=pools)
        async with app.router.lifespan_context(app):
            yield


async def settled(album: Album, engine: str) -> None:
    await eventually(partial(is_settled, album, engine))


async def nothing_is_left(album: Album, server: RekognitionServer) -> bool:
    """No face, no collection, and no row that speaks of any."""
    rows = await album.scalar(
        "SELECT (SELECT count(*) FROM external_collections) + (SELECT count(*) FROM face_removals)"
    )
    return not rows and not server.collections.faces


async def test_there_and_back_again_the_matches_are_the_same_and_nothing_is_left_there(
    album: Album, server: RekognitionServer, settings: RecognitionSettings, resources: Resources
) -> None:
    event = await album.event()
    guests = {person: await album.guest(event, person) for person in (1, 2, 3)}
    people = [(1, 2), (2, 3), (4,), (), (1,)]
    shown = {await album.picture(event, *some): some for some in people}
    truth = {
        (guest, photo)
        for person, guest in guests.items()
        for photo, some in shown.items()
        if person in some
    }
    async with running(EMBEDDED, settings, resources):
        await settled(album, EMBEDDED)
    assert await album.matches(event) == truth
    async with running(REKOGNITION, settings, resources):
        await settled(album, REKOGNITION)
        assert await album.matches(event) == truth
    # Each once, and one search for each face and guest at most: how many rounds they come in is
    # not said.
    assert server.count()["IndexFaces"] == len(people) + len(guests)
    assert server.count()["SearchFaces"] <= sum(map(len, people)) + len(guests)
    assert len(server.faces(f"event_{event}")) == sum(map(len, people)) + len(guests)
    async with running(EMBEDDED, settings, resources):
        await settled(album, EMBEDDED)
        assert await album.matches(event) == truth
        await eventually(partial(nothing_is_left, album, server))
    assert await album.scalar("SELECT count(*) FROM faces WHERE embedding IS NULL") == 0


async def test_what_was_left_there_is_erased_as_soon_as_there_are_credentials(
    album: Album,
    server: RekognitionServer,
    settings: RecognitionSettings,
    resources: Resources,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event, ended = await album.event(), await album.event()
    photo = await album.picture(event, 1, 2)
    await album.picture(ended, 1)
    async with running(REKOGNITION, settings, resources):
        await settled(album, REKOGNITION)
    await album.delete(photos, photo)
    await album.delete(events, ended)
    refused = metrics.AWS_FAULTS.labels("DeleteCollection", "refused")
    before = refused._value.get()
    with monkeypatch.context() as without:
        without.delenv("AWS_ACCESS_KEY_ID")
        without.delenv("AWS_SECRET_ACCESS_KEY")
        without.setenv("AWS_EC2_METADATA_DISABLED", "true")
        async with running(EMBEDDED, settings, resources):
            await eventually(lambda: refused._value.get() > before)
            # All else works.
            await album.guest(event, 3)
            await album.picture(event, 3)
            await settled(album, EMBEDDED)
        assert not await nothing_is_left(album, server)
    async with running(EMBEDDED, settings, resources):
        await eventually(partial(nothing_is_left, album, server))
