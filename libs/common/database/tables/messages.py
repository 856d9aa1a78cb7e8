"""Messages and mails that wait, and who works on what."""

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
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from libs.common.database.tables.columns import identity, metadata, moment

outbox = Table(
    "outbox",
    metadata,
    identity(),
    Column("message_id", UUID(as_uuid=False), nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("mandatory", Boolean, nullable=False),
    moment("created_at"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    moment("next_attempt_at"),
    #: What goes with the message besides its body, such as its trace; mostly nothing.
    Column("headers", JSONB(none_as_null=True)),
)

#: The replicas of recognition that have been seen lately; a stopped one removes itself.
recognition_replicas = Table(
    "recognition_replicas",
    metadata,
    Column("replica_id", Text, primary_key=True),
    moment("started_at"),
    moment("seen_at"),
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
    moment("lease_until", nullable=True),
    moment("changed_at"),
)

#: Messages that were given up, until an admin replays or drops them.
dead_letters = Table(
    "dead_letters",
    metadata,
    identity(),
    Column("message_id", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    moment("died_at"),
    Column("headers", JSONB(none_as_null=True)),
    Index("dead_letters_message_key", "message_id", "queue", unique=True),
)

#: Mails that wait to be sent, and for some time a proof of those that were, without their content.
mails = Table(
    "mails",
    metadata,
    identity(),
    #: Whose account the mail is about: its rows go with the account.
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE")),
    Column("recipient", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("language", Text, nullable=False),
    #: What the template is filled with; no secrets, and nothing any more once it was sent.
    Column("content", JSONB(none_as_null=True)),
    Column("status", Text, nullable=False, server_default=text("'waiting'")),
    moment("created_at"),
    #: From then on nobody needs the mail any more.
    Column("useless_at", DateTime(timezone=True), nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    #: While a sender has the mail in hand, when others may take it over.
    moment("next_attempt_at"),
    moment("finished_at", nullable=True),
    #: What the mail server said last.
    Column("error", Text),
    CheckConstraint("status IN ('waiting', 'sent', 'dead')", name="status"),
    Index(None, "user_id"),
)
Index("mails_waiting_idx", mails.c.next_attempt_at, postgresql_where=text("status = 'waiting'"))
Index("mails_finished_idx", mails.c.finished_at, postgresql_where=text("finished_at IS NOT NULL"))
