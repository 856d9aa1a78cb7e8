"""An index that serves lists, with the instants at which photos were taken; 0069 puts it to use.

It is built beside the one in use: lists are read meanwhile, uploads wait for some seconds per
million photos.
"""

from alembic import op

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX photos_event_page_new_idx ON photos (event_id, uploaded_at DESC, id DESC)"
        " INCLUDE (filename, original_filename, content_type, photographer_id, width, height,"
        " taken_at, taken_at_offset, taken_instant, placeholder, show_in_general,"
        " processing_status)"
    )


def downgrade() -> None:
    op.execute("DROP INDEX photos_event_page_new_idx")
