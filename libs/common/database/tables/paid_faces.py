"""What a paid service holds of faces, and what it was asked for."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Table, Text, text

from libs.common.database.tables.columns import identity, metadata, moment

#: Events whose faces a paid service holds, in a collection of each. The row is written before
#: the collection is made and outlives the event until the collection is deleted.
external_collections = Table(
    "external_collections",
    metadata,
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("is_made", Boolean, nullable=False, server_default=text("false")),
    moment("created_at"),
)

#: Faces that a paid service must delete; filled by triggers as faces and selfies are deleted.
face_removals = Table(
    "face_removals",
    metadata,
    identity(),
    Column("event_id", BigInteger, nullable=False),
    Column("external_face_id", Text, nullable=False),
    moment("created_at"),
    Index(None, "event_id", "id"),
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
