"""Guests keep the photos that they want to find again."""

from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE favourites (
    user_id BIGINT NOT NULL,
    photo_id BIGINT NOT NULL,
    chosen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT favourites_pkey PRIMARY KEY (user_id, photo_id),
    CONSTRAINT favourites_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id)
        ON DELETE CASCADE,
    CONSTRAINT favourites_photo_id_fkey FOREIGN KEY(photo_id) REFERENCES photos (id)
        ON DELETE CASCADE
)
""",
    "CREATE INDEX favourites_photo_id_idx ON favourites (photo_id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE favourites")
