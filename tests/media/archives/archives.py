"""What the suites of archives share."""

import io
import zipfile

import httpx

from libs.common.web.auth import Role
from tests.media.world import Photo, World
from tests.support.people import Person

LARGE = bytes(range(251)) * 16_000


async def owned(
    world: World, *contents: bytes, strip_metadata: bool = False
) -> tuple[Person, list[Photo]]:
    """A photographer with an event of these photos."""
    owner = await world.person(Role.PHOTOGRAPHER)
    event_id = await world.event(owner, strip_metadata=strip_metadata)
    return owner, [await world.photo(event_id, data) for data in contents]


def opened(answer: httpx.Response) -> dict[str, bytes]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-length"] == str(len(answer.content))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}
