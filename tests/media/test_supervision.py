"""What the service does in the background is missed when it ends, and begun again."""

import pytest

from libs.common.messaging.bus.in_process import InProcessBus
from libs.common.messaging.messages import PhotoDeleted
from libs.common.storage.folder import FolderStore
from services.media.settings import MediaSettings
from tests.media.world import running_world
from tests.support.polling import eventually
from tests.support.settings import settings_of
from tests.support.supervision import Breakage, becomes_ready, becomes_unready, end_subscription


async def test_a_cleanup_that_ends_is_missed_and_begun_again(
    database_url: str, folder_store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    breakage = Breakage(is_broken=False)
    monkeypatch.setattr(InProcessBus, "subscribe", breakage.of(InProcessBus.subscribe))
    async with running_world(settings_of(MediaSettings, database_url), folder_store) as world:
        event = await world.event()
        photo = await world.photo(event)

        breakage.is_broken, breakage.calls_since = True, 0
        end_subscription(world.bus, "findme.cleanup")
        await becomes_unready(world.app, "cleanup")
        breakage.is_broken = False
        await becomes_ready(world.app)
        await breakage.works_again()
        message = PhotoDeleted(event_id=event, photo_id=photo.id, filename=photo.filename)
        await world.bus.publish(message.outgoing())

        async def is_gone() -> bool:
            return await world.keys() == set()

        await eventually(is_gone)
