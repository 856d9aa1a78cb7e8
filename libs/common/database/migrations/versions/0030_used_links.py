"""When a one-time link was used, and which guests were told of which photos."""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


NOTICES = """
CREATE TABLE photo_notices (
    user_id BIGINT NOT NULL
        CONSTRAINT photo_notices_user_id_fkey REFERENCES users ON DELETE CASCADE,
    photo_id BIGINT NOT NULL
        CONSTRAINT photo_notices_photo_id_fkey REFERENCES photos ON DELETE CASCADE,
    notified_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    CONSTRAINT photo_notices_pkey PRIMARY KEY (user_id, photo_id)
)
"""


def upgrade() -> None:
    op.execute("ALTER TABLE account_links ADD COLUMN used_at TIMESTAMP WITH TIME ZONE")
    op.execute(NOTICES)
    op.execute("CREATE INDEX photo_notices_photo_id_idx ON photo_notices (photo_id)")
