"""The cleanup queue: decode, call, and let the bus settle."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.common.errors import PermanentError
from libs.common.messaging.bus.protocol import Bus, Delivery
from libs.common.messaging.bus.running import stop_all
from libs.common.messaging.bus.topology import Topology
from libs.common.messaging.messages import AccountDeleted, EventDeleted, PhotoDeleted, SelfieDeleted
from libs.common.storage.protocol import ObjectStore
from services.media.delete_objects import (
    delete_account_objects,
    delete_event_objects,
    delete_photo_objects,
    delete_selfie_object,
)


@asynccontextmanager
async def consuming(bus: Bus, topology: Topology, store: ObjectStore) -> AsyncIterator[None]:
    """Consume for the life of the block; the message in hand is finished at its end."""

    async def handle(delivery: Delivery) -> None:
        await clean_up(delivery, store=store)

    subscription = await bus.subscribe(topology.cleanup, handle)
    try:
        yield
    finally:
        await stop_all([subscription])


async def clean_up(delivery: Delivery, *, store: ObjectStore) -> None:
    """Handle one message of the cleanup queue."""
    topic = delivery.routing_key.rpartition(".")[0]
    if topic == PhotoDeleted.topic:
        await delete_photo_objects(PhotoDeleted.decode(delivery.body), store=store)
    elif topic == SelfieDeleted.topic:
        await delete_selfie_object(SelfieDeleted.decode(delivery.body), store=store)
    elif topic == EventDeleted.topic:
        await delete_event_objects(EventDeleted.decode(delivery.body), store=store)
    elif topic == AccountDeleted.topic:
        await delete_account_objects(AccountDeleted.decode(delivery.body), store=store)
    else:
        raise PermanentError(f"the cleanup queue is not for {delivery.routing_key}")
