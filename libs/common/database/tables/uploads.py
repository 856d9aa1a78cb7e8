"""Uploads on their way, and what sends them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from libs.common.database.tables.columns import identity, metadata, moment, reference

#: Of the same bytes in an event, which photo had them last and when: who inserts or changes the row
#: makes the photo, and whoever comes at the same time waits. It goes with that photo.
upload_digests = Table(
    "upload_digests",
    metadata,
    Column("event_id", ForeignKey("events.id", ondelete="CASCADE"), primary_key=True),
    Column("sha256", LargeBinary, primary_key=True),
    reference("photo_id", "photos.id"),
    moment("uploaded_at"),
    Index(None, "photo_id"),
)

#: Uploads that somebody may ask after: what became of each file is told by the photos' rows.
upload_jobs = Table(
    "upload_jobs",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    reference("event_id", "events.id"),
    reference("photographer_id", "users.id", nullable=True),
    #: One for each file that was kept; duplicates name the photo that was there before.
    Column("photo_ids", ARRAY(BigInteger), nullable=False),
    #: Files that were not kept, and the first sentences why.
    Column("refused", Integer, nullable=False),
    Column("errors", JSONB(none_as_null=True), nullable=False),
    moment("started_at"),
    Index(None, "event_id"),
    Index(None, "photographer_id"),
    Index(None, "started_at"),
)

#: Files that come in pieces, over broken connections and to any replica. What has come lies as
#: objects below the event's prefix (see `storage.keys.upload_prefix`).
resumable_uploads = Table(
    "resumable_uploads",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    reference("event_id", "events.id"),
    reference("user_id", "users.id", nullable=True),
    Column("name", Text, nullable=False),
    #: As it came, for who asks how far the upload is.
    Column("sent_metadata", Text, nullable=False),
    #: No reference: the watcher may go meanwhile.
    Column("watcher_id", BigInteger),
    Column("keeps_copies", Boolean, nullable=False),
    #: What the sender says that it is.
    Column("sha256", LargeBinary),
    #: As announced; by FTP, which does not say it, one byte more than came.
    Column("length", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False, server_default=text("0")),
    #: Names of the objects that are what was received, in order.
    Column("parts", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    #: The request that receives at this moment, and until when, unless it says that it lives.
    Column("held_by", UUID(as_uuid=True)),
    moment("held_until", nullable=True),
    #: Another request waits for it to let go.
    Column("is_wanted", Boolean, nullable=False, server_default=text("false")),
    #: What the file has become; NULL until then. No reference: it is told as it was.
    Column("status", Text),
    Column("job_id", Text),
    Column("photo_id", BigInteger),
    #: Digest of the key and the path by which a file by FTP is gone on with.
    Column("resumes_as", LargeBinary),
    CheckConstraint("received BETWEEN 0 AND length", name="received"),
    CheckConstraint("status IN ('queued', 'duplicate')", name="status"),
    # Those that are unfinished are counted.
    Index(None, "event_id", "status"),
    Index(None, "user_id", "status"),
    Index(None, "expires_at"),
    Index("resumable_uploads_event_id_resumes_as_key", "event_id", "resumes_as", unique=True),
)

#: Folders on photographers' machines whose photos are sent by a program, and what it has sent.
watchers = Table(
    "watchers",
    metadata,
    identity(),
    reference("event_id", "events.id"),
    Column("label", Text),
    Column("machine_label", Text),
    Column("expected_path", Text),
    Column("move_uploaded_dir", Text),
    Column("listening", Boolean, nullable=False, server_default=text("true")),
    Column("ingested", BigInteger, nullable=False, server_default=text("0")),
    Column("failed", BigInteger, nullable=False, server_default=text("0")),
    #: Why the latest upload failed; NULL when it did not.
    Column("last_error", Text),
    moment("last_upload_at", nullable=True),
    #: When its program last said that it is there, and what was wrong then.
    moment("seen_at", nullable=True),
    Column("problem", Text),
    moment("created_at"),
    moment("updated_at"),
    Index(None, "event_id"),
)
