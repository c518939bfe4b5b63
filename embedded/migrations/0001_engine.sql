-- Constants of this engine: the uuid of its cluster.
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Users with a password. Only the password and the enabled flag of reserved users change.
CREATE TABLE users (
    username TEXT PRIMARY KEY,
    -- A PHC string; NULL until the user gets a password.
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
    -- The normalized descriptor, as in responses.
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

-- JSON documents that many keys share: role descriptors, snapshots of owners' roles, details of owners.
-- A million keys of one team share a few.
CREATE TABLE documents (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    body TEXT NOT NULL
);

-- Times are in milliseconds since 1970. Columns have the names of query fields.
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
    -- The values of `metadata.application` and `metadata.system`, which nearly every query uses.
    application TEXT,
    system TEXT,
    -- 1 for a multi-valued key: one of the two has several values, and all values are in `api_key_leaves`.
    irregular INTEGER NOT NULL,
    creator INTEGER NOT NULL REFERENCES documents (number),
    role_descriptors INTEGER NOT NULL REFERENCES documents (number),
    limited_by INTEGER NOT NULL REFERENCES documents (number)
);

-- One index for each sort order of a list. The second and third columns keep pages fast
-- when many keys have the same value.
CREATE INDEX api_keys_by_creation ON api_keys (creation, name);
CREATE INDEX api_keys_by_name ON api_keys (name, creation);
CREATE INDEX api_keys_by_username ON api_keys (username, creation, name);
CREATE INDEX api_keys_by_username_newest ON api_keys (username, creation DESC, name);
CREATE INDEX api_keys_by_expiration ON api_keys (expiration, creation, name);
CREATE INDEX api_keys_by_expiration_newest ON api_keys (expiration, creation DESC, name);
CREATE INDEX api_keys_by_invalidation ON api_keys (invalidation) WHERE invalidated = 1;
CREATE INDEX api_keys_irregular ON api_keys (irregular) WHERE irregular = 1;

-- Trigrams of names, for searches inside them. The names themselves are in `api_keys`, and never change.
CREATE VIRTUAL TABLE api_key_names USING fts5 (
    name, content = 'api_keys', content_rowid = 'number', tokenize = 'trigram', detail = none
);

CREATE TRIGGER api_keys_name_insert AFTER INSERT ON api_keys BEGIN
    INSERT INTO api_key_names (rowid, name) VALUES (NEW.number, NEW.name);
END;

CREATE TRIGGER api_keys_name_delete AFTER DELETE ON api_keys BEGIN
    INSERT INTO api_key_names (api_key_names, rowid, name) VALUES ('delete', OLD.number, OLD.name);
END;

-- All other metadata values of keys as text, as a flattened field is indexed.
CREATE TABLE api_key_leaves (
    path TEXT NOT NULL,
    value TEXT NOT NULL,
    api_key INTEGER NOT NULL REFERENCES api_keys (number),
    PRIMARY KEY (path, value, api_key)
) WITHOUT ROWID;

CREATE INDEX api_key_leaves_by_key ON api_key_leaves (api_key);

-- Numbers of keys with the same values of the filter fields, so that a total over a
-- million keys is a sum over a few rows. `expiration` is the first millisecond of the
-- day on which the keys of the group expire. The triggers below update the groups in the
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

-- The blob stands for NULL: it equals no text and no number.
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

-- The groups without their expirations: a few rows for each owner, for lists that are not
-- filtered by expiration. Triggers on the groups update them.
CREATE TABLE api_key_totals (
    type TEXT NOT NULL,
    username TEXT NOT NULL,
    realm_name TEXT NOT NULL,
    invalidated INTEGER NOT NULL,
    application TEXT,
    system TEXT,
    irregular INTEGER NOT NULL,
    weight INTEGER NOT NULL
);

CREATE UNIQUE INDEX api_key_totals_identity ON api_key_totals (
    username, realm_name, invalidated, type, irregular,
    ifnull(application, x'00'), ifnull(system, x'00')
);

CREATE TRIGGER api_key_groups_count_insert AFTER INSERT ON api_key_groups BEGIN
    INSERT INTO api_key_totals (type, username, realm_name, invalidated, application, system, irregular, weight)
    VALUES (NEW.type, NEW.username, NEW.realm_name, NEW.invalidated, NEW.application, NEW.system, NEW.irregular, NEW.weight)
    ON CONFLICT (username, realm_name, invalidated, type, irregular,
                 ifnull(application, x'00'), ifnull(system, x'00'))
    DO UPDATE SET weight = weight + excluded.weight;
END;

-- A group is deleted at weight 0, so only updates reduce a total.
CREATE TRIGGER api_key_groups_count_update AFTER UPDATE OF weight ON api_key_groups BEGIN
    UPDATE api_key_totals SET weight = weight + NEW.weight - OLD.weight
    WHERE username = NEW.username AND realm_name = NEW.realm_name AND invalidated = NEW.invalidated
      AND type = NEW.type AND irregular = NEW.irregular
      AND ifnull(application, x'00') = ifnull(NEW.application, x'00')
      AND ifnull(system, x'00') = ifnull(NEW.system, x'00');
    DELETE FROM api_key_totals
    WHERE weight = 0 AND username = NEW.username AND realm_name = NEW.realm_name
      AND invalidated = NEW.invalidated;
END;

-- Access tokens of the OAuth2 endpoints, as digests only.
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
