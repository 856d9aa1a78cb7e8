"""What goes from the store with what was deleted: the cleanup queue. Twice is harmless."""

from functools import partial

from libs.common.errors import PermanentError
from libs.common.messaging.bus.protocol import Bus, Delivery
from libs.common.messaging.bus.subscriptions import LastingSubscription
from libs.common.messaging.bus.topology import Topology
from libs.common.messaging.messages import AccountDeleted, EventDeleted, PhotoDeleted, SelfieDeleted
from libs.common.storage import keys
from libs.common.storage.protocol import ObjectStore
from services.media.metrics import OBJECTS_CLEANED


async def cleaning(bus: Bus, topology: Topology, store: ObjectStore) -> LastingSubscription:
    """Begin to consume; the message in hand is finished at the end."""

    async def handle(delivery: Delivery) -> None:
        await clean_up(delivery, store=store)

    return await LastingSubscription.begin(partial(bus.subscribe, topology.cleanup, handle))


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


async def delete_photo_objects(message: PhotoDeleted, *, store: ObjectStore) -> None:
    """Remove the original and all renditions."""
    await store.delete(keys.photo_key(message.event_id, message.filename))
    await store.delete_prefix(keys.renditions_prefix(message.event_id, message.filename))
    OBJECTS_CLEANED.labels("photo").inc()


async def delete_selfie_object(message: SelfieDeleted, *, store: ObjectStore) -> None:
    """Remove the selfie. Raises PermanentError when the key is not the guest's own."""
    if not message.object_key.startswith(keys.user_prefix(message.user_id)):
        error = f"selfie {message.selfie_id} of user {message.user_id}: {message.object_key}"
        raise PermanentError(error)
    await store.delete(message.object_key)
    OBJECTS_CLEANED.labels("selfie").inc()


async def delete_event_objects(message: EventDeleted, *, store: ObjectStore) -> None:
    """Remove all photos and renditions of the event."""
    await store.delete_prefix(keys.event_prefix(message.event_id))
    OBJECTS_CLEANED.labels("event").inc()


async def delete_account_objects(message: AccountDeleted, *, store: ObjectStore) -> None:
    """Remove all selfies of the guest."""
    await store.delete_prefix(keys.user_prefix(message.user_id))
    OBJECTS_CLEANED.labels("account").inc()
