"""Walls: links by which a screen at the venue shows an event's photos.

One that was revoked must not come back with a backup, so it is noted as other deletions are.
"""

from alembic import op

revision = "0050"
down_revision = "0043"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE walls (
    id UUID NOT NULL,
    event_id BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT walls_pkey PRIMARY KEY (id),
    CONSTRAINT walls_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE
)
""",
    "CREATE INDEX walls_event_id_idx ON walls (event_id)",
    """
CREATE TRIGGER note_erasures AFTER DELETE ON walls REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION note_erasures('id::text')
""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE walls")
