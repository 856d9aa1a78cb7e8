"""Collections of faces in memory, with the operations and the limits of the service."""

import io
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from tests.support.rekognition.sight import Likeness, SeenFace, Sight

MAX_IMAGE_BYTES = 5 * 1024 * 1024
MIN_IMAGE_SIDE_PX = 80
MAX_FACES_PER_IMAGE = 100
DEFAULT_SEARCH_RESULTS = 80
DEFAULT_THRESHOLD = 80.0
FACE_MODEL_VERSION = "7.0"


class ServiceError(Exception):
    """What the service answers instead; `code` is its name of the error."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class StoredFace:
    """A face in a collection."""

    face_id: str
    image_id: str
    external_image_id: str | None
    seen: SeenFace

    @property
    def view(self) -> dict[str, Any]:
        """As the service shows it."""
        shown = {
            "FaceId": self.face_id,
            "ImageId": self.image_id,
            "BoundingBox": {
                "Left": self.seen.left,
                "Top": self.seen.top,
                "Width": self.seen.width,
                "Height": self.seen.height,
            },
            "Confidence": self.seen.confidence * 100,
        }
        if self.external_image_id is not None:
            shown["ExternalImageId"] = self.external_image_id
        return shown


@dataclass
class Collections:
    """All collections of an account, and what they see and how they compare."""

    sight: Sight
    likeness: Likeness
    faces: dict[str, dict[str, StoredFace]] = field(default_factory=dict)

    def create_collection(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        name = asked["CollectionId"]
        if name in self.faces:
            raise ServiceError("ResourceAlreadyExistsException", f"{name} already exists.")
        self.faces[name] = {}
        return {
            "StatusCode": 200,
            "CollectionArn": f"aws:rekognition:eu-central-1:123456789012:collection/{name}",
            "FaceModelVersion": FACE_MODEL_VERSION,
        }

    def delete_collection(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._collection(asked)
        del self.faces[asked["CollectionId"]]
        return {"StatusCode": 200}

    def index_faces(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        collection = self._collection(asked)
        limit = asked.get("MaxFaces", MAX_FACES_PER_IMAGE)
        if limit > MAX_FACES_PER_IMAGE:
            raise ServiceError("InvalidParameterException", "MaxFaces is at most 100.")
        seen = sorted(
            self.sight(_checked_image(asked["Image"])),
            key=lambda face: face.width * face.height,
            reverse=True,
        )
        image_id = str(uuid.uuid4())
        added = [
            StoredFace(str(uuid.uuid4()), image_id, asked.get("ExternalImageId"), face)
            for face in seen[:limit]
        ]
        collection.update({face.face_id: face for face in added})
        return {
            "FaceRecords": [
                {
                    "Face": face.view,
                    "FaceDetail": {
                        "BoundingBox": face.view["BoundingBox"],
                        "Confidence": face.view["Confidence"],
                    },
                }
                for face in added
            ],
            "UnindexedFaces": [
                {"Reasons": ["EXCEEDS_MAX_FACES"], "FaceDetail": {"Confidence": 99.0}}
                for _ in seen[limit:]
            ],
            "FaceModelVersion": FACE_MODEL_VERSION,
        }

    def search_faces(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        collection = self._collection(asked)
        searched = collection.get(asked["FaceId"])
        if searched is None:
            raise ServiceError(
                "InvalidParameterException",
                f"faceId {asked['FaceId']} was not found in the collection.",
            )
        others = [face for face in collection.values() if face is not searched]
        matches: list[dict[str, Any]] = []
        if others:
            alike = self.likeness(searched.seen.vector, np.array([f.seen.vector for f in others]))
            threshold = asked.get("FaceMatchThreshold", DEFAULT_THRESHOLD)
            matches = [
                {"Similarity": float(alike[i]), "Face": others[i].view}
                for i in np.argsort(-alike, kind="stable")
                if alike[i] >= threshold
            ]
        return {
            "SearchedFaceId": searched.face_id,
            "FaceMatches": matches[: asked.get("MaxFaces", DEFAULT_SEARCH_RESULTS)],
            "FaceModelVersion": FACE_MODEL_VERSION,
        }

    def delete_faces(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        collection = self._collection(asked)
        gone = [face for face in asked["FaceIds"] if collection.pop(face, None)]
        return {
            "DeletedFaces": gone,
            "UnsuccessfulFaceDeletions": [
                {"FaceId": face, "Reasons": ["FACE_NOT_FOUND"]}
                for face in asked["FaceIds"]
                if face not in gone
            ],
        }

    def _collection(self, asked: Mapping[str, Any]) -> dict[str, StoredFace]:
        name = asked["CollectionId"]
        if name not in self.faces:
            raise ServiceError(
                "ResourceNotFoundException", f"The collection id: {name} does not exist"
            )
        return self.faces[name]


def _checked_image(image: Mapping[str, Any]) -> bytes:
    content = image.get("Bytes")
    if content is None:
        raise ServiceError("InvalidParameterException", "Image needs Bytes.")
    if len(content) > MAX_IMAGE_BYTES:
        raise ServiceError("ImageTooLargeException", "The image is larger than 5 MB.")
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as opened:
            if min(opened.size) < MIN_IMAGE_SIDE_PX:
                raise ServiceError("InvalidParameterException", "The image is too small.")
    except UnidentifiedImageError:
        raise ServiceError("InvalidImageFormatException", "Neither JPEG nor PNG.") from None
    return bytes(content)
