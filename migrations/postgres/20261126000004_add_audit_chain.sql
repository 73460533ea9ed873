-- The same versions and names as migrations/sqlite; a test compares the two.

-- Who acted, where it was a person; null for the system and for an operator at the command line.
-- audit_event.user_id is whom it is about.
ALTER TABLE audit_event ADD COLUMN actor_id UUID REFERENCES "user" (id);
-- The salted digest of what audit_personal holds of this entry; it outlives that row.
ALTER TABLE audit_event ADD COLUMN personal_digest TEXT;

-- What an entry says of a person beyond ids. Erasing a person deletes these rows, never an entry.
CREATE TABLE audit_personal (
    event_id UUID NOT NULL PRIMARY KEY REFERENCES audit_event (id),
    user_id  UUID NOT NULL REFERENCES "user" (id),
    salt     TEXT NOT NULL,
    -- JSON as it was digested, hence no JSONB, which would write it anew.
    data     TEXT NOT NULL
);
CREATE INDEX audit_personal_user_id ON audit_personal (user_id);

-- The chain: each hash covers the one before it and the entry.
CREATE TABLE audit_seal (
    -- From 1, without gaps.
    seq      BIGINT NOT NULL PRIMARY KEY,
    event_id UUID NOT NULL UNIQUE REFERENCES audit_event (id),
    hash     TEXT NOT NULL
);

-- What waits for its seal. Filled by a trigger, so that an older version beside this one fills it too.
CREATE TABLE audit_unsealed (
    event_id UUID NOT NULL PRIMARY KEY,
    at       TIMESTAMPTZ NOT NULL
);
CREATE INDEX audit_unsealed_at ON audit_unsealed (at, event_id);
INSERT INTO audit_unsealed (event_id, at) SELECT id, at FROM audit_event;

CREATE FUNCTION audit_event_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_unsealed (event_id, at) VALUES (NEW.id, NEW.at);
    RETURN NULL;
END $$;
CREATE TRIGGER audit_event_waits AFTER INSERT ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_event_waits();

CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
-- These rows may go, but not change.
CREATE TRIGGER audit_personal_append_only BEFORE UPDATE ON audit_personal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
