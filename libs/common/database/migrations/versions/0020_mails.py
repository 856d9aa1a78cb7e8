"""Mails that wait to be sent, the one-time links in them, and what language a person reads."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

MAILS = """
CREATE TABLE mails (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id BIGINT CONSTRAINT mails_user_id_fkey REFERENCES users ON DELETE CASCADE,
    recipient TEXT NOT NULL,
    template TEXT NOT NULL,
    language TEXT NOT NULL,
    content JSONB,
    status TEXT NOT NULL DEFAULT 'waiting',
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    useless_at TIMESTAMP WITH TIME ZONE NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    finished_at TIMESTAMP WITH TIME ZONE,
    error TEXT,
    CONSTRAINT mails_status_check CHECK (status IN ('waiting', 'sent', 'dead'))
)
"""

LINKS = """
CREATE TABLE account_links (
    token_hash BYTEA PRIMARY KEY,
    user_id BIGINT NOT NULL
        CONSTRAINT account_links_user_id_fkey REFERENCES users ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    email TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT account_links_purpose_check
        CHECK (purpose IN ('password_reset', 'open_account', 'other_device'))
)
"""


def upgrade() -> None:
    op.execute(
        "ALTER TABLE users ADD COLUMN language TEXT,"
        " ADD COLUMN wants_news BOOLEAN NOT NULL DEFAULT true"
    )
    op.execute(MAILS)
    op.execute("CREATE INDEX mails_waiting_idx ON mails (next_attempt_at) WHERE status = 'waiting'")
    op.execute(
        "CREATE INDEX mails_finished_idx ON mails (finished_at) WHERE finished_at IS NOT NULL"
    )
    op.execute("CREATE INDEX mails_user_id_idx ON mails (user_id)")
    op.execute(LINKS)
    op.execute("CREATE INDEX account_links_user_id_purpose_idx ON account_links (user_id, purpose)")
    op.execute("CREATE INDEX account_links_expires_at_idx ON account_links (expires_at)")
