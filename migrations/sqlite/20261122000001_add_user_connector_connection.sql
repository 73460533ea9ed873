-- Times are RFC 3339 text in UTC, ids are 16-byte blobs, JSON is text.

CREATE TABLE "user" (
    id           BLOB NOT NULL PRIMARY KEY,
    -- A person is (issuer, subject), never an e-mail address.
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    display_name TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    UNIQUE (issuer, subject)
);

CREATE TABLE connector (
    -- The UUIDv5 of the slug.
    id         BLOB NOT NULL PRIMARY KEY,
    slug       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    -- False where the manifest says so, or is gone.
    enabled    BOOLEAN NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE TABLE user_connector_connection (
    id                  BLOB NOT NULL PRIMARY KEY,
    user_id             BLOB NOT NULL REFERENCES "user" (id),
    connector_id        BLOB NOT NULL REFERENCES connector (id),
    -- Null while pending and after a disconnect.
    nango_connection_id VARCHAR(255),
    status              TEXT NOT NULL DEFAULT 'pending'
                        CHECK (status IN ('pending', 'connected', 'disconnected', 'error')),
    connected_at        TEXT,
    disconnected_at     TEXT,
    last_synced_at      TEXT,
    config              TEXT NOT NULL DEFAULT '{}',
    last_error          TEXT,
    error_count         INTEGER NOT NULL DEFAULT 0,
    created_at          TEXT NOT NULL,
    updated_at          TEXT NOT NULL,
    -- Counts the row's changes: of two copies the higher is the newer.
    version             BIGINT NOT NULL DEFAULT 1,
    -- The integration's key at Nango when the account was connected; a manifest may change later.
    provider_config_key TEXT,
    -- The account's own name, where it is known.
    account             TEXT
);

CREATE INDEX user_connector_connection_user_id ON user_connector_connection (user_id);
CREATE INDEX user_connector_connection_connector_id ON user_connector_connection (connector_id);
CREATE INDEX user_connector_connection_status ON user_connector_connection (status);
CREATE UNIQUE INDEX user_connector_connection_nango_connection_id ON user_connector_connection (nango_connection_id);
CREATE INDEX user_connector_connection_user_id_connector_id ON user_connector_connection (user_id, connector_id);

CREATE TABLE connect_attempt (
    id                  BLOB NOT NULL PRIMARY KEY,
    user_id             BLOB NOT NULL REFERENCES "user" (id),
    connector_id        BLOB NOT NULL REFERENCES connector (id),
    connection_id       BLOB NOT NULL REFERENCES user_connector_connection (id),
    kind                TEXT NOT NULL CHECK (kind IN ('connect', 'reconnect')),
    state               TEXT NOT NULL
                        CHECK (state IN ('open', 'succeeded', 'failed', 'expired', 'cancelled')),
    error               TEXT,
    provider_config_key TEXT NOT NULL,
    -- What the person typed before the flow (never a secret), to start the flow again.
    config              TEXT NOT NULL DEFAULT '{}',
    created_at          TEXT NOT NULL,
    expires_at          TEXT NOT NULL,
    settled_at          TEXT
);

-- At most one open attempt per row.
CREATE UNIQUE INDEX connect_attempt_open ON connect_attempt (connection_id) WHERE state = 'open';
-- The watcher's sweep.
CREATE INDEX connect_attempt_state_expires_at ON connect_attempt (state, expires_at);

-- Deletions owed to Nango: durable, retried until done.
CREATE TABLE owed_deletion (
    id                  BLOB NOT NULL PRIMARY KEY,
    nango_connection_id VARCHAR(255) NOT NULL UNIQUE,
    provider_config_key TEXT NOT NULL,
    reason              TEXT NOT NULL,
    tries               INTEGER NOT NULL DEFAULT 0,
    next_try_at         TEXT NOT NULL,
    created_at          TEXT NOT NULL
);

CREATE TABLE audit_event (
    id            BLOB NOT NULL PRIMARY KEY,
    at            TEXT NOT NULL,
    -- Who did it; null for the system itself.
    user_id       BLOB REFERENCES "user" (id),
    connector_id  BLOB REFERENCES connector (id),
    connection_id BLOB REFERENCES user_connector_connection (id),
    attempt_id    BLOB REFERENCES connect_attempt (id),
    action        TEXT NOT NULL,
    detail        TEXT NOT NULL DEFAULT '{}'
);

CREATE INDEX audit_event_user_id_at ON audit_event (user_id, at);

CREATE TABLE session (
    -- SHA-256 of the cookie's value: a stolen table opens no session.
    id         TEXT NOT NULL PRIMARY KEY,
    data       TEXT NOT NULL,
    expires_at TEXT NOT NULL
);

CREATE INDEX session_expires_at ON session (expires_at);
