-- What a person's list of agent keys showed when Elasticsearch was last asked: shown, dated, while it does not answer.
-- One row for a person, and only as long as they have a session. No secrets: names, owners, times and privileges.
CREATE TABLE remembered_lists (
    username TEXT NOT NULL,
    realm TEXT NOT NULL,
    -- Whose keys are in it: what the person may no longer see is forgotten.
    reach TEXT NOT NULL,
    read_at BIGINT NOT NULL,
    -- The figures of the list: other figures are another list.
    figures TEXT NOT NULL,
    -- The keys, as JSON.
    content TEXT NOT NULL,
    PRIMARY KEY (username, realm)
);
