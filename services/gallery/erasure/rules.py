"""What is announced of an event's end, to whom, and in which mail."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.gallery.mail.rules import Template


class NoticeKind(StrEnum):
    """What is announced; a row's `kind`."""

    #: To a guest: the photos are shown only until then.
    END_FOR_GUEST = "end_for_guest"
    #: To the photographer: the event closes to its guests, and will be erased.
    END = "end"
    #: To the photographer, once it is closed: it will be erased.
    ERASURE = "erasure"


@dataclass(frozen=True, slots=True)
class Notice:
    """An announcement to one person."""

    user_id: int
    kind: NoticeKind
    event_name: str
    expires_at: datetime
    erases_at: datetime

    @property
    def template(self) -> Template:
        """Which mail tells it."""
        if self.kind is NoticeKind.END_FOR_GUEST:
            return Template.EVENT_ENDS_FOR_GUEST
        return Template.EVENT_ENDS_FOR_PHOTOGRAPHER

    @property
    def values(self) -> dict[str, object]:
        """What fills the mail."""
        values: dict[str, object] = {
            "event": self.event_name,
            "until": self.expires_at.isoformat(),
        }
        if self.template is Template.EVENT_ENDS_FOR_PHOTOGRAPHER:
            values["erased"] = self.erases_at.isoformat()
        return values
