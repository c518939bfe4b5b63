-- Pauses of retention after a clock that jumped, which the next start looks for.
CREATE INDEX audit_events_by_pause ON audit_events (sequence)
    WHERE action = 'audit_retention_pause' OR action = 'audit_retention_resume';
