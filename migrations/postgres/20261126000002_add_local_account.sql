-- The same versions and names as migrations/sqlite; a test compares the two.

-- Who signs in here itself, by e-mail address and password. The person is the row of "user".
CREATE TABLE local_account (
    user_id       UUID NOT NULL PRIMARY KEY REFERENCES "user" (id),
    -- In small letters: it is typed to sign in, and tells nobody apart elsewhere.
    email         TEXT NOT NULL UNIQUE,
    -- As a PHC string, with its algorithm, parameters and salt.
    password_hash TEXT NOT NULL,
    changed_at    TIMESTAMPTZ NOT NULL
);

-- How often signing in has failed lately, for each account and address.
CREATE TABLE sign_in_throttle (
    -- SHA-256 of which of the two it is and its value: no personal data.
    key           TEXT NOT NULL PRIMARY KEY,
    failures      INTEGER NOT NULL,
    -- The first of these failures.
    window_start  TIMESTAMPTZ NOT NULL,
    blocked_until TIMESTAMPTZ
);

CREATE INDEX sign_in_throttle_window_start ON sign_in_throttle (window_start);
