"""Events: their guests, walls and ends, and what no backup may bring back."""

from sqlalchemy import (
    REAL,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from libs.common.database.tables.columns import identity, metadata, moment, reference

events = Table(
    "events",
    metadata,
    identity(),
    Column("name", Text, nullable=False),
    Column("event_code", Text, nullable=False),
    #: The code as it is compared: upper case, without white space.
    Column("code_key", Text, nullable=False, unique=True),
    #: The same with O as 0, I and L as 1; NULL for older codes that look like another's.
    Column("code_look", Text, unique=True),
    moment("date", nullable=True),
    reference("photographer_id", "users.id", nullable=True),
    #: 60 to 100; the one of matching_settings where it is NULL.
    Column("match_threshold", REAL),
    #: Whether guests get photos without place, names and serial numbers.
    Column("strip_metadata", Boolean, nullable=False, server_default=text("true")),
    #: Whether bytes that come again are a photo that is there: "window" if that came minutes ago,
    #: "event" whenever it came; by the way of the upload where it is NULL.
    Column("duplicates", Text),
    #: What its pages show first, to whoever has the code: a photo that was chosen for it.
    Column("cover_photo_id", ForeignKey("photos.id", ondelete="SET NULL", use_alter=True)),
    #: The colour of its pages, as #B93E14; ours where it is NULL.
    Column("accent", Text),
    #: What its organisers add to what guests agree to.
    Column("consent_text", Text),
    #: Whether guests see, besides the photos of them, only those that were chosen to be shown.
    Column("selected_only", Boolean, nullable=False, server_default=text("false")),
    #: Of the IANA's, in which its cameras' clocks are where they say nothing of it.
    Column("time_zone", Text),
    moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    #: It is not erased before: it had ended before there was a job that erases.
    moment("kept_until", nullable=True),
    #: Since when its photos and faces are being erased, and since when they are.
    moment("erasure_began_at", nullable=True),
    moment("erased_at", nullable=True),
    CheckConstraint("duplicates IN ('window', 'event')", name="duplicates"),
    CheckConstraint("accent ~ '^#[0-9A-F]{6}$'", name="accent"),
    Index(None, "photographer_id"),
    Index(None, "cover_photo_id"),
)
#: Finds the events whose erasure has begun and not ended.
Index(
    "events_erasing_idx",
    events.c.id,
    postgresql_where=text("erasure_began_at IS NOT NULL AND erased_at IS NULL"),
)

#: Who was told, by a mail in the queue, that an event is going to end, or to be erased.
event_notices = Table(
    "event_notices",
    metadata,
    Column("event_id", ForeignKey("events.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True),
    #: The moment that they were told; another one is announced anew.
    Column("moment", DateTime(timezone=True), nullable=False),
    moment("noticed_at"),
    Index(None, "user_id"),
)

#: Screens at the venue that show an event's photos to whoever passes: one row for each link.
walls = Table(
    "walls",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    reference("event_id", "events.id"),
    moment("created_at"),
    Index(None, "event_id"),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("event_id", ForeignKey("events.id", ondelete="CASCADE"), primary_key=True),
    moment("joined_at"),
    Index(None, "event_id"),
)

#: What was deleted, filled by triggers: a backup that is older must not bring it back. Keys say
#: nothing by themselves, and are never used again.
erasures = Table(
    "erasures",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    moment("erased_at"),
    Index(None, "erased_at"),
)
