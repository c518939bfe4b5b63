-- Failed sign-ins, counted where neither a flood of other names nor a restart makes them forgotten. What was typed
-- is not here, only a digest of it: people type passwords into the wrong field.
CREATE TABLE sign_in_attempts (
    -- A digest of the account's name or of the network address.
    subject TEXT NOT NULL PRIMARY KEY,
    failures BIGINT NOT NULL,
    -- Attempts that were turned away since the last one that was let through.
    refusals BIGINT NOT NULL,
    -- When the last attempt was let through.
    tried_at BIGINT NOT NULL,
    -- When the next one will be.
    next_at BIGINT NOT NULL
);
CREATE INDEX sign_in_attempts_by_time ON sign_in_attempts (tried_at);
