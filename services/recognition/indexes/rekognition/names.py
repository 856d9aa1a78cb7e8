"""How events, guests and photos are called in Rekognition, and back."""

_USER = "user:"
_PHOTO = "photo:"


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
