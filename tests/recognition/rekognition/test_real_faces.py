"""The whole way with real faces: the server sees and compares by the embedded engine."""

import io
from pathlib import Path

from PIL import Image

from libs.common.resources import open_resources
from services.recognition.settings import RecognitionSettings
from tests.recognition.conftest import running_recognition
from tests.support.faces import astronaut, grace_hopper
from tests.support.rekognition.album import Album
from tests.support.rekognition.sight import real_likeness, real_sight
from tests.support.rekognition_server import running_rekognition
from tests.support.settings import of_all_services, settings_of


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def side_by_side(*images: Image.Image) -> Image.Image:
    whole = Image.new("RGB", (sum(image.width for image in images), 600), "gray")
    left = 0
    for image in images:
        whole.paste(image, (left, 0))
        left += image.width
    return whole


async def test_a_guest_finds_the_photos_they_are_in(
    database_url: str, tmp_path: Path, aws_credentials: None
) -> None:
    async with running_rekognition(sight=real_sight(), likeness=real_likeness) as server:
        settings = settings_of(
            RecognitionSettings,
            database_url,
            photo_store_dir=tmp_path / "objects",
            photo_queue_workers=1,
            face_recognizer_provider="rekognition",
            rekognition_endpoint_url=server.url,
        )
        async with open_resources(of_all_services(settings), name="test") as resources:
            album = Album(resources.database, resources.store)
            async with running_recognition(settings, resources):
                event, guest = await album.event(), await album.user()
                await album.join(guest, event)
                await album.selfie(guest, jpeg(astronaut()))
                both = await album.photo(event, jpeg(side_by_side(grace_hopper(), astronaut())))
                await album.photo(event, jpeg(grace_hopper()))
                await album.settled()
                assert await album.matches(event) == {(guest, both)}
