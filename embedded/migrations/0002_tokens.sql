-- Access and refresh tokens of the OAuth2 endpoints, as digests only. Those of version 1 lasted a
-- day at most, and nothing but tests could issue them.
DROP TABLE tokens;

-- Times are in milliseconds since 1970.
CREATE TABLE tokens (
    access_digest BLOB PRIMARY KEY,
    refresh_digest BLOB UNIQUE,
    username TEXT NOT NULL,
    realm_name TEXT NOT NULL,
    realm_type TEXT NOT NULL,
    -- The rest of the identity as it was at sign-in, as JSON: names of roles, full name, email, metadata.
    identity TEXT NOT NULL,
    -- The client that the token was issued to, which alone may refresh it, as JSON.
    client TEXT NOT NULL,
    created INTEGER NOT NULL,
    access_expires INTEGER NOT NULL,
    refresh_expires INTEGER,
    access_invalidated INTEGER NOT NULL,
    refresh_invalidated INTEGER NOT NULL,
    -- When the refresh token was used; NULL until then.
    refreshed INTEGER,
    -- With the refresh token itself, gives the pair that replaced it. NULL until then.
    refresh_salt BLOB
) WITHOUT ROWID;

CREATE INDEX tokens_by_user ON tokens (username, realm_name, created);
CREATE INDEX tokens_by_creation ON tokens (created);
