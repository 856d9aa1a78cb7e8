"""The tables, for queries in SQLAlchemy Core. The migrations define them; a test compares.

Which service writes which table is said in ARCHITECTURE.md.
"""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def _id() -> Column[int]:
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def _moment(name: str, *, nullable: bool = False) -> Column[object]:
    default = None if nullable else func.now()
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


def _reference(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    on_delete = "SET NULL" if nullable else "CASCADE"
    return Column(name, ForeignKey(target, ondelete=on_delete), nullable=nullable)


users = Table(
    "users",
    metadata,
    _id(),
    Column("username", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("user_type", Text, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    _moment("created_at"),
    CheckConstraint("user_type IN ('user', 'photographer', 'admin')", name="user_type"),
    Index("users_username_key", "username", unique=True),
    Index("users_email_key", text("lower(email)"), unique=True),
)

events = Table(
    "events",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("event_code", Text, nullable=False),
    #: The code as it is compared: upper case, without white space.
    Column("code_key", Text, nullable=False, unique=True),
    _moment("date", nullable=True),
    _reference("photographer_id", "users.id", nullable=True),
    #: 60 to 100; the one of matching_settings where it is NULL.
    Column("match_threshold", REAL),
    _moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index(None, "photographer_id"),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("event_id", ForeignKey("events.id", ondelete="CASCADE"), primary_key=True),
    _moment("joined_at"),
    Index(None, "event_id"),
)

photos = Table(
    "photos",
    metadata,
    _id(),
    _reference("event_id", "events.id"),
    Column("filename", Text, nullable=False, unique=True),
    Column("original_filename", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    _reference("photographer_id", "users.id", nullable=True),
    _moment("uploaded_at"),
    Column("sha256", LargeBinary, nullable=False),
    Column("crc32", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    #: The camera's clock, which knows no time zone.
    Column("taken_at", DateTime(timezone=False)),
    Column("placeholder", Text),
    Column("show_in_general", Boolean),
    Column("processing_status", Text, nullable=False, server_default=text("'queued'")),
    Column("processing_error", Text),
    #: Analyses that began and never came back: their process died.
    Column("lost_analyses", SmallInteger, nullable=False, server_default=text("0")),
    #: The replica that analyses the photo, and since when; without the former, when one last did.
    Column("claimed_by", Text),
    _moment("claimed_at", nullable=True),
    #: Which engine's faces the photo has; NULL until it was analysed.
    Column("engine", Text),
    #: Since when the present engine's message is on the way, for a photo of another engine.
    Column("reindexing_since", DateTime(timezone=True)),
    #: When a message for the photo was last put in the outbox; the reconciler goes by it.
    _moment("enqueued_at"),
    _moment("analyzed_at", nullable=True),
    _moment("finished_at", nullable=True),
    #: The trace that began with the upload, for work that no message of the photo's brings.
    Column("traceparent", Text),
    CheckConstraint(
        "processing_status IN ('queued', 'analyzed', 'done', 'failed')", name="processing_status"
    ),
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
Index(
    "photos_shown_idx",
    photos.c.event_id,
    postgresql_where=text("show_in_general"),
)

upload_digests = Table(
    "upload_digests",
    metadata,
    Column("event_id", ForeignKey("events.id", ondelete="CASCADE"), primary_key=True),
    Column("sha256", LargeBinary, primary_key=True),
    _reference("photo_id", "photos.id"),
    _moment("uploaded_at"),
    Index(None, "photo_id"),
)

selfies = Table(
    "selfies",
    metadata,
    _id(),
    _reference("user_id", "users.id"),
    Column("filename", Text, nullable=False),
    Column("object_key", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    #: The guest's consent to face matching, given by sending the selfie.
    _moment("consented_at"),
    _moment("created_at"),
    #: When messages for the selfie were last put in the outbox; the reconciler goes by it.
    _moment("enqueued_at"),
    #: What the check before the upload found, and by which engine; another one computes its own.
    #: A trigger on memberships clears it with its guest's last event.
    Column("engine", Text),
    Column("embedding", LargeBinary),
    Index(None, "user_id"),
)

selfie_indexes = Table(
    "selfie_indexes",
    metadata,
    Column("selfie_id", ForeignKey("selfies.id", ondelete="CASCADE"), primary_key=True),
    Column("event_id", ForeignKey("events.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("claimed_by", Text, nullable=False),
    _moment("claimed_at"),
    Column("engine", Text),
    Column("embedding", LargeBinary),
    Column("external_face_id", Text),
    _moment("indexed_at", nullable=True),
    _moment("finished_at", nullable=True),
    Column("matched", Integer, nullable=False, server_default=text("0")),
    Column("error", Text),
    CheckConstraint("status IN ('claimed', 'indexed', 'done', 'failed')", name="status"),
)
Index(
    "selfie_indexes_live_idx",
    selfie_indexes.c.event_id,
    selfie_indexes.c.selfie_id,
    postgresql_where=text("status IN ('indexed', 'done')"),
)
Index(
    "selfie_indexes_waiting_idx",
    selfie_indexes.c.event_id,
    postgresql_where=text("status = 'indexed'"),
)
#: Finds the selfies of another engine, event by event.
Index("selfie_indexes_engine_idx", selfie_indexes.c.event_id, selfie_indexes.c.engine)
Index(
    "selfie_indexes_external_idx",
    selfie_indexes.c.external_face_id,
    postgresql_where=text("external_face_id IS NOT NULL"),
)

faces = Table(
    "faces",
    metadata,
    _id(),
    _reference("photo_id", "photos.id"),
    Column("event_id", BigInteger, nullable=False),
    Column("position", SmallInteger, nullable=False),
    #: The box, as fractions of the upright photo.
    Column("left", REAL, nullable=False),
    Column("top", REAL, nullable=False),
    Column("width", REAL, nullable=False),
    Column("height", REAL, nullable=False),
    Column("confidence", REAL, nullable=False),
    #: 0 to 1; faces that are too blurred or too small are not matched.
    Column("quality", REAL, nullable=False, server_default=text("1")),
    Column("engine", Text, nullable=False),
    Column("embedding", LargeBinary),
    Column("external_face_id", Text),
    Index("faces_photo_id_position_key", "photo_id", "position", unique=True),
    Index(None, "event_id", "id"),
)
Index(
    "faces_external_idx",
    faces.c.external_face_id,
    postgresql_where=text("external_face_id IS NOT NULL"),
)

#: A selfie is like a face of the photo, at least nearly: whether it is the guest's is decided
#: when it is read, by the event's threshold (see libs/common/rights/counted_matches.py).
matches = Table(
    "matches",
    metadata,
    Column("selfie_id", ForeignKey("selfies.id", ondelete="CASCADE"), primary_key=True),
    Column("photo_id", ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigInteger, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    #: The photo's face that is most like the selfie.
    Column("face_id", BigInteger, nullable=False),
    Column("similarity", REAL, nullable=False),
    _moment("created_at"),
    Index(None, "photo_id"),
)
#: Serves a guest's list without touching the table.
Index(
    "matches_guest_idx",
    matches.c.user_id,
    matches.c.event_id,
    matches.c.photo_id,
    postgresql_include=["similarity"],
)

#: What people said of a photo and a guest. It overrules matches, and outlives them.
match_overrides = Table(
    "match_overrides",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("event_id", ForeignKey("events.id", ondelete="CASCADE"), primary_key=True),
    Column("photo_id", ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
    #: "not_me" is the guest's own word; "added" is theirs or the photographer's.
    Column("verdict", Text, nullable=False),
    #: Who added the guest; kept under a "not_me", so that taking that back brings this back.
    _reference("added_by", "users.id", nullable=True),
    _moment("decided_at"),
    CheckConstraint("verdict IN ('not_me', 'added')", name="verdict"),
    Index(None, "photo_id"),
    Index(None, "event_id"),
    Index(None, "added_by"),
)

#: One row: how alike a face must be in events that have no threshold of their own.
matching_settings = Table(
    "matching_settings",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("threshold", REAL, nullable=False, server_default=text("85")),
    CheckConstraint("id = 1", name="id"),
)

#: Events whose faces a paid service holds, in a collection of each. The row is written before
#: the collection is made and outlives the event until the collection is deleted.
external_collections = Table(
    "external_collections",
    metadata,
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("is_made", Boolean, nullable=False, server_default=text("false")),
    _moment("created_at"),
)

#: Faces that a paid service must delete; filled by triggers as faces and selfies are deleted.
face_removals = Table(
    "face_removals",
    metadata,
    _id(),
    Column("event_id", BigInteger, nullable=False),
    Column("external_face_id", Text, nullable=False),
    _moment("created_at"),
    Index(None, "event_id", "id"),
)

#: What was deleted, filled by triggers: a backup that is older must not bring it back. Keys say
#: nothing by themselves, and are never used again.
erasures = Table(
    "erasures",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _moment("erased_at"),
    Index(None, "erased_at"),
)

#: Calls of a paid service that are charged for, or free; they are kept when an event goes.
aws_usage = Table(
    "aws_usage",
    metadata,
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("operation", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("calls", BigInteger, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    _id(),
    Column("message_id", UUID(as_uuid=False), nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("mandatory", Boolean, nullable=False),
    _moment("created_at"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _moment("next_attempt_at"),
    #: What goes with the message besides its body, such as its trace; mostly nothing.
    Column("headers", JSONB(none_as_null=True)),
)

#: The replicas of recognition that have been seen lately; a stopped one removes itself.
recognition_replicas = Table(
    "recognition_replicas",
    metadata,
    Column("replica_id", Text, primary_key=True),
    _moment("started_at"),
    _moment("seen_at"),
    Column("engine", Text),
)

#: Who consumes each match partition. A row without an owner, or whose lease is over, is free.
match_partitions = Table(
    "match_partitions",
    metadata,
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("owner", Text),
    #: Raised at every change of owner.
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    _moment("lease_until", nullable=True),
    _moment("changed_at"),
)

#: Messages that were given up, until an admin replays or drops them.
dead_letters = Table(
    "dead_letters",
    metadata,
    _id(),
    Column("message_id", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    _moment("died_at"),
    Column("headers", JSONB(none_as_null=True)),
    Index("dead_letters_message_key", "message_id", "queue", unique=True),
)
