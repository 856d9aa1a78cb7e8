"""Photos that people take along as archives, and what archives must know of guests' copies."""

from alembic import op

revision = "0038"
down_revision = "0033"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE guest_copies (
    photo_id BIGINT NOT NULL,
    rules SMALLINT NOT NULL,
    size_bytes BIGINT,
    crc32 BIGINT,
    is_picture BOOLEAN DEFAULT false NOT NULL,
    failure TEXT,
    noted_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT guest_copies_pkey PRIMARY KEY (photo_id),
    CONSTRAINT guest_copies_photo_id_fkey FOREIGN KEY(photo_id) REFERENCES photos (id)
        ON DELETE CASCADE,
    CONSTRAINT guest_copies_failure_check
        CHECK ((failure IS NULL) = (size_bytes IS NOT NULL AND crc32 IS NOT NULL))
)
""",
    """
CREATE TABLE downloads (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    photo_ids BIGINT[] NOT NULL,
    folders TEXT NOT NULL,
    photographers JSONB NOT NULL,
    digest BYTEA NOT NULL,
    etag TEXT,
    CONSTRAINT downloads_pkey PRIMARY KEY (id),
    CONSTRAINT downloads_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id)
        ON DELETE CASCADE,
    CONSTRAINT downloads_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id)
        ON DELETE CASCADE,
    CONSTRAINT downloads_folders_check CHECK (folders IN ('none', 'photographer', 'day'))
)
""",
    "CREATE UNIQUE INDEX downloads_user_id_digest_key ON downloads (user_id, digest)",
    "CREATE INDEX downloads_event_id_idx ON downloads (event_id)",
    "CREATE INDEX downloads_expires_at_idx ON downloads (expires_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
