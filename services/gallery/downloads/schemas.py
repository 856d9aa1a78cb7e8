"""What is asked for, and answered, where photos are taken along."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from libs.common.photo_downloads import Folders
from libs.common.web.ids import RowId
from services.gallery.downloads.rules import MAX_SELECTED


class DownloadRequest(BaseModel):
    """Which photos: all that show the caller, all of the event, or those that are named."""

    photos: Literal["mine", "all"] | None = None
    photo_ids: list[RowId] | None = Field(default=None, min_length=1, max_length=MAX_SELECTED)
    folders: Folders = Folders.NONE

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.photos is None) == (self.photo_ids is None):
            msg = "give either photos, as mine or all, or photo_ids"
            raise ValueError(msg)
        return self


class NewDownload(BaseModel):
    """Where the photos are fetched, by whoever has the link, and until when."""

    #: A ZIP archive.
    url: str
    #: How far it is prepared.
    state_url: str
    expires_at: datetime
    photos: int
    #: Those that were named and are not there, or not for the caller.
    left_out: list[int]
