"""A photo as lists show it: the JSON object of the API.

Its columns are those of `PhotoRow`, which the index of pages holds; a list adds what only it says
(`participant_lists._views`, `photographer_lists._views`).
"""

from datetime import datetime

from libs.common.storage.keys import photo_key, rendition_key
from libs.common.web.signed_urls import SignedUrls
from services.gallery.lists.repository import PhotoRow
from services.gallery.web.answers import View


def photo_view(photo: PhotoRow, expires_at: datetime, urls: SignedUrls) -> View:
    """Return `photo`; its URLs are the same at every call, so that browsers keep the bytes."""
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
