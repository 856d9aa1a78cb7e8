"""Rekognition's operations that we use: bounded, retried, counted, with types and names of ours."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from libs.common.errors import FindMeError, PermanentError, TransientError, Unavailable
from libs.common.telemetry import tracing
from services.recognition import metrics
from services.recognition.indexes.rekognition.retry import (
    MAX_ATTEMPTS,
    Fault,
    error_code,
    fault_of,
    pause_seconds,
)
from services.recognition.indexes.rekognition.usage import Usage

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 30
#: The service's own limits.
MAX_FACES_OF_PHOTO = 100
MAX_SEARCH_RESULTS = 4096

_USER = "user:"
_PHOTO = "photo:"

_BAD_INPUT = frozenset(
    {"ImageTooLargeException", "InvalidImageFormatException", "InvalidParameterException"}
)

log = structlog.get_logger(__name__)


class InputRefused(PermanentError):
    """The service cannot use this image, or does not know this face."""


class CollectionMissing(TransientError):
    """There is no collection of this name."""


class RekognitionFailed(Unavailable):
    """The service could not be used, for a reason that passes or an operator can remove."""


@dataclass(frozen=True, slots=True)
class FoundFace:
    """A face that was indexed; the box in fractions of the image, the confidence 0..1."""

    face_id: str
    left: float
    top: float
    width: float
    height: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Indexed:
    """The faces of an image, the largest first.

    `is_first` is False when an earlier attempt may have indexed the image as well.
    """

    faces: tuple[FoundFace, ...]
    is_first: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A face like the one searched for; similarity is 0 to 100."""

    face_id: str
    external_image_id: str
    similarity: float


@asynccontextmanager
async def open_rekognition(
    usage: Usage, *, region: str, endpoint_url: str | None, calls_at_once: int
) -> AsyncIterator["Rekognition"]:
    """Open the process's only client.

    Credentials come from botocore's usual places (environment, profile, instance role).
    """
    # 0.4 s of processor time to import, which only those who use the service spend.
    import aioboto3
    from aiobotocore.config import AioConfig

    config = AioConfig(
        max_pool_connections=calls_at_once,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        # Attempts are made, and counted, here.
        retries={"mode": "standard", "total_max_attempts": 1},
    )
    session = aioboto3.Session()
    async with session.client(
        "rekognition", region_name=region, endpoint_url=endpoint_url, config=config
    ) as client:
        yield Rekognition(client, usage, calls_at_once=calls_at_once)


class Rekognition:
    """The service. Make one with `open_rekognition`.

    All methods raise RekognitionFailed when the attempts are used up, and CollectionMissing.
    """

    def __init__(self, client: Any, usage: Usage, *, calls_at_once: int) -> None:  # noqa: ANN401  aioboto3 has no types
        self._client = client
        self._usage = usage
        self._calls = asyncio.Semaphore(calls_at_once)
        self.calls_at_once = calls_at_once

    async def create_collection(self, event_id: int, collection: str) -> None:
        """Make the event's collection; one that exists is taken as it is."""
        try:
            await self._call(
                "CreateCollection", event_id, "create_collection", {"CollectionId": collection}
            )
        except ClientError as error:
            if error_code(error) != "ResourceAlreadyExistsException":
                raise _translated(error) from error

    async def delete_collection(self, event_id: int, collection: str) -> None:
        """Delete the collection with all its faces; none is as good."""
        try:
            await self._call(
                "DeleteCollection", event_id, "delete_collection", {"CollectionId": collection}
            )
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise _translated(error) from error

    async def index_faces(
        self,
        event_id: int,
        collection: str,
        *,
        image: bytes,
        external_image_id: str,
        max_faces: int = MAX_FACES_OF_PHOTO,
    ) -> Indexed:
        """Index the image's largest faces. Raises InputRefused."""
        answer, unknown = await self._translating_call(
            "IndexFaces",
            event_id,
            "index_faces",
            {
                "CollectionId": collection,
                "Image": {"Bytes": image},
                "ExternalImageId": external_image_id,
                "MaxFaces": max_faces,
                "DetectionAttributes": ["DEFAULT"],
                "QualityFilter": "AUTO",
            },
        )
        faces = [_found_face(record["Face"]) for record in answer.get("FaceRecords", ())]
        faces.sort(key=lambda face: face.width * face.height, reverse=True)
        return Indexed(tuple(faces), is_first=unknown == 0)

    async def search_faces(
        self,
        event_id: int,
        collection: str,
        face_id: str,
        *,
        threshold: float,
        max_faces: int = MAX_SEARCH_RESULTS,
    ) -> list[Hit]:
        """Return the faces like this one, the most similar first, without itself.

        Raises InputRefused when the face is not in the collection (any more).
        """
        answer, _ = await self._translating_call(
            "SearchFaces",
            event_id,
            "search_faces",
            {
                "CollectionId": collection,
                "FaceId": face_id,
                "FaceMatchThreshold": threshold,
                "MaxFaces": max_faces,
            },
        )
        return [
            Hit(
                face_id=match["Face"]["FaceId"],
                external_image_id=match["Face"].get("ExternalImageId", ""),
                similarity=float(match["Similarity"]),
            )
            for match in answer.get("FaceMatches", ())
        ]

    async def delete_faces(self, event_id: int, collection: str, face_ids: Sequence[str]) -> None:
        """Delete up to 4,096 faces; those that are not there do not matter."""
        await self._translating_call(
            "DeleteFaces",
            event_id,
            "delete_faces",
            {"CollectionId": collection, "FaceIds": list(face_ids)},
        )

    async def _translating_call(
        self, operation: str, event_id: int, method: str, parameters: Mapping[str, object]
    ) -> tuple[Mapping[str, Any], int]:
        try:
            return await self._call(operation, event_id, method, parameters)
        except ClientError as error:
            raise _translated(error) from error

    async def _call(
        self, operation: str, event_id: int, method: str, parameters: Mapping[str, object]
    ) -> tuple[Mapping[str, Any], int]:
        """Call until it works; return the answer, and how many attempts' outcome is unknown.

        Raises the ClientError of a refusal. The pauses are made while holding the place among
        the concurrent calls: a service that throttles gets fewer.
        """
        unknown = 0
        async with self._calls:
            for attempt in range(1, MAX_ATTEMPTS + 1):
                try:
                    with (
                        metrics.AWS_SECONDS.labels(operation).time(),
                        tracing.detail(operation, event_id=event_id, attempt=attempt),
                    ):
                        answer = await getattr(self._client, method)(**parameters)
                except (ClientError, BotoCoreError, OSError, TimeoutError) as error:
                    fault = fault_of(error)
                    metrics.AWS_FAULTS.labels(operation, fault.name.lower()).inc()
                    if fault is Fault.UNKNOWN:
                        unknown += 1
                        self._usage.add(event_id, operation)
                    if isinstance(error, ClientError) and fault is Fault.REFUSED:
                        raise
                    if fault is Fault.REFUSED or attempt == MAX_ATTEMPTS:
                        msg = f"{operation} failed: {error}"
                        raise RekognitionFailed(msg) from error
                    log.info("aws_call_repeated", operation=operation, fault=fault.name)
                    # Not for secrets: it only keeps the replicas from coming back all at once.
                    await asyncio.sleep(pause_seconds(attempt, random.random()))  # noqa: S311
                else:
                    self._usage.add(event_id, operation)
                    return answer, unknown
        raise AssertionError("the last attempt returns or raises")


def user_image(user_id: int, selfie_id: int) -> str:
    """The ExternalImageId of a guest's selfie, of which there may be several."""
    return f"{_USER}{user_id}:{selfie_id}"


def photo_image(photo_id: int) -> str:
    """The ExternalImageId of a photo's faces."""
    return f"{_PHOTO}{photo_id}"


def photo_of(external_image_id: str) -> int | None:
    """The photo's id, None when the face is a guest's."""
    kind, _, number = external_image_id.partition(":")
    return int(number) if f"{kind}:" == _PHOTO and number.isdecimal() else None


def is_user(external_image_id: str) -> bool:
    """Whether the face is a guest's selfie."""
    return external_image_id.startswith(_USER)


def _translated(error: ClientError) -> FindMeError:
    code = error_code(error)
    if code in _BAD_INPUT:
        return InputRefused(f"Rekognition refused: {error}")
    if code == "ResourceNotFoundException":
        return CollectionMissing(str(error))
    return RekognitionFailed(f"Rekognition refused: {error}")


def _found_face(face: Mapping[str, Any]) -> FoundFace:
    box = face["BoundingBox"]
    return FoundFace(
        face_id=face["FaceId"],
        left=box["Left"],
        top=box["Top"],
        width=box["Width"],
        height=box["Height"],
        confidence=face["Confidence"] / 100,
    )
