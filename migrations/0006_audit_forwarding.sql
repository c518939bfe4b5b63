-- How far the audit log was written to AGENT_KEYS_AUDIT_LOG. The events after that wait to be written.
CREATE TABLE audit_forwarding (
    -- The setting's text.
    destination TEXT NOT NULL PRIMARY KEY,
    -- Every event up to this number was written.
    sequence BIGINT NOT NULL,
    written_at BIGINT NOT NULL
);
