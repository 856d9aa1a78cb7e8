"""Photos are found by their camera, and those with a note by that; lists are read meanwhile."""

from alembic import op

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE photos VALIDATE CONSTRAINT photos_camera_id_fkey",
    "CREATE INDEX photos_camera_idx ON photos (camera_id, taken_at) WHERE camera_id IS NOT NULL",
    "CREATE INDEX photos_note_idx ON photos (id) WHERE processing_note IS NOT NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX photos_note_idx")
    op.execute("DROP INDEX photos_camera_idx")
