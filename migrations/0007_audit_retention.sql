-- Up to where the audit log was cut because of its age: at most one row, with the number and the code of the last
-- event that is gone, and a code over both.
CREATE TABLE audit_cut (
    id BIGINT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    mac TEXT NOT NULL,
    code TEXT NOT NULL
);
