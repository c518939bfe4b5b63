-- Rotations of keys. The operation is the creation of the new key, whose row is in operations.
CREATE TABLE rotations (
    username TEXT NOT NULL,
    realm TEXT NOT NULL,
    operation TEXT NOT NULL,
    predecessor_id TEXT NOT NULL,
    predecessor_name TEXT NOT NULL,
    -- Expiration of the old key before the rotation; NULL if it never expired.
    former_end BIGINT,
    -- Chosen end of the old key; NULL if the user revokes it.
    ends_at BIGINT,
    state TEXT NOT NULL,
    PRIMARY KEY (username, realm, operation)
);
CREATE INDEX rotations_by_predecessor ON rotations (predecessor_id);
CREATE INDEX rotations_by_state ON rotations (state, ends_at);
