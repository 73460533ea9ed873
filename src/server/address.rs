//! Where the database is: from `DATABASE_URL` to the options that it is opened with. The settings are
//! checked with it when they are read, and the database is opened with it.
//!
//! May import nothing of ours. No reason repeats an address: it may hold a password.

use std::{path::Path, str::FromStr};

use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use url::Url;

pub fn is_postgres(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// What is wrong with an address, if anything is.
pub fn check(text: &str) -> Result<(), String> {
    if is_postgres(text) {
        postgres(text).map(drop)
    } else {
        sqlite(text).map(drop)
    }
}

pub fn postgres(text: &str) -> Result<PgConnectOptions, String> {
    if !is_postgres(text) || Url::parse(text).is_err() {
        return Err(
            "is not a PostgreSQL address such as postgres://user:password@host:5432/patchbay; in \
             the password, characters such as / ? # @ must be percent-encoded"
                .to_owned(),
        );
    }
    PgConnectOptions::from_str(text).map_err(reason)
}

/// `sqlite://path`, `sqlite:path` or a bare path that ends in `.db`.
pub fn sqlite(text: &str) -> Result<SqliteConnectOptions, String> {
    let Some(rest) = text.strip_prefix("sqlite:") else {
        if text.contains("://") {
            return Err(
                "is neither a file’s path nor an address that begins with postgres:// or sqlite:"
                    .to_owned(),
            );
        }
        if Path::new(text).extension().is_some_and(|end| end == "db") {
            return Ok(SqliteConnectOptions::new().filename(text));
        }
        return Err(
            "is not a path that ends in .db; a file of another name is written sqlite:PATH"
                .to_owned(),
        );
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    if path.contains(":memory:") || parameters.contains("mode=memory") {
        return Err(
            "is a database in memory, which is not supported: each connection would see one of its \
             own, and a restart would forget everything; name a file"
                .to_owned(),
        );
    }
    if path.is_empty() {
        return Err("needs the path of a file, as in sqlite://data/patchbay.db".to_owned());
    }
    SqliteConnectOptions::from_str(text).map_err(reason)
}

fn reason(error: sqlx::Error) -> String {
    let said = match error {
        sqlx::Error::Configuration(why) => why.to_string(),
        other => other.to_string(),
    };
    format!("can't be used: {said}")
}

/// The address as it may be shown: a password is hidden. Whether there was one.
pub fn shown(text: &str) -> (String, bool) {
    const HIDDEN: &str = "•••";
    if !is_postgres(text) {
        return (text.to_owned(), false);
    }
    let Ok(mut url) = Url::parse(text) else {
        return (HIDDEN.to_owned(), true);
    };
    let mut hidden = url.password().is_some();
    if hidden && url.set_password(Some("HIDDEN")).is_err() {
        return (HIDDEN.to_owned(), true);
    }
    let pairs = url.query_pairs();
    if pairs.clone().any(|(key, _)| key == "password") {
        hidden = true;
        let kept: Vec<(String, String)> = pairs
            .filter(|(key, _)| key != "password")
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        let mut query = url.query_pairs_mut();
        query.clear().extend_pairs(kept);
        query.append_pair("password", "HIDDEN");
        drop(query);
    }
    let shown = url.as_str();
    let shown = shown
        .replacen(":HIDDEN@", &format!(":{HIDDEN}@"), 1)
        .replacen("password=HIDDEN", &format!("password={HIDDEN}"), 1);
    (shown, hidden)
}

/// A PostgreSQL address as its own programs read it, without its password.
pub fn for_libpq(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    if url.password().is_some() {
        url.set_password(None).ok()?;
    }
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .filter_map(|(key, value)| {
            let key = match &*key {
                "password" | "statement-cache-capacity" => return None,
                "ssl-mode" => "sslmode",
                "ssl-root-cert" | "ssl-ca" => "sslrootcert",
                "ssl-cert" => "sslcert",
                "ssl-key" => "sslkey",
                other => other,
            };
            Some((key.to_owned(), value.into_owned()))
        })
        .collect();
    if pairs.is_empty() {
        url.set_query(None);
    } else {
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_no_use_is_refused_without_being_repeated() {
        for (text, words) in [
            (
                "mysql://me:hunter2@host/patchbay.db",
                "neither a file’s path",
            ),
            ("patchbay", "ends in .db"),
            ("", "ends in .db"),
            ("sqlite::memory:", "in memory"),
            ("sqlite:file.db?mode=memory", "in memory"),
            ("sqlite://", "needs the path"),
            ("sqlite:a.db?colour=red", "colour"),
            (
                "postgres://me:hunter2@host:notaport/db",
                "is not a PostgreSQL",
            ),
            ("postgres://me:hunter2/@host/db", "is not a PostgreSQL"),
            ("postgres://me:hunter2@host/db?sslmode=perhaps", "perhaps"),
            ("postgres://me:hunter2@host/db?port=x", "digit"),
        ] {
            let reason = check(text).expect_err(text);
            assert!(reason.contains(words), "{text}: {reason}");
            assert!(!reason.contains("hunter2"), "{reason}");
        }
        for text in [
            "data/patchbay.db",
            "/srv/a b.db",
            "sqlite:///srv/patchbay.sqlite",
            "postgres:///patchbay?host=/run/postgresql",
            "postgresql://u:p%40@[::1]:5432/patchbay?sslmode=verify-full&sslrootcert=/ca.crt",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_password_is_hidden_wherever_it_stands() {
        for (text, wanted, hidden) in [
            ("data/patchbay.db", "data/patchbay.db", false),
            ("postgres://u@h/db", "postgres://u@h/db", false),
            (
                "postgres://u:hunter2@h:1/db?sslmode=require",
                "postgres://u:•••@h:1/db?sslmode=require",
                true,
            ),
            (
                "postgres://h/db?password=hunter2&a=b",
                "postgres://h/db?a=b&password=•••",
                true,
            ),
            ("postgres://u:hunter2@h:x/db", "•••", true),
        ] {
            assert_eq!(shown(text), (wanted.to_owned(), hidden), "{text}");
        }
    }

    #[test]
    fn libpqs_programs_get_the_names_that_they_know() {
        for (text, wanted) in [
            ("postgres://u:hunter2@h:1/db", "postgres://u@h:1/db"),
            (
                "postgres://u:hunter2@h/db?ssl-mode=require&password=hunter2&statement-cache-capacity=0",
                "postgres://u@h/db?sslmode=require",
            ),
            ("postgres:///db?password=hunter2", "postgres:///db"),
        ] {
            assert_eq!(for_libpq(text).as_deref(), Some(wanted), "{text}");
        }
    }
}
