"""Which text somebody consented to, when, and in which language."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE consents (
            id BIGINT GENERATED ALWAYS AS IDENTITY,
            user_id BIGINT NOT NULL,
            version TEXT NOT NULL,
            language TEXT NOT NULL,
            given_by TEXT NOT NULL,
            given_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT consents_pkey PRIMARY KEY (id),
            CONSTRAINT consents_user_id_fkey
                FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
            CONSTRAINT consents_given_by_check CHECK (given_by IN ('selfie', 'join', 'asked'))
        )
    """)
    op.execute("CREATE INDEX consents_user_id_id_idx ON consents (user_id, id)")
    op.execute(
        "INSERT INTO consents (user_id, version, language, given_by, given_at)"
        " SELECT user_id, 'unversioned', 'en', 'selfie', consented_at FROM selfies ORDER BY id"
    )
