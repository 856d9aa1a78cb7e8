"""The document of the messages: valid, and complete."""

import json

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from typer.testing import CliRunner

from cli.app import app
from libs.common.messaging.asyncapi import Node, all_messages, asyncapi_document
from libs.common.messaging.bus.topology import findme_topology, matches
from libs.common.messaging.messages import Message, PhotoMatched, PhotoUploaded
from tests.support.node import NODE_MODULES, require_node

TOPOLOGY = findme_topology()


@pytest.fixture(scope="module")
def found() -> Node:
    return asyncapi_document(TOPOLOGY)


@pytest.fixture(scope="module")
def official() -> Draft7Validator:
    """AsyncAPI's own schema; its parts are found by their ids within it."""
    require_node()
    path = NODE_MODULES / "@asyncapi/specs/schemas/3.0.0-without-$id.json"
    return Draft7Validator(json.loads(path.read_text()))


def test_it_is_as_the_specification_asks(found: Node, official: Draft7Validator) -> None:
    errors = [f"{error.json_path}: {error.message}" for error in official.iter_errors(found)]
    assert errors == []


def test_the_specification_refuses_what_is_not(found: Node, official: Draft7Validator) -> None:
    operation = {"action": "shout", "channel": {"$ref": "#/channels/photo.uploaded"}}
    assert not official.is_valid(found | {"operations": {"odd": operation}})


def test_every_message_has_a_channel_a_sender_and_a_receiver(found: Node) -> None:
    assert len(all_messages()) == len(found["components"]["messages"]) > 10
    for kind in all_messages():
        assert found["channels"][kind.topic]["address"] == f"{kind.topic}.{{bucket}}"
        does = {
            operation["action"]
            for operation in found["operations"].values()
            if any(kind.__name__ == one["$ref"].split("/")[-1] for one in operation["messages"])
            and operation["channel"]["$ref"] != "#/channels/findme.dlq"
        }
        assert does == {"send", "receive"}, kind


def test_every_queue_has_a_channel_with_the_messages_that_it_is_bound_to(found: Node) -> None:
    assert len(TOPOLOGY.queues) > 20
    for queue in TOPOLOGY.queues:
        channel = found["channels"][queue.name]
        topics = {kind.topic for kind in all_messages() if kind.__name__ in channel["messages"]}
        bound = {
            kind.topic
            for kind in all_messages()
            for pattern in queue.bindings
            if matches(pattern, f"{kind.topic}.{pattern.rpartition('.')[2]}")
        }
        assert topics == bound
        assert topics
        # A binding without a message would be a queue for nothing.
        assert {pattern.rpartition(".")[0] for pattern in queue.bindings} == topics


@pytest.mark.parametrize(
    "message",
    [
        PhotoUploaded(event_id=3, photo_id=7),
        PhotoMatched(event_id=3, photo_id=7, user_ids=(1, 2)),
    ],
)
def test_what_is_sent_is_as_documented(found: Node, message: Message) -> None:
    schema = found["components"]["schemas"][type(message).__name__]
    validator = Draft202012Validator(schema | {"components": found["components"]})
    sent = json.loads(message.outgoing().body)
    assert validator.is_valid(sent)
    assert set(sent) == set(schema["properties"])


def test_every_reference_has_its_end(found: Node) -> None:
    for operation in found["operations"].values():
        for reference in (operation["channel"], *operation["messages"]):
            end = found
            for part in reference["$ref"].removeprefix("#/").split("/"):
                end = end[part]
            assert end


def test_the_command_prints_it(found: Node) -> None:
    assert json.loads(CliRunner().invoke(app, ["asyncapi"]).output) == found
