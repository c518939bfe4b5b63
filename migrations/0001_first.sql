-- One text for SQLite and PostgreSQL: only TEXT and BIGINT, times in milliseconds since 1970.
-- Migrations are only ever added, never changed.

-- Who is signed in. The cookie's token is not here, only a digest of it; the credential is sealed with a key
-- that needs the token.
CREATE TABLE sessions (
    id_hash TEXT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL,
    realm TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    touched_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_person ON sessions (username, realm);
CREATE INDEX sessions_by_touch ON sessions (touched_at);

-- How APM Server accepts agents: at most one row.
CREATE TABLE apm_settings (
    id BIGINT NOT NULL PRIMARY KEY,
    server_url TEXT,
    api_key_enabled BIGINT NOT NULL,
    api_key_limit BIGINT NOT NULL,
    saved_at BIGINT NOT NULL,
    saved_by TEXT NOT NULL
);

-- Every change that is asked of Elasticsearch: written before it is asked, and again when it has answered.
CREATE TABLE operations (
    username TEXT NOT NULL,
    realm TEXT NOT NULL,
    id TEXT NOT NULL,
    action TEXT NOT NULL,
    state TEXT NOT NULL,
    target_id TEXT,
    target_name TEXT,
    began_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (username, realm, id)
);
CREATE INDEX operations_by_state ON operations (state, began_at);

-- What happened. Rows are only ever added. The sequence has no gaps: the one row of audit_head hands it out, and
-- a transaction that is rolled back gives its number back.
CREATE TABLE audit_head (
    id BIGINT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL
);
INSERT INTO audit_head (id, sequence) VALUES (1, 0);

CREATE TABLE audit_events (
    sequence BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT,
    actor_realm TEXT,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    target_id TEXT,
    target_name TEXT,
    operation TEXT,
    request_id TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX audit_events_by_time ON audit_events (at);
