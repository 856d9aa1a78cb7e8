"""More than 200 files that nobody can use, by every way of upload."""

import gc
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from libs.common.storage.keys import photo_key
from services.ingest.settings import IngestSettings
from services.recognition.engine.decode import decode
from services.recognition.engine.face_engine import UndecodablePhoto
from tests.ingest.conftest import new_gallery, running_ingest
from tests.ingest.ways import WAYS
from tests.support.hostile_uploads import hostile_uploads
from tests.support.image_files import image_file
from tests.support.stores import opened

#: Whether a file can be used is told from its bytes, before a store has the whole of it: all are
#: sent to a folder, and to S3 as many as show that it keeps nothing of them.
SAMPLE = 8
#: Twice all of them leave no more than this behind in memory.
MOST_GROWTH_BYTES = 24 * 1024 * 1024


def resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@cache
def what_is_told(content: bytes) -> str:
    """Return why the photo's analysis fails, or what is wrong with what there is of it."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "photo")
        path.write_bytes(content)
        try:
            return decode(path).note or ""
        except UndecodablePhoto as error:
            return str(error)


@cache
def all_files() -> Mapping[str, bytes]:
    return dict(hostile_uploads())


def some_files() -> Mapping[str, bytes]:
    """A sample, of every kind some."""
    return dict(list(all_files().items())[::SAMPLE])


def test_there_are_more_than_two_hundred_of_them() -> None:
    files = all_files()
    assert len(files) >= 200
    assert len(set(files.values())) >= 200


# As in production: what Pillow warns of is no error there.
@pytest.mark.filterwarnings("default::UserWarning:PIL")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("kind", "files_of"),
    [
        pytest.param("folder", all_files, id="folder"),
        pytest.param("s3", some_files, id="s3"),
        pytest.param("s3", all_files, id="s3-long", marks=pytest.mark.long),
    ],
)
async def test_a_file_that_nobody_can_use_is_refused_or_fails_and_leaves_nothing(
    kind: str,
    files_of: Callable[[], Mapping[str, bytes]],
    way: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    settings: IngestSettings,
) -> None:
    files = files_of()
    async with AsyncExitStack() as stack:
        open_store = await stack.enter_async_context(opened(kind, request, tmp_path))
        ingest = await stack.enter_async_context(running_ingest(settings, open_store.store))
        gallery = await new_gallery(ingest)
        send = await stack.enter_async_context(WAYS[way](gallery))
        wrong: dict[str, object] = {}
        taken: dict[int, str] = {}

        async def send_all() -> None:
            for name, content in files.items():
                answer = await send(gallery, name, content)
                if answer.photo_id is not None:
                    taken[answer.photo_id] = name
                elif not (400 <= answer.status < 500 and answer.reason.endswith(".")):
                    wrong[name] = answer

        await send_all()
        before = resident_bytes()
        await send_all()
        growth = resident_bytes() - before
        assert wrong == {}
        assert growth < MOST_GROWTH_BYTES

        # The header of some is whole: these are photos whose analysis fails, or shows a part.
        photos = {photo.id: photo for photo in await ingest.photos()}
        assert photos.keys() == taken.keys()
        keys = {photo_key(gallery.event_id, photo.filename) for photo in photos.values()}
        assert set(await ingest.objects()) == keys
        assert await open_store.probe.unfinished() == 0
        for photo_id, name in taken.items():
            if not what_is_told(files[name]).endswith("."):
                wrong[name] = "it counts as whole"
            assert photos[photo_id].size_bytes == len(files[name])
        assert wrong == {}
        assert (await send(gallery, "good.jpg", image_file())).photo_id is not None
