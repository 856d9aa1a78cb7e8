"""A photo as Rekognition gets it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """What is sent, the upright size of the whole photo, and a placeholder."""

    jpeg: bytes
    width: int
    height: int
    placeholder: str  # ThumbHash, base64
    #: As guests get it; None where it is left to who makes renditions (see `thumbnail`).
    thumbnail: bytes | None = None
    #: What the photographer is told of a picture of which not all could be read.
    note: str | None = None
