"""Photos and their cameras, what is given of them, and who wants to find which again."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from libs.common.database.tables.columns import identity, metadata, moment, reference

#: The cameras of an event's photos, as these name them, and by how much their clocks are put right.
cameras = Table(
    "cameras",
    metadata,
    identity(),
    reference("event_id", "events.id"),
    #: Each empty where it is not said.
    Column("make", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("serial", Text, nullable=False),
    #: Seconds that are added to what the camera's clock says.
    Column("shift_seconds", Integer, nullable=False, server_default=text("0")),
    Index("cameras_event_id_key", "event_id", "make", "model", "serial", unique=True),
)

photos = Table(
    "photos",
    metadata,
    identity(),
    reference("event_id", "events.id"),
    Column("filename", Text, nullable=False, unique=True),
    Column("original_filename", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    reference("photographer_id", "users.id", nullable=True),
    moment("uploaded_at"),
    Column("sha256", LargeBinary, nullable=False),
    Column("crc32", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    #: The camera's clock, which knows no time zone, put right by `clock_shift` seconds.
    Column("taken_at", DateTime(timezone=False)),
    #: The minutes by which that clock is ahead of UTC, where the file says so.
    Column("taken_at_offset", SmallInteger),
    #: When that was, by the offset or in the event's time zone; NULL where the event has none.
    Column("taken_instant", DateTime(timezone=True)),
    reference("camera_id", "cameras.id", nullable=True),
    Column("clock_shift", Integer, nullable=False, server_default=text("0")),
    Column("placeholder", Text),
    Column("show_in_general", Boolean),
    Column("processing_status", Text, nullable=False, server_default=text("'queued'")),
    Column("processing_error", Text),
    #: What the photographer is told of a photo of which not all could be read.
    Column("processing_note", Text),
    #: Analyses that began and never came back: their process died.
    Column("lost_analyses", SmallInteger, nullable=False, server_default=text("0")),
    #: The replica that analyses the photo, and since when; without the former, when one last did.
    Column("claimed_by", Text),
    moment("claimed_at", nullable=True),
    #: Which engine's faces the photo has; NULL until it was analysed.
    Column("engine", Text),
    #: Since when the present engine's message is on the way, for a photo of another engine.
    Column("reindexing_since", DateTime(timezone=True)),
    #: When a message for the photo was last put in the outbox; the reconciler goes by it.
    moment("enqueued_at"),
    moment("analyzed_at", nullable=True),
    moment("finished_at", nullable=True),
    #: The trace that began with the upload, for work that no message of the photo's brings.
    Column("traceparent", Text),
    CheckConstraint(
        "processing_status IN ('queued', 'analyzed', 'done', 'failed')", name="processing_status"
    ),
)
#: Finds a camera's photos, the first and the last that it took.
Index(
    "photos_camera_idx",
    photos.c.camera_id,
    photos.c.taken_at,
    postgresql_where=text("camera_id IS NOT NULL"),
)

#: When a photo was taken, in UTC; in an event without a time zone, by its camera's clock. Where
#: that says nothing, its arrival in UTC. Spelled out, as an index is only taken for just its
#: expression.
MOMENT_TAKEN: ColumnElement[datetime] = literal_column(
    "coalesce(timezone('UTC', photos.taken_instant), photos.taken_at,"
    " timezone('UTC', photos.uploaded_at))",
    DateTime(timezone=False),
)


def instant_taken(
    taken_at: ColumnElement[datetime],
    offset_minutes: ColumnElement[int],
    time_zone: ColumnElement[str],
) -> ColumnElement[datetime]:
    """Return a photo's `taken_instant` in an event of this time zone, NULL where it has none.

    A function of the database's, by which a trigger of its reckons when a photo comes or its clock
    is moved. By PostgreSQL's rule (its manual, B.2): what a clock shows twice, as summer time ends,
    is the second time; what it skips, as it begins, was shown by one that had not been put forward.
    """
    return func.instant_taken(taken_at, offset_minutes, time_zone, type_=DateTime(timezone=True))


#: Serves an event's list in that order: ids alone, whose photos are then looked up.
Index(
    "photos_event_taken_idx",
    photos.c.event_id,
    MOMENT_TAKEN.desc(),
    photos.c.id.desc(),
    postgresql_include=["taken_instant", "taken_at", "uploaded_at", "show_in_general"],
)
#: Serves an event's list page by page without touching the table.
Index(
    "photos_event_page_idx",
    photos.c.event_id,
    photos.c.uploaded_at.desc(),
    photos.c.id.desc(),
    postgresql_include=[
        "filename",
        "original_filename",
        "content_type",
        "photographer_id",
        "width",
        "height",
        "taken_at",
        "taken_at_offset",
        "taken_instant",
        "placeholder",
        "show_in_general",
        "processing_status",
    ],
)
#: Serves a photographer's list of uploads in its order.
Index(
    "photos_photographer_page_idx",
    photos.c.photographer_id,
    photos.c.uploaded_at.desc(),
    photos.c.id.desc(),
)
Index(
    "photos_unfinished_idx",
    photos.c.enqueued_at,
    postgresql_where=text("processing_status IN ('queued', 'analyzed')"),
)

#: Whether a photo could not be analysed; with a parameter a kept plan would not use the index.
IS_FAILED = photos.c.processing_status == literal_column("'failed'")
Index(
    "photos_failed_idx",
    photos.c.event_id,
    photos.c.id,
    postgresql_where=IS_FAILED,
)
#: Finds the few of a list's photos of which not all could be read.
Index(
    "photos_note_idx",
    photos.c.id,
    postgresql_where=photos.c.processing_note.is_not(None),
)
#: Finds the photos of another engine, event by event.
Index("photos_engine_idx", photos.c.event_id, photos.c.engine, photos.c.id)
Index(
    "photos_reindexing_idx",
    photos.c.reindexing_since,
    postgresql_where=text("reindexing_since IS NOT NULL"),
)
#: Tells when an event's photo was analysed that was matched last (28 bytes a photo).
Index(
    "photos_matched_idx",
    photos.c.event_id,
    photos.c.analyzed_at,
    postgresql_where=text("processing_status = 'done' AND finished_at > analyzed_at"),
)
#: Tells which bytes an event has (64 bytes a photo); `upload_digests` knows the last copy alone.
Index("photos_sha256_idx", photos.c.event_id, photos.c.sha256)
Index(
    "photos_shown_idx",
    photos.c.event_id,
    postgresql_where=text("show_in_general"),
)

#: What is made of a photo for its guests, as archives need to know it before they read it.
guest_copies = Table(
    "guest_copies",
    metadata,
    Column("photo_id", ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
    #: Which rules made it; one of others is made anew.
    Column("rules", SmallInteger, nullable=False),
    #: NULL where none can be made.
    Column("size_bytes", BigInteger),
    Column("crc32", BigInteger),
    #: Whether it is a JPEG, whatever the photo is.
    Column("is_picture", Boolean, nullable=False, server_default=text("false")),
    #: Why none can be made.
    Column("failure", Text),
    moment("noted_at"),
    CheckConstraint(
        "(failure IS NULL) = (size_bytes IS NOT NULL AND crc32 IS NOT NULL)", name="failure"
    ),
)

#: Photos that somebody takes along as an archive. Kept for as long as its link is good, so that a
#: download that broke off goes on with the same photos, whatever has come since.
downloads = Table(
    "downloads",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, server_default=text("gen_random_uuid()")),
    reference("user_id", "users.id"),
    reference("event_id", "events.id"),
    moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("photo_ids", ARRAY(BigInteger), nullable=False),
    #: Whether in folders, and the photographers' names where by those.
    Column("folders", Text, nullable=False),
    Column("photographers", JSONB(none_as_null=True), nullable=False),
    #: SHA-256 of what it is of: the same photos asked for again are the same archive.
    Column("digest", LargeBinary, nullable=False),
    #: The archive's tag when it was first sent; NULL before.
    Column("etag", Text),
    CheckConstraint("folders IN ('none', 'photographer', 'day')", name="folders"),
    Index("downloads_user_id_digest_key", "user_id", "digest", unique=True),
    Index(None, "event_id"),
    Index(None, "expires_at"),
)

#: Photos that guests want to find again.
favourites = Table(
    "favourites",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("photo_id", ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
    moment("chosen_at"),
    Index(None, "photo_id"),
)

#: Which guests were told of which photos by mail: nobody is told of one twice.
photo_notices = Table(
    "photo_notices",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("photo_id", ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
    moment("notified_at"),
    Index(None, "photo_id"),
)
