-- The same versions and names as migrations/sqlite; a test compares the two.

-- Whose connection it was; null for what an older version wrote.
ALTER TABLE owed_deletion ADD COLUMN user_id UUID REFERENCES "user" (id);

-- What people did to others: few entries among many.
CREATE INDEX audit_event_on_others ON audit_event (actor_id, at) WHERE actor_id <> user_id;
