import pytest

from libs.common.errors import PermanentError
from libs.common.messaging.bus.protocol import Delivery
from libs.common.messaging.messages import (
    AccountDeleted,
    EventDeleted,
    Message,
    PhotoDeleted,
    SelfieDeleted,
)
from libs.common.storage import keys
from services.media.consumers import clean_up
from tests.media.world import World
from tests.support.dead_letters import dead_letters
from tests.support.polling import eventually


async def _publish(world: World, message: Message) -> None:
    await world.bus.publish(message.outgoing())


async def test_a_deleted_photo_takes_its_original_and_renditions_with_it(any_world: World) -> None:
    event = await any_world.event()
    photo, other = await any_world.photo(event), await any_world.photo(event)
    for one in (photo, other):
        for name in ("thumbnail", "preview"):
            await any_world.store.put(one.rendition_key(name), b"x", content_type="image/webp")
    kept = {other.key, other.rendition_key("thumbnail"), other.rendition_key("preview")}

    message = PhotoDeleted(event_id=event, photo_id=photo.id, filename=photo.filename)
    await _publish(any_world, message)
    await _publish(any_world, message)

    async def only_the_other_is_left() -> bool:
        return await any_world.keys() == kept

    await eventually(only_the_other_is_left)


async def test_a_deleted_selfie_goes_and_the_new_one_stays(any_world: World) -> None:
    guest = await any_world.person()
    old, new = await any_world.selfie(guest), await any_world.selfie(guest)

    message = SelfieDeleted(event_id=1, user_id=guest.id, selfie_id=1, object_key=old)
    await _publish(any_world, message)
    await _publish(any_world, message)

    async def only_the_new_is_left() -> bool:
        return await any_world.keys() == {new}

    await eventually(only_the_new_is_left)


async def test_a_deleted_event_or_account_takes_its_whole_folder_and_no_other(
    any_world: World,
) -> None:
    gone, kept = await any_world.event(), await any_world.event()
    guest, other = await any_world.person(), await any_world.person()
    selfies = {person.id: await any_world.selfie(person) for person in (guest, other)}
    photos = {event: await any_world.photo(event) for event in (gone, kept)}
    for photo in photos.values():
        await any_world.store.put(photo.rendition_key("preview"), b"x", content_type="image/webp")

    await _publish(any_world, EventDeleted(event_id=gone))
    await _publish(any_world, AccountDeleted(event_id=kept, user_id=guest.id))

    async def only_the_others_are_left() -> bool:
        left = {selfies[other.id], photos[kept].key, photos[kept].rendition_key("preview")}
        return await any_world.keys() == left

    await eventually(only_the_others_are_left)


async def test_a_message_cannot_delete_what_is_not_the_guest_s(world: World) -> None:
    photo = await world.photo(await world.event())

    for key in (photo.key, keys.selfie_key(77, "a.jpg"), keys.user_prefix(7)):
        await _publish(world, SelfieDeleted(event_id=1, user_id=7, selfie_id=1, object_key=key))

    assert len(await dead_letters(world.bus, 3)) == 3
    assert await world.keys() == {photo.key}


async def test_a_message_of_another_kind_is_set_aside_and_changes_nothing(world: World) -> None:
    photo = await world.photo(await world.event())
    stray = PhotoDeleted(event_id=photo.event_id, photo_id=photo.id, filename=photo.filename)
    delivery = Delivery("findme.cleanup", "photo.uploaded.07", stray.outgoing().body, "1", 1, False)

    with pytest.raises(PermanentError):
        await clean_up(delivery, store=world.store)

    assert await world.keys() == {photo.key}


async def test_cleaning_up_an_event_message_by_message_reaches_the_end(world: World) -> None:
    event = await world.event()
    photos = [await world.photo(event) for _ in range(20)]

    for photo in photos:
        await _publish(
            world, PhotoDeleted(event_id=event, photo_id=photo.id, filename=photo.filename)
        )

    async def nothing_is_left() -> bool:
        return not await world.keys()

    await eventually(nothing_is_left)
