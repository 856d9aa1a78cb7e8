"""Who may take which photos along is asked again while they are sent."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, update

from libs.common.database.tables import downloads, events, photos, users
from libs.common.web.auth import Role
from services.media.archives import rights
from tests.media.archives.archives import LARGE, opened, owned
from tests.media.world import Photo, World
from tests.support.people import Person
from tests.support.slow_clients import clients_of


async def test_guests_take_along_what_they_may_see_at_that_moment(world: World) -> None:
    _, found = await owned(world, b"seen", b"hidden", b"hidden, with the guest")
    event = found[0].event_id
    guest = await world.person(joined=event)
    await world.execute(
        update(photos)
        .where(photos.c.id.in_([p.id for p in found[1:]]))
        .values(show_in_general=False)
    )
    await world.match(guest, event, [found[2].id], await world.insert_selfie(guest))
    link = await world.download(guest, found)
    assert list(opened(await world.client.get(link)).values()) == [
        b"seen",
        b"hidden, with the guest",
    ]
    stranger = await world.person()
    assert (await world.client.get(await world.download(stranger, found))).status_code == 410


async def test_a_link_ends_with_its_account_its_event_and_its_time(world: World) -> None:
    owner, found = await owned(world, b"one")
    guest = await world.person(joined=found[0].event_id)
    theirs, owners = [await world.download(person, found) for person in (guest, owner)]
    for link in (theirs, owners):
        assert (await world.client.get(link)).status_code == 200
        for forged in (
            link.replace("s=", "s=A"),
            link.partition("?")[0],
            link.replace("e=", "e=9"),
        ):
            assert (await world.client.get(forged)).status_code == 403
    await world.execute(update(events).values(expires_at=func.now() - timedelta(seconds=1)))
    assert (await world.client.get(theirs)).status_code == 410
    assert (await world.client.get(owners)).status_code == 200
    await world.execute(update(users).where(users.c.id == owner.id).values(is_active=False))
    assert (await world.client.get(owners)).status_code == 410
    await world.execute(update(users).values(is_active=True))
    await world.execute(update(downloads).values(expires_at=func.now()))
    assert (await world.client.get(owners)).status_code == 410


async def test_an_account_that_is_locked_gets_no_more_of_an_archive(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rights, "ASKED_EVERY_SECONDS", 0)
    owner, found = await owned(world, *[LARGE] * 8)
    link = await world.download(owner, found)
    size = int((await world.client.head(link)).headers["content-length"])
    async with clients_of(str(world.client.base_url), 1) as (client,):
        await client.get(link)
        await client.read(65_536)
        await world.execute(update(users).values(is_active=False))
        assert len(await client.read_to_the_end()) < size


async def _hide_last(found: list[Photo], _: Person, world: World) -> None:
    hidden = update(photos).where(photos.c.id == found[-1].id).values(show_in_general=False)
    await world.execute(hidden)


async def _switch_copies_on(_: list[Photo], __: Person, world: World) -> None:
    await world.execute(update(events).values(strip_metadata=True))


async def _change_role(_: list[Photo], person: Person, world: World) -> None:
    role = Role.ADMIN.value
    await world.execute(update(users).where(users.c.id == person.id).values(user_type=role))


async def _give_event_away(_: list[Photo], __: Person, world: World) -> None:
    other = await world.person(Role.PHOTOGRAPHER)
    await world.execute(update(events).values(photographer_id=other.id))


@pytest.mark.parametrize(
    ("is_owner", "change"),
    [
        (False, _hide_last),
        (False, _switch_copies_on),
        (False, _change_role),
        (True, _give_event_away),
    ],
)
async def test_who_may_get_less_than_when_it_began_gets_no_more_of_an_archive(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    is_owner: bool,
    change: Callable[[list[Photo], Person, World], Awaitable[None]],
) -> None:
    monkeypatch.setattr(rights, "ASKED_EVERY_SECONDS", 0)
    owner, found = await owned(world, *[LARGE] * 8)
    person = owner if is_owner else await world.person(joined=found[0].event_id)
    link = await world.download(person, found)
    size = int((await world.client.head(link)).headers["content-length"])
    async with clients_of(str(world.client.base_url), 1) as (client,):
        await client.get(link)
        await client.read(65_536)
        await change(found, person, world)
        assert len(await client.read_to_the_end()) < size
