-- Events of one operation, for the page of the audit log.
CREATE INDEX audit_events_by_operation ON audit_events (operation, sequence) WHERE operation IS NOT NULL;

-- User names that a failed sign-in may be recorded with: of users who have signed in, or were created here.
CREATE INDEX audit_events_by_sign_in ON audit_events (actor) WHERE action = 'user_login' AND outcome = 'success';
CREATE INDEX audit_events_by_new_user ON audit_events (target_name) WHERE action = 'user_create' AND outcome = 'success';
