-- The same versions and names as migrations/postgres; a test compares the two.

-- When all of this person's sessions were last ended (milliseconds since 1970): whoever was let in
-- before is out, also where their session was written only afterwards. Null: never.
ALTER TABLE "user" ADD COLUMN sessions_valid_from BIGINT;

-- What that was (0 for null) when the session's person was let in. Null: an older version has
-- written the session, and its own moment of signing in is compared.
ALTER TABLE session ADD COLUMN user_valid_from BIGINT;
