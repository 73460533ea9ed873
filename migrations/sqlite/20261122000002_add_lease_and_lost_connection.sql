-- The same versions and names as migrations/postgres; a test compares the two.

-- Who does the work that one instance at a time may do. A row rather than a session lock: those do
-- not exist behind a transaction pooler.
CREATE TABLE lease (
    name       TEXT NOT NULL PRIMARY KEY,
    holder     BLOB NOT NULL,
    expires_at TEXT NOT NULL
);

-- What Nango no longer had when it was looked for. Should it come back (a key of another environment
-- looks just so), it is bound again rather than deleted as an orphan.
ALTER TABLE user_connector_connection ADD COLUMN lost_connection_id TEXT;

-- The watcher's other question: which attempts ended a short while ago.
CREATE INDEX connect_attempt_expires_at ON connect_attempt (expires_at);
