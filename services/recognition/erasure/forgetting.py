"""Every replica drops from its memory what was deleted, whoever owns the event's partition now."""

from libs.common.messaging.bus.protocol import Bus, Delivery, Subscription
from libs.common.messaging.bus.subscriptions import LastingSubscription
from libs.common.messaging.messages import EventDeleted, SelfieDeleted
from services.recognition.indexes.face_index import FaceIndex

PATTERNS = (f"{SelfieDeleted.topic}.*", f"{EventDeleted.topic}.*")


async def forgetting(bus: Bus, index: FaceIndex) -> LastingSubscription:
    """Begin to listen; after a gap nothing in memory is trusted."""

    async def handle(delivery: Delivery) -> None:
        topic, _, _ = delivery.routing_key.rpartition(".")
        if topic == EventDeleted.topic:
            index.forget(EventDeleted.decode(delivery.body).event_id)
        else:
            message = SelfieDeleted.decode(delivery.body)
            index.forget(message.event_id, message.selfie_id)

    async def on_gap() -> None:
        index.forget_all()

    async def listen() -> Subscription:
        subscription = await bus.listen(PATTERNS, handle, on_gap=on_gap)
        # Until now nobody listened.
        index.forget_all()
        return subscription

    return await LastingSubscription.begin(listen)
