"""What guests, photographers and admins delete is gone: proved by looking everywhere."""

from services.recognition.indexes.embedded.index import EmbeddedIndex
from tests.erasure.party import Party
from tests.support.polling import eventually


def in_memory(party: Party, event_id: int) -> list[int]:
    index = party.services.recognition.state.index
    return index.knows(event_id) if isinstance(index, EmbeddedIndex) else []


async def test_nothing_is_left_of_a_selfie_an_account_or_an_event(party: Party) -> None:
    event, other = await party.event(party.photographer), await party.event(party.photographer)
    ann, bob = await party.guest(1, event, other), await party.guest(2, event)
    only_here = await party.guest(5, event)
    stays = await party.guest(13, other)
    await party.settled()
    # Nobody is in photos of both: their faces could not be told apart.
    for one, people in ((event, ([1, 2], [2, 3], [5, 6])), (other, ([12, 13], [14, 15]))):
        assert (await party.upload(one, *people)).json()["enqueued"] == len(people)
    begun = await party.begin_upload(event)
    await party.settled()
    listed = (await party.call("GET", "/api/my-photos", ann)).json()
    assert len(listed) == 1
    shown = await party.services.client.get(listed[0]["thumbnail_url"])
    assert shown.status_code == 200

    of_selfie = await party.all_of_selfies(ann, 1)
    of_account = await party.all_of_account(bob, 2)
    of_event = [*await party.all_of_event(event), begun]
    # What is looked for can be found.
    for needles, tables in (
        (of_selfie, {"selfies", "selfie_indexes", "matches"}),
        (of_account, {"users", "memberships", "selfies", "selfie_indexes", "matches"}),
        (
            of_event,
            {
                "events",
                "photos",
                "faces",
                "upload_digests",
                "memberships",
                "resumable_uploads",
            },
        ),
    ):
        found = await party.traces(needles)
        assert tables <= {place.partition(".")[0] for place in found}
        assert any(place.startswith("store: ") for place in found)
        assert party.server is None or any(place.startswith("event_") for place in found)

    assert (await party.call("DELETE", "/api/my-selfie", ann)).status_code == 200
    await party.nothing_is_left(of_selfie)
    assert (await party.call("GET", "/api/my-photos", ann)).json() == []

    assert (await party.call("DELETE", "/api/me", bob)).status_code == 200
    await party.nothing_is_left(of_account)
    assert (await party.call("GET", "/api/me", bob)).status_code == 401

    deleted = await party.call("DELETE", f"/api/admin/events/{event}", party.admin)
    assert deleted.status_code == 200
    await party.nothing_is_left(of_event)
    await eventually(lambda: in_memory(party, event) == [])
    assert (await party.services.client.get(listed[0]["thumbnail_url"])).status_code == 404
    assert (await party.upload(event, [1])).status_code == 404

    # Who was in that event only keeps the picture, which serves for the next one.
    code = await party.scalar("SELECT event_code FROM events WHERE id = :id", id=other)
    joined = await party.call("POST", "/api/join-event", only_here, json={"event_code": code})
    assert joined.status_code == 200, joined.text
    await party.settled()
    indexed = "SELECT status FROM selfie_indexes WHERE user_id = :id"
    assert await party.scalar(indexed, id=only_here.id) == "done"

    # The other event is as it was.
    photos = (await party.call("GET", "/api/my-photos", stays)).json()
    assert len(photos) == 1
    assert (await party.services.client.get(photos[0]["thumbnail_url"])).status_code == 200
