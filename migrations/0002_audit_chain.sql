-- Every event as the text that was written down, and the code that ties it to the event before. Events from before
-- this migration are written out and chained when the application starts.
ALTER TABLE audit_events ADD COLUMN record TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN mac TEXT NOT NULL DEFAULT '';

-- The code of the last event, for the next one; and what the first event is tied to.
ALTER TABLE audit_head ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_head ADD COLUMN origin TEXT NOT NULL DEFAULT '';
