-- One text for SQLite and PostgreSQL: only TEXT and BIGINT, times in milliseconds since 1970.
-- Migrations are only ever added, never changed.

-- Sessions. `id_hash` is a digest of the cookie's token, which is not stored. The credential is sealed with a key that
-- needs the token.
CREATE TABLE sessions (
    id_hash TEXT NOT NULL PRIMARY KEY,
    -- Public id, by which a user ends a session. Stays when the token is renewed.
    handle TEXT NOT NULL,
    username TEXT NOT NULL,
    realm TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    touched_at BIGINT NOT NULL,
    -- When the password was last entered.
    authenticated_at BIGINT NOT NULL,
    -- NULL if unknown.
    browser TEXT,
    address TEXT
);
CREATE INDEX sessions_by_person ON sessions (username, realm);
CREATE INDEX sessions_by_touch ON sessions (touched_at);
CREATE INDEX sessions_by_handle ON sessions (handle);

-- Reasons of ended sessions, for browsers that still send the token.
CREATE TABLE ended_sessions (
    id_hash TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL,
    ended_at BIGINT NOT NULL
);
CREATE INDEX ended_sessions_by_time ON ended_sessions (ended_at);

-- Failed sign-ins, by a digest of the account name or of the network address. The text that was typed is not stored:
-- users type passwords into the wrong field.
CREATE TABLE sign_in_attempts (
    subject TEXT NOT NULL PRIMARY KEY,
    failures BIGINT NOT NULL,
    -- Attempts that were rejected since the last one that was let through.
    refusals BIGINT NOT NULL,
    -- When the last attempt was let through.
    tried_at BIGINT NOT NULL,
    -- When the next attempt is let through.
    next_at BIGINT NOT NULL
);
CREATE INDEX sign_in_attempts_by_time ON sign_in_attempts (tried_at);

-- Settings of APM Server: at most one row.
CREATE TABLE apm_settings (
    id BIGINT NOT NULL PRIMARY KEY,
    server_url TEXT,
    api_key_enabled BIGINT NOT NULL,
    api_key_limit BIGINT NOT NULL,
    saved_at BIGINT NOT NULL,
    saved_by TEXT NOT NULL
);

-- Ledger of changes in Elasticsearch: the intent is written before the call, the outcome after it.
CREATE TABLE operations (
    username TEXT NOT NULL,
    realm TEXT NOT NULL,
    id TEXT NOT NULL,
    action TEXT NOT NULL,
    state TEXT NOT NULL,
    target_id TEXT,
    target_name TEXT,
    -- Digest of the request: the same operation with another request is refused, not repeated.
    fingerprint TEXT,
    began_at BIGINT NOT NULL,
    ended_at BIGINT,
    -- When an event recorded that no browser confirmed to have displayed the secret.
    unseen_at BIGINT,
    PRIMARY KEY (username, realm, id)
);
CREATE INDEX operations_by_state ON operations (state, began_at);
CREATE INDEX operations_by_target ON operations (target_id);

-- Contradictions between Elasticsearch and this database: one event for each key and kind.
CREATE TABLE drift (
    key_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (key_id, kind)
);

-- Audit events. Rows are only ever added, and removed by retention. The numbers have no gaps: the one row of audit_head
-- assigns them, and a transaction that is rolled back gives its number back.
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
    details TEXT NOT NULL,
    -- The event as JSON, and the MAC over this text and the MAC of the event before.
    record TEXT NOT NULL,
    mac TEXT NOT NULL
);
CREATE INDEX audit_events_by_time ON audit_events (at);

-- Number and MAC of the last event.
CREATE TABLE audit_head (
    id BIGINT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    mac TEXT NOT NULL
);
INSERT INTO audit_head (id, sequence, mac) VALUES (1, 0, '');

-- Retention: number and MAC of the last event that was removed because of its age, and a code over both. At most one
-- row.
CREATE TABLE audit_cut (
    id BIGINT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    mac TEXT NOT NULL,
    code TEXT NOT NULL
);

-- Position of AGENT_KEYS_AUDIT_LOG, by the text of the setting. Every event up to this number was written.
CREATE TABLE audit_forwarding (
    destination TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    written_at BIGINT NOT NULL
);
