"""What a file of an archive is made of."""

from dataclasses import dataclass

from services.media.photos.media_key import Original


@dataclass(frozen=True, slots=True)
class Content:
    """What a file of an archive is read from: a text, a photo, or its copy for guests."""

    photo: Original | None
    photo_id: int = 0
    is_copy: bool = False
    text: bytes = b""
