"""Where each object lies. An event's photos and renditions go with the event's prefix.

Selfies lie under their guest, who may be in several events, so that removing one event
does not take the selfie from the others, and removing the account takes all of it.
"""


def event_prefix(event_id: int) -> str:
    """Prefix of everything that belongs to one event."""
    return f"events/{event_id}/"


def photo_key(event_id: int, filename: str) -> str:
    """Key of a photo's original bytes."""
    return f"events/{event_id}/photos/{filename}"


def renditions_prefix(event_id: int, filename: str) -> str:
    """Prefix of all renditions of one photo."""
    return f"events/{event_id}/renditions/{filename}/"


def rendition_key(event_id: int, filename: str, name: str) -> str:
    """Key of one rendition, for example `thumbnail` or `preview`."""
    return f"{renditions_prefix(event_id, filename)}{name}.webp"


def failed_rendition_key(event_id: int, filename: str, name: str) -> str:
    """Key of the note that a rendition could not be made."""
    return f"{renditions_prefix(event_id, filename)}{name}.failed.json"


def user_prefix(user_id: int) -> str:
    """Prefix of everything that belongs to one person."""
    return f"users/{user_id}/"


def selfie_key(user_id: int, filename: str) -> str:
    """Key of a guest's selfie."""
    return f"users/{user_id}/selfies/{filename}"
