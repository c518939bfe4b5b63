-- Fingerprint of the server key that writes this database: at most one row.
CREATE TABLE server_key (
    id BIGINT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL
);

-- Audit events that were written with an earlier server key: a code of the present key over number, record and MAC.
CREATE TABLE audit_seals (
    sequence BIGINT NOT NULL PRIMARY KEY,
    code TEXT NOT NULL
);
