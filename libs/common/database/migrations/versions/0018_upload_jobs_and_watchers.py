"""Uploads that are told of as jobs, and the folder watchers that send photos."""

from alembic import op

revision = "0018"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE upload_jobs (
    id UUID NOT NULL,
    event_id BIGINT NOT NULL,
    photographer_id BIGINT,
    photo_ids BIGINT[] NOT NULL,
    refused INTEGER NOT NULL,
    errors JSONB NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT upload_jobs_pkey PRIMARY KEY (id),
    CONSTRAINT upload_jobs_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE,
    CONSTRAINT upload_jobs_photographer_id_fkey FOREIGN KEY(photographer_id) REFERENCES users (id) ON DELETE SET NULL
);

CREATE INDEX upload_jobs_event_id_idx ON upload_jobs (event_id);

CREATE INDEX upload_jobs_photographer_id_idx ON upload_jobs (photographer_id);

CREATE INDEX upload_jobs_started_at_idx ON upload_jobs (started_at);

CREATE TABLE watchers (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    event_id BIGINT NOT NULL,
    label TEXT,
    machine_label TEXT,
    expected_path TEXT,
    move_uploaded_dir TEXT,
    listening BOOLEAN DEFAULT true NOT NULL,
    ingested BIGINT DEFAULT 0 NOT NULL,
    failed BIGINT DEFAULT 0 NOT NULL,
    last_error TEXT,
    last_upload_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT watchers_pkey PRIMARY KEY (id),
    CONSTRAINT watchers_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE
);

CREATE INDEX watchers_event_id_idx ON watchers (event_id);
"""


def upgrade() -> None:
    for statement in TABLES.split(";\n\n"):
        op.execute(statement)
