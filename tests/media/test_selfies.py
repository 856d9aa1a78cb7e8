from libs.common.web.auth import Role
from tests.media.world import World


async def test_the_owner_the_photographer_and_admins_see_a_selfie(any_world: World) -> None:
    photographer = await any_world.person(Role.PHOTOGRAPHER)
    guest = await any_world.person(joined=await any_world.event(photographer))
    await any_world.selfie(guest)

    for person in (guest, photographer, await any_world.person(Role.ADMIN)):
        answer = await any_world.client.get(f"/api/selfie/{guest.id}", headers=person.headers)

        assert answer.status_code == 200
        assert answer.content == b"the selfie's bytes"
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "private, no-cache"


async def test_nobody_else_learns_whether_there_is_a_selfie(world: World) -> None:
    event = await world.event()
    guest, neighbour = await world.person(joined=event), await world.person(joined=event)
    other_photographer = await world.person(Role.PHOTOGRAPHER)
    await world.event(other_photographer)
    await world.selfie(guest)

    for person in (neighbour, other_photographer):
        answer = await world.client.get(f"/api/selfie/{guest.id}", headers=person.headers)

        assert answer.status_code == 404
        assert answer.json() == {"detail": "Selfie not found"}
    assert (await world.client.get(f"/api/selfie/{guest.id}")).status_code == 401


async def test_without_a_selfie_there_is_nothing_to_see(world: World) -> None:
    guest = await world.person()

    answer = await world.client.get(f"/api/selfie/{guest.id}", headers=guest.headers)

    assert answer.status_code == 404


async def test_a_new_selfie_shows_at_the_next_look_and_an_old_one_costs_no_bytes(
    world: World,
) -> None:
    guest = await world.person()
    path = f"/api/selfie/{guest.id}"
    await world.selfie(guest, b"the first selfie")
    etag = (await world.client.get(path, headers=guest.headers)).headers["etag"]
    known = guest.headers | {"If-None-Match": etag}

    assert (await world.client.get(path, headers=known)).status_code == 304
    await world.selfie(guest, b"the other selfie")
    assert (await world.client.get(path, headers=known)).content == b"the other selfie"


async def test_head_tells_the_size_of_a_selfie(world: World) -> None:
    guest = await world.person()
    await world.selfie(guest, b"12345")

    answer = await world.client.head(f"/api/selfie/{guest.id}", headers=guest.headers)

    assert (answer.status_code, answer.headers["content-length"]) == (200, "5")


async def test_of_several_selfies_a_certain_one_can_be_seen(world: World) -> None:
    guest, other = await world.person(), await world.person()
    for content in (b"with glasses", b"without"):
        await world.selfie(guest, content)
    await world.selfie(other)
    first = await world.scalar("SELECT min(id) FROM selfies")
    path = f"/api/selfie/{guest.id}"

    answer = await world.client.get(f"{path}?selfie_id={first}", headers=guest.headers)
    assert answer.content == b"with glasses"
    assert (await world.client.get(path, headers=guest.headers)).content == b"without"
    others = await world.client.get(f"{path}?selfie_id={first + 2}", headers=guest.headers)
    assert others.status_code == 404
