"""Accounts: how they log in, what they agreed to, what was done to them, how often they try."""

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
from sqlalchemy.dialects.postgresql import JSONB, UUID

from libs.common.database.tables.columns import identity, metadata, moment, reference

users = Table(
    "users",
    metadata,
    identity(),
    Column("username", Text, nullable=False),
    #: The form by which usernames are compared. NULL for older accounts whose names look like
    #: another's, and for guests without a password, of whom any number may be called Anna.
    Column("username_key", Text),
    #: NULL for a guest who named none, or did not prove it yet.
    Column("email", Text),
    #: The same for addresses; NULL too while an address is not proved to be the account's.
    Column("email_key", Text),
    #: An address that somebody named, until its link is opened: it is nobody's, and any number
    #: may name it.
    Column("pending_email", Text),
    #: NULL for guests who need none.
    Column("password_hash", Text),
    Column("user_type", Text, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    moment("created_at"),
    #: Who a token is about: random, and never another account's, as an id may be after a restore.
    Column(
        "subject",
        UUID(as_uuid=True),
        nullable=False,
        unique=True,
        server_default=text("gen_random_uuid()"),
    ),
    #: In which mails are written ("en", "fr"); NULL where nobody has said.
    Column("language", Text),
    #: Whether mails come that the person did not ask for, such as of new photos.
    Column("wants_news", Boolean, nullable=False, server_default=text("true")),
    CheckConstraint("user_type IN ('user', 'photographer', 'admin')", name="user_type"),
    Index("users_username_key_key", "username_key", unique=True),
    Index("users_email_key_key", "email_key", unique=True),
    Index("users_username_idx", "username"),
    Index("users_email_idx", text("lower(email)")),
)

#: Logins that have not ended: a token is as good as its row.
sessions = Table(
    "sessions",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, server_default=text("gen_random_uuid()")),
    reference("user_id", "users.id"),
    moment("created_at"),
    #: Within ten minutes.
    moment("last_seen_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    #: The client, as its owner knows it again.
    Column("label", Text, nullable=False),
    Index(None, "user_id"),
    Index(None, "expires_at"),
)

#: What watchers and tools show instead of a login.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    #: The photographer whose uploads it makes.
    reference("user_id", "users.id"),
    #: The only event that it is for; all of the photographer's where it is NULL. It goes with the
    #: event: a key must never be good for more than before.
    Column("event_id", ForeignKey("events.id", ondelete="CASCADE")),
    Column("name", Text, nullable=False),
    #: SHA-256 of its secret.
    Column("digest", LargeBinary, nullable=False),
    moment("created_at"),
    moment("expires_at", nullable=True),
    #: Within ten minutes.
    moment("last_used_at", nullable=True),
    Index(None, "user_id"),
    Index(None, "event_id"),
)

#: Accounts that log in by an OpenID provider, by what it calls them.
oidc_identities = Table(
    "oidc_identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    reference("user_id", "users.id"),
    moment("linked_at"),
    Index(None, "user_id"),
)

#: Links by which somebody acts for an account without its password, once. Their tokens are known
#: to those who got them only.
account_links = Table(
    "account_links",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    reference("user_id", "users.id"),
    Column("purpose", Text, nullable=False),
    #: The address that the link was sent to, which opening it proves.
    Column("email", Text),
    moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    #: Since when it is over before its time: it was used, or a newer one took its place.
    moment("used_at", nullable=True),
    CheckConstraint(
        "purpose IN ('password_reset', 'open_account', 'other_device')", name="purpose"
    ),
    Index("account_links_user_id_purpose_idx", "user_id", "purpose"),
    Index(None, "expires_at"),
)

#: Who did what to whom. Ids of accounts and events are no references: rows outlive them. Triggers
#: refuse changes, and deletions within 90 days.
audit = Table(
    "audit",
    metadata,
    identity(),
    moment("at"),
    Column("action", Text, nullable=False),
    Column("actor_id", BigInteger),
    Column("account_id", BigInteger),
    Column("event_id", BigInteger),
    Column("object_id", BigInteger),
    #: The client's network, not its address.
    Column("address", Text),
    Column("request_id", Text),
    Column("details", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Index(None, "at"),
    Index(None, "action", "id"),
)
for _name in ("actor_id", "account_id", "event_id"):
    Index(
        f"audit_{_name}_idx",
        audit.c[_name],
        audit.c.id,
        postgresql_where=text(f"{_name} IS NOT NULL"),
    )

#: Consents to face matching, each to a version of the text; the newest counts.
consents = Table(
    "consents",
    metadata,
    identity(),
    reference("user_id", "users.id"),
    #: "unversioned" where it was given before texts had versions.
    Column("version", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("given_by", Text, nullable=False),
    moment("given_at"),
    CheckConstraint("given_by IN ('selfie', 'join', 'asked')", name="given_by"),
    Index(None, "user_id", "id"),
)

#: What was done lately by whom (a keyed hash), to refuse what is too much. Unlogged: a crash of the
#: server forgets it, and nothing is written to its log for it.
rate_limits = Table(
    "rate_limits",
    metadata,
    Column("key", Text, primary_key=True),
    #: Of the present window of time, and what was counted in it and in the one before.
    Column("number", BigInteger, nullable=False),
    Column("present", Integer, nullable=False),
    Column("former", Integer, nullable=False),
    #: Whether what came last was counted, or refused.
    Column("is_within", Boolean, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index(None, "expires_at"),
    prefixes=["UNLOGGED"],
)
