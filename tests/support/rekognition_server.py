"""A server that speaks Rekognition's protocol, so that the real client runs against it."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, OperationNotFoundError
from fastapi import FastAPI, Request, Response

from tests.support.http_server import serving
from tests.support.rekognition.aws_json import (
    Invalid,
    decode_request,
    encode_answer,
    service_model,
)
from tests.support.rekognition.collections import Collections, ServiceError
from tests.support.rekognition.sight import Likeness, Sight, cosine_likeness, see_people

CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET_PREFIX = "RekognitionService."


class Fault(Enum):
    """How a call can fail; the value is the error's name and status."""

    THROTTLED = ("ThrottlingException", 400)
    THROUGHPUT = ("ProvisionedThroughputExceededException", 400)
    #: An operator's mistake.
    DENIED = ("AccessDeniedException", 400)
    #: About what was asked for, not about the asking.
    INVALID = ("InvalidParameterException", 400)
    #: Before anything was done.
    BROKEN = ("InternalServerError", 500)
    #: After all of it was done.
    ANSWER_LOST = ("InternalServerError", 500, "done")


@dataclass(frozen=True)
class Call:
    """An answered request."""

    operation: str
    parameters: Mapping[str, Any]
    #: The error's name, None when it was carried out.
    error: str | None


@dataclass
class RekognitionServer:
    """Its state, its behaviour, and what was asked of it."""

    collections: Collections
    #: What every call takes.
    seconds: float = 0.0
    calls: list[Call] = field(default_factory=list)
    #: The most calls that were being answered at the same time.
    most_at_once: int = 0
    #: How many of each operation are being answered.
    in_hand: Counter[str] = field(default_factory=Counter)
    url: str = ""
    _faults: dict[str, list[Fault]] = field(default_factory=dict)
    _held: dict[str, asyncio.Event] = field(default_factory=dict)

    def fail(self, operation: str, *faults: Fault) -> None:
        """Have the next calls of the operation fail, each in its way."""
        self._faults.setdefault(operation, []).extend(faults)

    @contextlib.contextmanager
    def holding(self, operation: str) -> Iterator[None]:
        """Carry out calls of the operation, but answer only when the block ends."""
        self._held[operation] = event = asyncio.Event()
        try:
            yield
        finally:
            del self._held[operation]
            event.set()

    def count(self) -> Counter[str]:
        """How often each operation was carried out."""
        return Counter(call.operation for call in self.calls if call.error is None)

    def faces(self, collection: str) -> list[str]:
        """The ExternalImageIds of the faces in a collection; none without the collection."""
        return sorted(
            face.external_image_id or ""
            for face in self.collections.faces.get(collection, {}).values()
        )

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        parameters: dict[str, Any] = {}
        operation = request.headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)
        self.in_hand[operation] += 1
        self.most_at_once = max(self.most_at_once, self.in_hand.total())
        error: ServiceError | None = None
        content: Any = None
        try:
            await asyncio.sleep(self.seconds)
            _check_headers(request)
            model = _operation(operation)
            try:
                parameters = decode_request(model, json.loads(await request.body()))
            except Invalid as problem:
                raise ServiceError("InvalidParameterException", str(problem)) from None
            content = encode_answer(model, await self._perform(operation, parameters))
        except ServiceError as raised:
            error = raised
        finally:
            self.in_hand[operation] -= 1
        self.calls.append(Call(operation, parameters, error.code if error else None))
        if error is not None:
            content = {"__type": error.code, "message": str(error)}
        return Response(
            json.dumps(content), status_code=error.status if error else 200, media_type=CONTENT_TYPE
        )

    async def _perform(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        waiting = self._faults.get(operation)
        fault = waiting.pop(0) if waiting else None
        if fault is not None and fault is not Fault.ANSWER_LOST:
            raise ServiceError(fault.value[0], "injected", status=fault.value[1])
        performing: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "CreateCollection": self.collections.create_collection,
            "DeleteCollection": self.collections.delete_collection,
            "IndexFaces": self.collections.index_faces,
            "SearchFaces": self.collections.search_faces,
            "DeleteFaces": self.collections.delete_faces,
        }
        if operation not in performing:
            raise ServiceError("UnknownOperationException", f"This server has no {operation}.")
        answer = performing[operation](parameters)
        if operation in self._held:
            await self._held[operation].wait()
        if fault is not None:
            raise ServiceError(fault.value[0], "injected", status=fault.value[1])
        return answer


@contextlib.asynccontextmanager
async def running_rekognition(
    *,
    sight: Sight = see_people,
    likeness: Likeness = cosine_likeness,
    seconds: float = 0.0,
) -> AsyncIterator[RekognitionServer]:
    """Serve on a free port; `url` is the endpoint for the client."""
    server = RekognitionServer(Collections(sight, likeness), seconds=seconds)
    app = FastAPI()
    app.add_api_route("/", server.answer, methods=["POST"])
    async with serving(app) as url:
        server.url = url
        yield server


def _check_headers(request: Request) -> None:
    if request.headers.get("content-type") != CONTENT_TYPE:
        raise ServiceError("SerializationException", f"The content is no {CONTENT_TYPE}.")
    if not request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential="):
        raise ServiceError("MissingAuthenticationTokenException", "The request is not signed.")


def _operation(name: str) -> OperationModel:
    try:
        return service_model("rekognition").operation_model(name)
    except (OperationNotFoundError, UnknownServiceError):
        raise ServiceError("UnknownOperationException", name) from None
