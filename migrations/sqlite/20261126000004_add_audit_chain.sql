-- The same versions and names as migrations/postgres; a test compares the two.

-- Who acted, where it was a person; null for the system and for an operator at the command line.
-- audit_event.user_id is whom it is about.
ALTER TABLE audit_event ADD COLUMN actor_id BLOB REFERENCES "user" (id);
-- The salted digest of what audit_personal holds of this entry; it outlives that row.
ALTER TABLE audit_event ADD COLUMN personal_digest TEXT;

-- What an entry says of a person beyond ids. Erasing a person deletes these rows, never an entry.
CREATE TABLE audit_personal (
    event_id BLOB NOT NULL PRIMARY KEY REFERENCES audit_event (id),
    user_id  BLOB NOT NULL REFERENCES "user" (id),
    salt     TEXT NOT NULL,
    -- JSON as it was digested.
    data     TEXT NOT NULL
);
CREATE INDEX audit_personal_user_id ON audit_personal (user_id);

-- The chain: each hash covers the one before it and the entry.
CREATE TABLE audit_seal (
    -- From 1, without gaps.
    seq      BIGINT NOT NULL PRIMARY KEY,
    event_id BLOB NOT NULL UNIQUE REFERENCES audit_event (id),
    hash     TEXT NOT NULL
);

-- What waits for its seal. Filled by a trigger, so that an older version beside this one fills it too.
CREATE TABLE audit_unsealed (
    event_id BLOB NOT NULL PRIMARY KEY,
    at       TEXT NOT NULL
);
CREATE INDEX audit_unsealed_at ON audit_unsealed (at, event_id);
INSERT INTO audit_unsealed (event_id, at) SELECT id, at FROM audit_event;

CREATE TRIGGER audit_event_waits AFTER INSERT ON audit_event
BEGIN
    INSERT INTO audit_unsealed (event_id, at) VALUES (NEW.id, NEW.at);
END;

CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event
BEGIN
    SELECT RAISE(ABORT, 'audit_event is append-only: UPDATE is refused');
END;
CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event
BEGIN
    SELECT RAISE(ABORT, 'audit_event is append-only: DELETE is refused');
END;
-- REPLACE deletes without asking the trigger above.
CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON audit_event
WHEN EXISTS (SELECT 1 FROM audit_event WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'audit_event is append-only: REPLACE is refused');
END;
CREATE TRIGGER audit_seal_no_update BEFORE UPDATE ON audit_seal
BEGIN
    SELECT RAISE(ABORT, 'audit_seal is append-only: UPDATE is refused');
END;
CREATE TRIGGER audit_seal_no_delete BEFORE DELETE ON audit_seal
BEGIN
    SELECT RAISE(ABORT, 'audit_seal is append-only: DELETE is refused');
END;
CREATE TRIGGER audit_seal_no_replace BEFORE INSERT ON audit_seal
WHEN EXISTS (SELECT 1 FROM audit_seal WHERE seq = NEW.seq OR event_id = NEW.event_id)
BEGIN
    SELECT RAISE(ABORT, 'audit_seal is append-only: REPLACE is refused');
END;
-- These rows may go, but not change.
CREATE TRIGGER audit_personal_no_update BEFORE UPDATE ON audit_personal
BEGIN
    SELECT RAISE(ABORT, 'audit_personal is append-only: UPDATE is refused');
END;
CREATE TRIGGER audit_personal_no_replace BEFORE INSERT ON audit_personal
WHEN EXISTS (SELECT 1 FROM audit_personal WHERE event_id = NEW.event_id)
BEGIN
    SELECT RAISE(ABORT, 'audit_personal is append-only: REPLACE is refused');
END;
