"""The test server against botocore's client: it must be as strict as the service."""

from collections.abc import AsyncIterator
from typing import Any

import aioboto3
import pytest
from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError

from tests.support.rekognition.pictures import picture_of
from tests.support.rekognition_server import Fault, RekognitionServer

COLLECTION = {"CollectionId": "event_1"}
PICTURE = {"Bytes": picture_of([1, 2, 3])}
UNKNOWN_FACE = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def client(server: RekognitionServer) -> AsyncIterator[Any]:
    config = AioConfig(parameter_validation=False, retries={"total_max_attempts": 1})
    async with aioboto3.Session().client(
        "rekognition", region_name="eu-central-1", endpoint_url=server.url, config=config
    ) as client:
        await client.create_collection(**COLLECTION)
        yield client


# aiohttp's advice about bodies above 1 MB, which botocore cannot follow.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        ("create_collection", {"CollectionId": "no spaces"}, "InvalidParameterException"),
        ("create_collection", {"CollectionId": "x" * 256}, "InvalidParameterException"),
        ("create_collection", COLLECTION, "ResourceAlreadyExistsException"),
        ("delete_collection", {"CollectionId": "other"}, "ResourceNotFoundException"),
        ("index_faces", COLLECTION, "InvalidParameterException"),
        (
            "index_faces",
            {**COLLECTION, "Image": PICTURE, "ExternalImageId": "photo/1"},
            "InvalidParameterException",
        ),
        (
            "index_faces",
            {**COLLECTION, "Image": PICTURE, "MaxFaces": 101},
            "InvalidParameterException",
        ),
        (
            "index_faces",
            {**COLLECTION, "Image": PICTURE, "MaxFaces": 0},
            "InvalidParameterException",
        ),
        (
            "index_faces",
            {**COLLECTION, "Image": {"Bytes": b"GIF89a"}},
            "InvalidImageFormatException",
        ),
        (
            "index_faces",
            {**COLLECTION, "Image": {"Bytes": b"x" * (5 * 1024 * 1024 + 1)}},
            "ImageTooLargeException",
        ),
        (
            "search_faces",
            {**COLLECTION, "FaceId": UNKNOWN_FACE, "MaxFaces": 4097},
            "InvalidParameterException",
        ),
        ("search_faces", {**COLLECTION, "FaceId": UNKNOWN_FACE}, "InvalidParameterException"),
        ("search_faces", {**COLLECTION, "FaceId": "no id"}, "InvalidParameterException"),
        (
            "delete_faces",
            {**COLLECTION, "FaceIds": [UNKNOWN_FACE] * 4097},
            "InvalidParameterException",
        ),
        ("delete_faces", {**COLLECTION, "FaceIds": []}, "InvalidParameterException"),
        ("list_collections", {}, "UnknownOperationException"),
    ],
)
async def test_what_the_service_refuses_is_refused(
    client: Any, method: str, parameters: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as raised:
        await getattr(client, method)(**parameters)
    assert raised.value.response["Error"]["Code"] == code


async def test_faces_are_found_by_likeness_without_the_face_itself(client: Any) -> None:
    indexed = await client.index_faces(**COLLECTION, Image=PICTURE, ExternalImageId="photo:1")
    again = await client.index_faces(
        **COLLECTION, Image={"Bytes": picture_of([2])}, ExternalImageId="user:2:1"
    )
    faces = [record["Face"]["FaceId"] for record in indexed["FaceRecords"]]
    found = await client.search_faces(
        **COLLECTION, FaceId=again["FaceRecords"][0]["Face"]["FaceId"], FaceMatchThreshold=90
    )
    assert [match["Face"]["FaceId"] for match in found["FaceMatches"]] == [faces[1]]
    assert found["FaceMatches"][0]["Similarity"] > 99


async def test_only_the_largest_faces_are_indexed(client: Any) -> None:
    indexed = await client.index_faces(**COLLECTION, Image=PICTURE, MaxFaces=1)
    assert len(indexed["FaceRecords"]) == 1
    assert len(indexed["UnindexedFaces"]) == 2


async def test_an_injected_fault_is_one_calls(client: Any, server: RekognitionServer) -> None:
    server.fail("IndexFaces", Fault.ANSWER_LOST)
    with pytest.raises(ClientError, match="InternalServerError"):
        await client.index_faces(**COLLECTION, Image=PICTURE)
    assert len(server.faces("event_1")) == 3
    await client.index_faces(**COLLECTION, Image=PICTURE)
    assert len(server.faces("event_1")) == 6
