import json

import pytest
from pydantic import ValidationError

from libs.common.messaging.messages import PhotoMatched, PhotoUploaded, SelfieDeleted


def test_a_message_is_read_as_it_was_sent() -> None:
    message = PhotoMatched(event_id=1, photo_id=2, user_ids=(3, 4), is_first_match=False)

    assert PhotoMatched.decode(message.outgoing().body) == message


def test_replicas_of_the_version_before_read_a_match_and_are_read() -> None:
    message = PhotoMatched(event_id=1, photo_id=2, user_ids=(3,), is_first_match=False)
    theirs = b'{"version":1,"event_id":1,"photo_id":2,"user_ids":[3],"is_news":false}'

    assert json.loads(message.outgoing().body) == json.loads(theirs)
    assert PhotoMatched.decode(theirs) == message


def test_a_field_that_is_new_is_ignored() -> None:
    assert PhotoUploaded.decode(b'{"event_id":1,"photo_id":2,"colour":"red"}').photo_id == 2


def test_a_photo_that_waits_behind_many_of_its_event_goes_by_a_way_of_its_own() -> None:
    first, behind = (
        PhotoUploaded(event_id=1, photo_id=2, in_bulk=in_bulk) for in_bulk in (False, True)
    )
    assert (first.routing_key, behind.routing_key) == ("photo.uploaded.07", "photo.uploaded.23")
    assert PhotoUploaded.decode(behind.outgoing().body) == behind
    # Of a release before.
    assert not PhotoUploaded.decode(b'{"event_id":1,"photo_id":2}').in_bulk


@pytest.mark.parametrize("number", [-1, 2**63, 10**30])
def test_an_id_that_no_row_can_have_is_refused_when_it_is_read(number: int) -> None:
    with pytest.raises(ValidationError):
        PhotoUploaded.decode(json.dumps({"event_id": 1, "photo_id": number}).encode())


def test_a_selfie_that_no_event_knows_is_told_of_all_the_same() -> None:
    (message,) = SelfieDeleted.for_events([], user_id=1, selfie_id=2, object_key="k")

    assert message.event_id == SelfieDeleted.no_event_id
