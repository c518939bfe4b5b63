-- How far the audit log was sent to a data stream of Elasticsearch. The log itself is what is still to be sent.
CREATE TABLE audit_streams (
    -- The address of Elasticsearch, and the data stream's name.
    target TEXT NOT NULL PRIMARY KEY,
    -- Every event up to this number is there.
    sequence BIGINT NOT NULL,
    sent_at BIGINT NOT NULL
);
