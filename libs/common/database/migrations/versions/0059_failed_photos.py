"""Photos that could not be analysed are found without reading all photos.

Like those of photographers' lists it is not built CONCURRENTLY.
"""

from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX photos_failed_idx ON photos (event_id, id) WHERE processing_status = 'failed'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX photos_failed_idx")
