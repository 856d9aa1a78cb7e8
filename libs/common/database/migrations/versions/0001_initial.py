"""The first schema."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE users (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    username TEXT NOT NULL,
    email TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    user_type TEXT NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_user_type_check CHECK (user_type IN ('user', 'photographer', 'admin'))
);

CREATE UNIQUE INDEX users_email_key ON users (lower(email));

CREATE UNIQUE INDEX users_username_key ON users (username);

CREATE TABLE events (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    name TEXT NOT NULL,
    event_code TEXT NOT NULL,
    code_key TEXT NOT NULL,
    date TIMESTAMP WITH TIME ZONE,
    photographer_id BIGINT,
    match_threshold REAL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (id),
    CONSTRAINT events_code_key_key UNIQUE (code_key),
    CONSTRAINT events_photographer_id_fkey FOREIGN KEY(photographer_id) REFERENCES users (id) ON DELETE SET NULL
);

CREATE INDEX events_photographer_id_idx ON events (photographer_id);

CREATE TABLE memberships (
    user_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    joined_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT memberships_pkey PRIMARY KEY (user_id, event_id),
    CONSTRAINT memberships_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT memberships_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE
);

CREATE INDEX memberships_event_id_idx ON memberships (event_id);

CREATE TABLE photos (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    event_id BIGINT NOT NULL,
    filename TEXT NOT NULL,
    original_filename TEXT NOT NULL,
    content_type TEXT NOT NULL,
    photographer_id BIGINT,
    uploaded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    sha256 BYTEA NOT NULL,
    crc32 BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    taken_at TIMESTAMP WITHOUT TIME ZONE,
    placeholder TEXT,
    show_in_general BOOLEAN,
    processing_status TEXT DEFAULT 'queued' NOT NULL,
    processing_error TEXT,
    lost_analyses SMALLINT DEFAULT 0 NOT NULL,
    engine TEXT,
    reindexing_since TIMESTAMP WITH TIME ZONE,
    enqueued_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    analyzed_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    traceparent TEXT,
    CONSTRAINT photos_pkey PRIMARY KEY (id),
    CONSTRAINT photos_processing_status_check CHECK (processing_status IN ('queued', 'analyzed', 'done', 'failed')),
    CONSTRAINT photos_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE,
    CONSTRAINT photos_filename_key UNIQUE (filename),
    CONSTRAINT photos_photographer_id_fkey FOREIGN KEY(photographer_id) REFERENCES users (id) ON DELETE SET NULL
);

CREATE INDEX photos_event_page_idx ON photos (event_id, uploaded_at DESC, id DESC) INCLUDE (filename, original_filename, content_type, photographer_id, width, height, taken_at, placeholder, show_in_general, processing_status);

CREATE INDEX photos_engine_idx ON photos (event_id, engine, id);

CREATE INDEX photos_reindexing_idx ON photos (reindexing_since) WHERE reindexing_since IS NOT NULL;

CREATE INDEX photos_photographer_id_idx ON photos (photographer_id);

CREATE INDEX photos_shown_idx ON photos (event_id) WHERE show_in_general;

CREATE INDEX photos_unfinished_idx ON photos (enqueued_at) WHERE processing_status IN ('queued', 'analyzed');

CREATE TABLE upload_digests (
    event_id BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    photo_id BIGINT NOT NULL,
    uploaded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT upload_digests_pkey PRIMARY KEY (event_id, sha256),
    CONSTRAINT upload_digests_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE,
    CONSTRAINT upload_digests_photo_id_fkey FOREIGN KEY(photo_id) REFERENCES photos (id) ON DELETE CASCADE
);

CREATE INDEX upload_digests_photo_id_idx ON upload_digests (photo_id);

CREATE TABLE selfies (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    user_id BIGINT NOT NULL,
    filename TEXT NOT NULL,
    object_key TEXT NOT NULL,
    content_type TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    consented_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    enqueued_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT selfies_pkey PRIMARY KEY (id),
    CONSTRAINT selfies_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX selfies_user_id_idx ON selfies (user_id);

CREATE TABLE selfie_indexes (
    selfie_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    status TEXT NOT NULL,
    claimed_by TEXT NOT NULL,
    claimed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    engine TEXT,
    embedding BYTEA,
    external_face_id TEXT,
    indexed_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    matched INTEGER DEFAULT 0 NOT NULL,
    error TEXT,
    CONSTRAINT selfie_indexes_pkey PRIMARY KEY (selfie_id, event_id),
    CONSTRAINT selfie_indexes_status_check CHECK (status IN ('claimed', 'indexed', 'done', 'failed')),
    CONSTRAINT selfie_indexes_selfie_id_fkey FOREIGN KEY(selfie_id) REFERENCES selfies (id) ON DELETE CASCADE,
    CONSTRAINT selfie_indexes_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE
);

CREATE INDEX selfie_indexes_engine_idx ON selfie_indexes (event_id, engine);

CREATE INDEX selfie_indexes_live_idx ON selfie_indexes (event_id, selfie_id) WHERE status IN ('indexed', 'done');

CREATE TABLE faces (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    photo_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    position SMALLINT NOT NULL,
    "left" REAL NOT NULL,
    top REAL NOT NULL,
    width REAL NOT NULL,
    height REAL NOT NULL,
    confidence REAL NOT NULL,
    quality REAL DEFAULT 1 NOT NULL,
    engine TEXT NOT NULL,
    embedding BYTEA,
    external_face_id TEXT,
    CONSTRAINT faces_pkey PRIMARY KEY (id),
    CONSTRAINT faces_photo_id_fkey FOREIGN KEY(photo_id) REFERENCES photos (id) ON DELETE CASCADE
);

CREATE INDEX faces_event_id_id_idx ON faces (event_id, id);

CREATE UNIQUE INDEX faces_photo_id_position_key ON faces (photo_id, position);

CREATE TABLE matches (
    selfie_id BIGINT NOT NULL,
    photo_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    face_id BIGINT NOT NULL,
    similarity REAL NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT matches_pkey PRIMARY KEY (selfie_id, photo_id),
    CONSTRAINT matches_selfie_id_fkey FOREIGN KEY(selfie_id) REFERENCES selfies (id) ON DELETE CASCADE,
    CONSTRAINT matches_photo_id_fkey FOREIGN KEY(photo_id) REFERENCES photos (id) ON DELETE CASCADE
);

CREATE INDEX matches_guest_idx ON matches (user_id, event_id, photo_id) INCLUDE (similarity);

CREATE INDEX matches_photo_id_idx ON matches (photo_id);

CREATE TABLE match_overrides (
    user_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    photo_id BIGINT NOT NULL,
    verdict TEXT NOT NULL,
    added_by BIGINT,
    decided_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT match_overrides_pkey PRIMARY KEY (user_id, event_id, photo_id),
    CONSTRAINT match_overrides_verdict_check CHECK (verdict IN ('not_me', 'added')),
    CONSTRAINT match_overrides_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT match_overrides_event_id_fkey FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE,
    CONSTRAINT match_overrides_photo_id_fkey FOREIGN KEY(photo_id) REFERENCES photos (id) ON DELETE CASCADE,
    CONSTRAINT match_overrides_added_by_fkey FOREIGN KEY(added_by) REFERENCES users (id) ON DELETE SET NULL
);

CREATE INDEX match_overrides_photo_id_idx ON match_overrides (photo_id);

CREATE INDEX match_overrides_event_id_idx ON match_overrides (event_id);

CREATE INDEX match_overrides_added_by_idx ON match_overrides (added_by);

CREATE TABLE matching_settings (
    id SMALLINT NOT NULL,
    threshold REAL DEFAULT 85 NOT NULL,
    CONSTRAINT matching_settings_pkey PRIMARY KEY (id),
    CONSTRAINT matching_settings_id_check CHECK (id = 1)
);

INSERT INTO matching_settings (id) VALUES (1);

CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    message_id UUID NOT NULL,
    routing_key TEXT NOT NULL,
    body BYTEA NOT NULL,
    mandatory BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    headers JSONB,
    CONSTRAINT outbox_pkey PRIMARY KEY (id)
);;

CREATE TABLE recognition_replicas (
    replica_id TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    engine TEXT,
    CONSTRAINT recognition_replicas_pkey PRIMARY KEY (replica_id)
);

CREATE TABLE match_partitions (
    partition SMALLINT NOT NULL,
    owner TEXT,
    epoch BIGINT DEFAULT 0 NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT match_partitions_pkey PRIMARY KEY (partition)
);

CREATE TABLE dead_letters (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    message_id TEXT NOT NULL,
    queue TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    body BYTEA NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    died_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    headers JSONB,
    CONSTRAINT dead_letters_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX dead_letters_message_key ON dead_letters (message_id, queue);

CREATE INDEX faces_external_idx ON faces (external_face_id) WHERE external_face_id IS NOT NULL;

CREATE INDEX selfie_indexes_waiting_idx ON selfie_indexes (event_id) WHERE status = 'indexed';

CREATE INDEX selfie_indexes_external_idx ON selfie_indexes (external_face_id) WHERE external_face_id IS NOT NULL;

CREATE TABLE external_collections (
    event_id BIGINT NOT NULL,
    is_made BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT external_collections_pkey PRIMARY KEY (event_id)
);

CREATE TABLE face_removals (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    event_id BIGINT NOT NULL,
    external_face_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT face_removals_pkey PRIMARY KEY (id)
);

CREATE INDEX face_removals_event_id_id_idx ON face_removals (event_id, id);

CREATE TABLE aws_usage (
    event_id BIGINT NOT NULL,
    operation TEXT NOT NULL,
    day DATE NOT NULL,
    calls BIGINT NOT NULL,
    CONSTRAINT aws_usage_pkey PRIMARY KEY (event_id, operation, day)
)
"""

#: A face that goes, by whatever cascade, must go at the paid service too.
REMOVE_EXTERNAL_FACES = (
    """
CREATE FUNCTION remove_external_face() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO face_removals (event_id, external_face_id)
    VALUES (OLD.event_id, OLD.external_face_id);
    RETURN NULL;
END
$$
""",
    """
CREATE TRIGGER remove_external_face AFTER DELETE ON faces
FOR EACH ROW WHEN (OLD.external_face_id IS NOT NULL) EXECUTE FUNCTION remove_external_face()
""",
    """
CREATE TRIGGER remove_external_face AFTER DELETE ON selfie_indexes
FOR EACH ROW WHEN (OLD.external_face_id IS NOT NULL) EXECUTE FUNCTION remove_external_face()
""",
)

ERASURES_TABLE = """
CREATE TABLE erasures (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    erased_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT erasures_pkey PRIMARY KEY (kind, key)
);

CREATE INDEX erasures_erased_at_idx ON erasures (erased_at);
"""

#: What people had deleted must not come back with a backup. Ids may be used again after one was
#: restored, so accounts and events are told by the moment of their making, too.
ERASURES = (
    """
CREATE FUNCTION note_erasures() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO erasures (kind, key) SELECT %L, %s FROM gone ON CONFLICT DO NOTHING',
        TG_TABLE_NAME, TG_ARGV[0]);
    RETURN NULL;
END
$$
""",
    *(
        f"""
CREATE TRIGGER note_erasures AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION note_erasures('{key}')
"""
        for table, key in (
            ("users", "md5(id || '' '' || extract(epoch FROM created_at))"),
            ("events", "md5(id || '' '' || extract(epoch FROM created_at))"),
            ("photos", "filename"),
            ("selfies", "filename"),
        )
    ),
)


def upgrade() -> None:
    for statement in f"{TABLES};\n{ERASURES_TABLE}".split(";\n"):
        if statement.strip():
            op.execute(statement)
    for statement in (*REMOVE_EXTERNAL_FACES, *ERASURES):
        op.execute(statement)
