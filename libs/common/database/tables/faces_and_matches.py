"""Faces and selfies, and which of them are alike."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)

from libs.common.database.tables.columns import identity, metadata, moment, reference

selfies = Table(
    "selfies",
    metadata,
    identity(),
    reference("user_id", "users.id"),
    Column("filename", Text, nullable=False),
    Column("object_key", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    #: The guest's consent to face matching, given by sending the selfie.
    moment("consented_at"),
    moment("created_at"),
    #: When messages for the selfie were last put in the outbox; the reconciler goes by it.
    moment("enqueued_at"),
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
    moment("claimed_at"),
    Column("engine", Text),
    Column("embedding", LargeBinary),
    Column("external_face_id", Text),
    moment("indexed_at", nullable=True),
    moment("finished_at", nullable=True),
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
    identity(),
    reference("photo_id", "photos.id"),
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
    moment("created_at"),
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
    #: "not_me" is the guest's own word, "not_them" the photographer's; "added" is either's.
    Column("verdict", Text, nullable=False),
    #: Who added the guest; kept under a "not_me", so that taking that back brings this back.
    reference("added_by", "users.id", nullable=True),
    #: The photographer's "not them" under a guest's "not me": taking that back brings this back.
    Column("excluded", Boolean, nullable=False, server_default=text("false")),
    moment("decided_at"),
    CheckConstraint("verdict IN ('not_me', 'not_them', 'added')", name="verdict"),
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

#: What checks of pictures found, for minutes, so that a selfie is analysed once. The embedding is
#: hidden by the picture, which is not here. Unlogged: it is in no backup of the server's files,
#: and not in its log; and of a backup by pg_dump it is left out.
face_checks = Table(
    "face_checks",
    metadata,
    Column("name", LargeBinary, primary_key=True),
    #: What is to be the same where it is used: the engine, and the rule.
    Column("made_by", Text, nullable=False),
    #: NULL where another service's faces are matched.
    Column("sealed", LargeBinary),
    moment("made_at"),
    Index(None, "made_at"),
    prefixes=["UNLOGGED"],
)
