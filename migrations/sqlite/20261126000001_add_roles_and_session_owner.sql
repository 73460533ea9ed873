-- The same versions and names as migrations/postgres; a test compares the two.

ALTER TABLE "user" ADD COLUMN role TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin'));
-- As the sign-in tells it: to be shown, never to tell people apart.
ALTER TABLE "user" ADD COLUMN email TEXT;
-- Since then nobody gets in as this person.
ALTER TABLE "user" ADD COLUMN disabled_at TEXT;
-- Since then nothing is known of this person but the id.
ALTER TABLE "user" ADD COLUMN erased_at TEXT;

-- Whose session it is; null before somebody has signed in.
ALTER TABLE session ADD COLUMN user_id BLOB REFERENCES "user" (id);
CREATE INDEX session_user_id ON session (user_id);
