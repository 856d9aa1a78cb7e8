"""An event of 20,000 photos, as rows and thumbnails: what a long grid is drawn from."""

import os
from pathlib import Path

from PIL import Image
from sqlalchemy import select, text

from benchmarks.stored_event import PHOTOS
from libs.common.database.tables import photos as photos_table
from libs.common.database.tables import users
from libs.common.storage.keys import renditions_prefix
from standalone.data_dir import objects_dir
from standalone.operators import add_event, operator_database
from standalone.settings import StandaloneSettings

#: As thumbnails of photos of 4 by 3 are.
THUMBNAIL_SIZE = (400, 300)


async def add_crowded_event(settings: StandaloneSettings, photographer: str, *, photos: int) -> str:
    """Make the event; return its code. Its thumbnails are one file, by 20,000 names."""
    async with operator_database(settings) as database:
        made = await add_event(
            database, name="The whole city", photographer=photographer, code=None, days=90
        )
        async with database.unit_of_work() as unit:
            owner = await unit.connection.scalar(
                select(users.c.id).where(users.c.username == photographer)
            )
            await unit.connection.execute(
                text(PHOTOS), {"event": made.event_id, "photographer": owner, "photos": photos}
            )
            chosen = select(photos_table.c.filename)
            found = await unit.connection.execute(
                chosen.where(photos_table.c.event_id == made.event_id)
            )
            names: list[str] = [row.filename for row in found]
    objects = objects_dir(settings.data_dir)
    thumbnail = objects / "thumbnail.webp"
    Image.effect_noise(THUMBNAIL_SIZE, 60).convert("RGB").save(thumbnail, quality=60)
    for name in names:
        folder = objects / renditions_prefix(made.event_id, name)
        _link(thumbnail, folder)
    return made.event_code


def _link(thumbnail: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    os.link(thumbnail, folder / "thumbnail.webp")
