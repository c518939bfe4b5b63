-- What people see of their sessions, and when the password was last entered. An address or a browser that nobody
-- told stays unknown.

-- The name of a session outside: says nothing of its token, and stays when the token is renewed. A process that has not
-- been upgraded yet leaves it empty; such a session works, and only cannot be ended by its name.
ALTER TABLE sessions ADD COLUMN handle TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN browser TEXT;
ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN authenticated_at BIGINT NOT NULL DEFAULT 0;
UPDATE sessions SET handle = substr(id_hash, 1, 16);
CREATE INDEX sessions_by_handle ON sessions (handle);

-- Sessions that ended while somebody may still come with their token: why, so that it can be said.
CREATE TABLE ended_sessions (
    id_hash TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL,
    ended_at BIGINT NOT NULL
);
CREATE INDEX ended_sessions_by_time ON ended_sessions (ended_at);
