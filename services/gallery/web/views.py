"""The API's dictionaries of accounts, events and photos."""

from libs.common.storage.keys import photo_key, rendition_key
from libs.common.web.signed_urls import SignedUrls
from services.gallery.accounts.repository import AccountRow
from services.gallery.events.repository import EventRow, JoinedEvent
from services.gallery.in_photo.best_faces import Box
from services.gallery.lists.repository import PhotoRow
from services.gallery.selfies.repository import SelfieRow

View = dict[str, object]


def account_view(account: AccountRow) -> View:
    """Return `user`; there is no password hash in what it is made of."""
    return {
        "id": account.id,
        "username": account.username,
        "email": account.email,
        "user_type": account.user_type,
        "is_active": account.is_active,
        "created_at": account.created_at,
        "selfie_path": f"/api/selfie/{account.id}" if account.has_selfie else None,
        "event_id": account.event_id,
        "event_name": account.event_name,
        "event_code": account.event_code,
        "event_date": account.event_date,
    }


def event_view(event: EventRow) -> View:
    """Return `event`."""
    return {
        "id": event.id,
        "name": event.name,
        "event_code": event.event_code,
        "date": event.date,
        "photographer_id": event.photographer_id,
        "expires_at": event.expires_at,
    }


def joined_event_view(joined: JoinedEvent) -> View:
    """Return `event` as a participant sees it."""
    view = event_view(joined.event)
    del view["photographer_id"]
    view["joined_at"] = joined.joined_at
    return view


def box_view(box: Box | None) -> View | None:
    """Return a face's place as fractions of the upright photo; None if it is not known."""
    if box is None:
        return None
    return {"left": box.left, "top": box.top, "width": box.width, "height": box.height}


def percent(similarity: float) -> float:
    """Return a similarity of 0..100 as people read it: single precision has no more to say."""
    return round(similarity, 2)


def selfie_view(selfie: SelfieRow, user_id: int) -> View:
    """Return a selfie; its address asks for the guest's token, as all that shows selfies does."""
    return {
        "id": selfie.id,
        "created_at": selfie.created_at,
        "url": f"/api/selfie/{user_id}?selfie_id={selfie.id}",
    }


def photo_view(photo: PhotoRow, event: EventRow, urls: SignedUrls) -> View:
    """Return `photo`; its URLs are the same at every call, so that browsers keep the bytes."""
    expires_at = event.expires_at
    thumbnail = rendition_key(photo.event_id, photo.filename, "thumbnail")
    preview = rendition_key(photo.event_id, photo.filename, "preview")
    return {
        "id": photo.id,
        "filename": photo.filename,
        "original_filename": photo.original_filename,
        "file_path": None,
        "content_type": photo.content_type,
        "photo_type": "uploaded",
        "user_id": None,
        "photographer_id": photo.photographer_id,
        "uploaded_at": photo.uploaded_at,
        "event_id": photo.event_id,
        "width": photo.width,
        "height": photo.height,
        "taken_at": photo.taken_at,
        "url": urls.sign(photo_key(photo.event_id, photo.filename), expires_at),
        "thumbnail_url": urls.sign(thumbnail, expires_at),
        "preview_url": urls.sign(preview, expires_at),
        "placeholder": photo.placeholder,
        "processing_status": photo.processing_status,
    }
