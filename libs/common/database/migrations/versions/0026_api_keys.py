"""API keys of photographers, for watchers and tools.

One that was revoked must not come back with a backup, so it is noted as other deletions are.
"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE api_keys (
    id UUID NOT NULL,
    user_id BIGINT NOT NULL,
    event_id BIGINT,
    name TEXT NOT NULL,
    digest BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    last_used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE
)
""",
    "CREATE INDEX api_keys_user_id_idx ON api_keys (user_id)",
    "CREATE INDEX api_keys_event_id_idx ON api_keys (event_id)",
    """
CREATE TRIGGER note_erasures AFTER DELETE ON api_keys REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION note_erasures('id::text')
""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
