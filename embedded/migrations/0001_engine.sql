-- Facts about this engine that are made once: its cluster's uuid.
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- People and services that sign in with a password.
-- A reserved user is part of Elasticsearch; only its password and its enabled flag change.
CREATE TABLE users (
    username TEXT PRIMARY KEY,
    -- A PHC string, or NULL: nobody signs in as this user yet.
    password_hash TEXT,
    roles TEXT NOT NULL,
    full_name TEXT,
    email TEXT,
    metadata TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    reserved INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO users (username, password_hash, roles, metadata, enabled, reserved) VALUES
    ('elastic', NULL, '["superuser"]', '{"_reserved":true}', 1, 1),
    ('kibana', NULL, '["kibana_system"]', '{"_reserved":true,"_deprecated":true,"_deprecated_reason":"Please use the [kibana_system] user instead."}', 1, 1),
    ('kibana_system', NULL, '["kibana_system"]', '{"_reserved":true}', 1, 1),
    ('apm_system', NULL, '["apm_system"]', '{"_reserved":true}', 1, 1),
    ('beats_system', NULL, '["beats_system"]', '{"_reserved":true}', 1, 1),
    ('logstash_system', NULL, '["logstash_system"]', '{"_reserved":true}', 1, 1),
    ('remote_monitoring_user', NULL, '["remote_monitoring_collector","remote_monitoring_agent"]', '{"_reserved":true}', 1, 1);

CREATE TABLE roles (
    name TEXT PRIMARY KEY,
    -- The normalised descriptor, as it is answered.
    descriptor TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE role_mappings (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE application_privileges (
    application TEXT NOT NULL,
    name TEXT NOT NULL,
    actions TEXT NOT NULL,
    metadata TEXT NOT NULL,
    PRIMARY KEY (application, name)
) WITHOUT ROWID;

-- JSON texts that many keys share: role descriptors, owner snapshots, owners' details.
-- A million keys of one team hold a handful of them.
CREATE TABLE documents (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    body TEXT NOT NULL
);

-- Times are milliseconds since 1970. Column names are the names a query uses.
CREATE TABLE api_keys (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    -- 16 bytes of salt, then SHA-256 over the salt and the secret.
    secret_hash BLOB NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    creation INTEGER NOT NULL,
    expiration INTEGER,
    invalidated INTEGER NOT NULL,
    invalidation INTEGER,
    username TEXT NOT NULL,
    realm_name TEXT NOT NULL,
    realm_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    -- The leaves `metadata.application` and `metadata.system`, which nearly every query asks for.
    application TEXT,
    system TEXT,
    -- 1 when one of the two holds several values; then all leaves are in `api_key_leaves`.
    irregular INTEGER NOT NULL,
    creator INTEGER NOT NULL REFERENCES documents (number),
    role_descriptors INTEGER NOT NULL REFERENCES documents (number),
    limited_by INTEGER NOT NULL REFERENCES documents (number)
);

-- One index for each order a list is read in. The second and third columns make a page
-- of a list with many equal values as quick as one without.
CREATE INDEX api_keys_by_creation ON api_keys (creation, name);
CREATE INDEX api_keys_by_name ON api_keys (name, creation);
CREATE INDEX api_keys_by_username ON api_keys (username, creation, name);
CREATE INDEX api_keys_by_username_newest ON api_keys (username, creation DESC, name);
CREATE INDEX api_keys_by_expiration ON api_keys (expiration, creation, name);
CREATE INDEX api_keys_by_expiration_newest ON api_keys (expiration, creation DESC, name);
CREATE INDEX api_keys_by_invalidation ON api_keys (invalidation) WHERE invalidated = 1;
CREATE INDEX api_keys_irregular ON api_keys (irregular) WHERE irregular = 1;

-- Every other leaf of a key's metadata as text, the way a flattened field is indexed.
CREATE TABLE api_key_leaves (
    path TEXT NOT NULL,
    value TEXT NOT NULL,
    api_key INTEGER NOT NULL REFERENCES api_keys (number),
    PRIMARY KEY (path, value, api_key)
) WITHOUT ROWID;

CREATE INDEX api_key_leaves_by_key ON api_key_leaves (api_key);

-- How many keys share the values that lists are filtered by, so that a total over a
-- million keys is a sum over a few rows. `expiration` is the first millisecond of the
-- day on which the keys of the group expire. Kept by the triggers below, in the
-- transaction of the change itself.
CREATE TABLE api_key_groups (
    type TEXT NOT NULL,
    username TEXT NOT NULL,
    realm_name TEXT NOT NULL,
    invalidated INTEGER NOT NULL,
    application TEXT,
    system TEXT,
    expiration INTEGER,
    irregular INTEGER NOT NULL,
    weight INTEGER NOT NULL
);

-- The blob stands for "none": no text and no number is equal to it.
CREATE UNIQUE INDEX api_key_groups_identity ON api_key_groups (
    username, realm_name, invalidated, type, irregular,
    ifnull(application, x'00'), ifnull(system, x'00'), ifnull(expiration, x'00')
);

CREATE TRIGGER api_keys_count_insert AFTER INSERT ON api_keys BEGIN
    INSERT INTO api_key_groups (type, username, realm_name, invalidated, application, system, expiration, irregular, weight)
    VALUES (NEW.type, NEW.username, NEW.realm_name, NEW.invalidated, NEW.application, NEW.system,
            NEW.expiration / 86400000 * 86400000, NEW.irregular, 1)
    ON CONFLICT (username, realm_name, invalidated, type, irregular,
                 ifnull(application, x'00'), ifnull(system, x'00'), ifnull(expiration, x'00'))
    DO UPDATE SET weight = weight + 1;
END;

CREATE TRIGGER api_keys_count_delete AFTER DELETE ON api_keys BEGIN
    UPDATE api_key_groups SET weight = weight - 1
    WHERE username = OLD.username AND realm_name = OLD.realm_name AND invalidated = OLD.invalidated
      AND type = OLD.type AND irregular = OLD.irregular
      AND ifnull(application, x'00') = ifnull(OLD.application, x'00')
      AND ifnull(system, x'00') = ifnull(OLD.system, x'00')
      AND ifnull(expiration, x'00') = ifnull(OLD.expiration / 86400000 * 86400000, x'00');
    DELETE FROM api_key_groups
    WHERE weight = 0 AND username = OLD.username AND realm_name = OLD.realm_name
      AND invalidated = OLD.invalidated;
    DELETE FROM api_key_leaves WHERE api_key = OLD.number;
END;

CREATE TRIGGER api_keys_count_update AFTER UPDATE OF
    type, username, realm_name, invalidated, application, system, expiration, irregular ON api_keys BEGIN
    UPDATE api_key_groups SET weight = weight - 1
    WHERE username = OLD.username AND realm_name = OLD.realm_name AND invalidated = OLD.invalidated
      AND type = OLD.type AND irregular = OLD.irregular
      AND ifnull(application, x'00') = ifnull(OLD.application, x'00')
      AND ifnull(system, x'00') = ifnull(OLD.system, x'00')
      AND ifnull(expiration, x'00') = ifnull(OLD.expiration / 86400000 * 86400000, x'00');
    INSERT INTO api_key_groups (type, username, realm_name, invalidated, application, system, expiration, irregular, weight)
    VALUES (NEW.type, NEW.username, NEW.realm_name, NEW.invalidated, NEW.application, NEW.system,
            NEW.expiration / 86400000 * 86400000, NEW.irregular, 1)
    ON CONFLICT (username, realm_name, invalidated, type, irregular,
                 ifnull(application, x'00'), ifnull(system, x'00'), ifnull(expiration, x'00'))
    DO UPDATE SET weight = weight + 1;
    DELETE FROM api_key_groups
    WHERE weight = 0 AND username = OLD.username AND realm_name = OLD.realm_name
      AND invalidated = OLD.invalidated;
END;

-- Access tokens of the OAuth2 endpoints. Only digests of the tokens are kept.
CREATE TABLE tokens (
    access_digest BLOB PRIMARY KEY,
    refresh_digest BLOB UNIQUE,
    username TEXT NOT NULL,
    realm_name TEXT NOT NULL,
    created INTEGER NOT NULL,
    access_expires INTEGER NOT NULL,
    refresh_expires INTEGER,
    access_invalidated INTEGER NOT NULL,
    refresh_invalidated INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX tokens_by_user ON tokens (username, realm_name);
