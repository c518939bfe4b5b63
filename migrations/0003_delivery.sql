-- Whether a new key's secret reached anybody, and what became of operations that nobody saw the end of.

-- A digest of what was asked for: the same operation with another request is refused, not repeated.
ALTER TABLE operations ADD COLUMN fingerprint TEXT;
-- When the audit trail was told that nobody had confirmed to have seen the secret.
ALTER TABLE operations ADD COLUMN unseen_at BIGINT;
CREATE INDEX operations_by_target ON operations (target_id);

-- A key whose creation was done has its secret out; nothing is known of whether anybody drew it.
UPDATE operations SET state = 'sent' WHERE action = 'agent_key_create' AND state = 'done';
UPDATE operations SET state = 'revoked' WHERE action = 'agent_key_invalidate' AND state = 'done';

-- Where Elasticsearch and this database contradict each other: told to the audit trail once for each key.
CREATE TABLE drift (
    key_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (key_id, kind)
);
