-- Active agent keys that a user may own; NULL for no limit.
ALTER TABLE apm_settings ADD COLUMN keys_per_user_max BIGINT;
