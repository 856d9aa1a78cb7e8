"""A selfie's embedding, from the check before it was taken."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE selfies ADD COLUMN engine TEXT, ADD COLUMN embedding BYTEA")
