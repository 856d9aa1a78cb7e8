"""Uploads that come in pieces, over broken connections and to any replica."""

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE resumable_uploads (
    id UUID NOT NULL,
    event_id BIGINT NOT NULL,
    user_id BIGINT,
    name TEXT NOT NULL,
    sent_metadata TEXT NOT NULL,
    watcher_id BIGINT,
    keeps_copies BOOLEAN NOT NULL,
    sha256 BYTEA,
    length BIGINT NOT NULL,
    received BIGINT DEFAULT 0 NOT NULL,
    parts TEXT[] DEFAULT '{}' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    held_by UUID,
    held_until TIMESTAMP WITH TIME ZONE,
    is_wanted BOOLEAN DEFAULT false NOT NULL,
    status TEXT,
    job_id TEXT,
    photo_id BIGINT,
    CONSTRAINT resumable_uploads_pkey PRIMARY KEY (id),
    CONSTRAINT resumable_uploads_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id)
        ON DELETE CASCADE,
    CONSTRAINT resumable_uploads_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id)
        ON DELETE SET NULL,
    CONSTRAINT resumable_uploads_received_check CHECK (received BETWEEN 0 AND length),
    CONSTRAINT resumable_uploads_status_check CHECK (status IN ('queued', 'duplicate'))
)
""",
    "CREATE INDEX resumable_uploads_event_id_status_idx ON resumable_uploads (event_id, status)",
    "CREATE INDEX resumable_uploads_user_id_status_idx ON resumable_uploads (user_id, status)",
    "CREATE INDEX resumable_uploads_expires_at_idx ON resumable_uploads (expires_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
