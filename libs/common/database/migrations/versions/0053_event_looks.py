"""Events look as their organisers choose, ask for consent in their words, and say who sees all."""

from alembic import op

revision = "0053"
down_revision = "0050"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE events ADD COLUMN cover_photo_id BIGINT",
    "ALTER TABLE events ADD COLUMN accent TEXT",
    "ALTER TABLE events ADD COLUMN consent_text TEXT",
    "ALTER TABLE events ADD COLUMN selected_only BOOLEAN DEFAULT false NOT NULL",
    """
ALTER TABLE events ADD CONSTRAINT events_cover_photo_id_fkey
    FOREIGN KEY(cover_photo_id) REFERENCES photos (id) ON DELETE SET NULL
""",
    "ALTER TABLE events ADD CONSTRAINT events_accent_check CHECK (accent ~ '^#[0-9A-F]{6}$')",
    "CREATE INDEX events_cover_photo_id_idx ON events (cover_photo_id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for column in ("selected_only", "consent_text", "accent", "cover_photo_id"):
        op.execute(f"ALTER TABLE events DROP COLUMN {column}")
