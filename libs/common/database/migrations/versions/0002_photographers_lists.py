"""An index that serves a photographer's list of uploads.

It is not built CONCURRENTLY, which cannot be part of a transaction and may leave half an index
behind. Uploads wait for some seconds per million photos; lists do not.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX photos_photographer_page_idx"
        " ON photos (photographer_id, uploaded_at DESC, id DESC)"
    )
