from sqlalchemy import func, update

from libs.common.database.tables import photos
from services.media.photos.known_photos import FRESH_SECONDS, KnownPhotos
from tests.media.world import World


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_photo_is_asked_for_again_after_a_second(world: World) -> None:
    photo = await world.photo(await world.event())
    clock = Clock()
    known = KnownPhotos(world.database, clock=clock)
    assert await known.of(photo.filename) is not None
    await world.delete_row(photo)
    assert await known.of(photo.filename) is not None
    clock.now += FRESH_SECONDS
    assert await known.of(photo.filename) is None


async def test_that_there_is_no_photo_is_not_kept(world: World) -> None:
    photo = await world.photo(await world.event())
    known = KnownPhotos(world.database, clock=Clock())
    await world.execute(
        update(photos)
        .where(photos.c.id == photo.id)
        .values(filename=func.concat("x", photo.filename))
    )
    assert await known.of(photo.filename) is None
    await world.execute(
        update(photos).where(photos.c.id == photo.id).values(filename=photo.filename)
    )
    assert await known.of(photo.filename) is not None
