"""What is answered of photos that are changed, and of their processing."""

from pydantic import BaseModel

from services.gallery.web.schemas import Message


class Progress(BaseModel):
    """How many photos there are in all, and in each status."""

    total: int
    queued: int
    analyzed: int
    done: int
    failed: int


class ChangedVisibility(Message):
    """Whether everybody sees the photo now; null leaves it to the event's other photos."""

    photo_id: int
    show_in_general: bool | None


class ChangedVisibilities(Message):
    """The same of several photos, and how many of them are the caller's."""

    updated_count: int
    show_in_general: bool | None


class DeletedPhoto(Message):
    """The photo is gone."""

    photo_id: int


class DeletedPhotos(Message):
    """So many photos are gone; those of others were skipped."""

    deleted_count: int


class AnalysedAgain(Message):
    """So many failed photos wait for analysis again."""

    scheduled: int
