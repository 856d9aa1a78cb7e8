"""Photos know their camera, whose clock can be put right for an event.

Of photos that came before nothing is known. Nobody reads photos while a column is added: that all
refer to a camera that is there is checked later (0064), and nothing is to be checked.
"""

from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE cameras (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    event_id BIGINT NOT NULL,
    make TEXT NOT NULL,
    model TEXT NOT NULL,
    serial TEXT NOT NULL,
    shift_seconds INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT cameras_pkey PRIMARY KEY (id),
    CONSTRAINT cameras_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id)
        ON DELETE CASCADE
)
""",
    "CREATE UNIQUE INDEX cameras_event_id_key ON cameras (event_id, make, model, serial)",
    """
ALTER TABLE photos
    ADD COLUMN camera_id BIGINT,
    ADD COLUMN clock_shift INTEGER DEFAULT 0 NOT NULL,
    ADD CONSTRAINT photos_camera_id_fkey FOREIGN KEY(camera_id) REFERENCES cameras (id)
        ON DELETE SET NULL NOT VALID
""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "UPDATE photos SET taken_at = taken_at - clock_shift * interval '1 second'"
        " WHERE clock_shift != 0"
    )
    op.execute("ALTER TABLE photos DROP COLUMN clock_shift, DROP COLUMN camera_id")
    op.execute("DROP TABLE cameras")
