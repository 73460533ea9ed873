//! The database: does it open, is its schema ours, may we write, do other instances hear us.
//!
//! May import `config`, `db` and `clock`.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::Check;
use crate::server::{
    clock::Clock,
    config::Config,
    db::{Db, DbError, inspect::Inspection},
};

pub async fn checks(config: &Config, clock: &Clock) -> Vec<Check> {
    const ID: &str = "database";
    let db = match open(&config.database.url).await {
        Ok(Some(db)) => db,
        Ok(None) => {
            return vec![Check::warning(
                ID,
                "the SQLite file is not there yet",
                "Run patchbay migrate, or start the server: both make it.",
            )];
        }
        Err(error) => {
            return vec![Check::failed(
                ID,
                error.to_string(),
                "Check DATABASE_URL, and that the database runs and lets this machine in.",
            )];
        }
    };
    let mut checks = vec![Check::ok(ID, format!("{} answers", db.kind()))];
    match db.inspect().await {
        Ok(found) => {
            let current = schema(&found);
            let usable = current.status != super::Status::Failed;
            checks.push(current);
            if usable {
                checks.push(write(&db, clock).await);
            }
            checks.extend(found.journal_mode.as_deref().map(journal));
        }
        Err(error) => checks.push(Check::failed(
            "database.schema",
            format!("the schema cannot be read: {error}"),
            "Let DATABASE_URL's user read the tables, or correct the database's name.",
        )),
    }
    if matches!(db, Db::Postgres(_)) {
        checks.push(listen(config, &db).await);
    }
    db.close().await;
    checks
}

async fn open(url: &SecretString) -> Result<Option<Db>, DbError> {
    Db::open_existing(url.expose_secret()).await
}

fn schema(found: &Inspection) -> Check {
    const ID: &str = "database.schema";
    let list = |versions: &[i64]| versions.iter().map(i64::to_string).collect::<Vec<_>>();
    if !found.contracted.is_empty() {
        return Check::failed(
            ID,
            "a newer version of Patchbay has taken away what this one needs",
            "Run that version, or one still newer.",
        )
        .with(list(&found.contracted));
    }
    if !found.changed.is_empty() {
        return Check::failed(
            ID,
            "the database was migrated by other migrations than this version's",
            "Point DATABASE_URL at the right database, or restore it from a backup.",
        )
        .with(list(&found.changed));
    }
    if !found.pending.is_empty() {
        return Check::failed(
            ID,
            format!("{} migrations are not applied", found.pending.len()),
            "Run patchbay migrate; a start of the server does it too.",
        )
        .with(list(&found.pending));
    }
    if !found.unknown.is_empty() {
        return Check::warning(
            ID,
            "a newer version of Patchbay has migrated this database; this one can live with it",
            "Bring the upgrade to its end: run the newer version everywhere.",
        )
        .with(list(&found.unknown));
    }
    Check::ok(ID, "the schema is this version's")
}

async fn write(db: &Db, clock: &Clock) -> Check {
    const ID: &str = "database.write";
    let id = format!("patchbay-doctor-{}", clock.random_id());
    match db.try_to_write(&id, clock.now()).await {
        Ok(()) => Check::ok(ID, "a row can be written (and was taken back)"),
        Err(error) => Check::failed(
            ID,
            format!("nothing can be written: {error}"),
            "Give the user of DATABASE_URL the right to write; look for a full disk, a read-only replica, or a file of another user.",
        ),
    }
}

fn journal(mode: &str) -> Check {
    const ID: &str = "database.journal";
    if mode.eq_ignore_ascii_case("wal") {
        return Check::ok(ID, "SQLite keeps a write-ahead log");
    }
    Check::warning(
        ID,
        format!("SQLite's journal mode is {mode}: readers and writers wait for each other"),
        "Start the server once: it sets WAL. If it stays so, the file lies on a network drive; put it on a disk of this machine.",
    )
}

async fn listen(config: &Config, db: &Db) -> Check {
    const ID: &str = "database.listen";
    let fix = "Set DATABASE_DIRECT_URL to PostgreSQL itself, past the pooler: pages follow what other instances change by LISTEN.";
    let direct = match &config.database.direct_url {
        Some(url) => match open(url).await {
            Ok(Some(direct)) => direct,
            Ok(None) => return Check::failed(ID, "DATABASE_DIRECT_URL names no PostgreSQL", fix),
            Err(error) => return Check::failed(ID, format!("DATABASE_DIRECT_URL: {error}"), fix),
        },
        None => db.clone(),
    };
    match db.clone().is_heard_by(direct, Duration::from_secs(3)).await {
        Ok(true) => Check::ok(ID, "LISTEN and NOTIFY work"),
        Ok(false) => Check::failed(
            ID,
            "NOTIFY is not heard: there is a pooler between, or another database",
            fix,
        ),
        Err(error) => Check::failed(ID, format!("LISTEN does not work: {error}"), fix),
    }
}
