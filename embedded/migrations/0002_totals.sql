-- The groups once more without their expirations: a few rows for each owner, for the many
-- lists that are not filtered by expiration. Kept by triggers on the groups.
CREATE TABLE api_key_totals (
    type TEXT NOT NULL,
    username TEXT NOT NULL,
    realm_name TEXT NOT NULL,
    invalidated INTEGER NOT NULL,
    application TEXT,
    system TEXT,
    irregular INTEGER NOT NULL,
    weight INTEGER NOT NULL
);

CREATE UNIQUE INDEX api_key_totals_identity ON api_key_totals (
    username, realm_name, invalidated, type, irregular,
    ifnull(application, x'00'), ifnull(system, x'00')
);

INSERT INTO api_key_totals (type, username, realm_name, invalidated, application, system, irregular, weight)
SELECT type, username, realm_name, invalidated, application, system, irregular, sum(weight)
FROM api_key_groups
GROUP BY type, username, realm_name, invalidated, application, system, irregular;

CREATE TRIGGER api_key_groups_count_insert AFTER INSERT ON api_key_groups BEGIN
    INSERT INTO api_key_totals (type, username, realm_name, invalidated, application, system, irregular, weight)
    VALUES (NEW.type, NEW.username, NEW.realm_name, NEW.invalidated, NEW.application, NEW.system, NEW.irregular, NEW.weight)
    ON CONFLICT (username, realm_name, invalidated, type, irregular,
                 ifnull(application, x'00'), ifnull(system, x'00'))
    DO UPDATE SET weight = weight + excluded.weight;
END;

-- A group is deleted when its weight is 0, so only updates take anything away.
CREATE TRIGGER api_key_groups_count_update AFTER UPDATE OF weight ON api_key_groups BEGIN
    UPDATE api_key_totals SET weight = weight + NEW.weight - OLD.weight
    WHERE username = NEW.username AND realm_name = NEW.realm_name AND invalidated = NEW.invalidated
      AND type = NEW.type AND irregular = NEW.irregular
      AND ifnull(application, x'00') = ifnull(NEW.application, x'00')
      AND ifnull(system, x'00') = ifnull(NEW.system, x'00');
    DELETE FROM api_key_totals
    WHERE weight = 0 AND username = NEW.username AND realm_name = NEW.realm_name
      AND invalidated = NEW.invalidated;
END;
