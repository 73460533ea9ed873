//! `patchbay backup`: a copy of the SQLite database, beside the running server. May import what
//! `startup` does.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use secrecy::ExposeSecret;

use super::{StartError, shutdown};
use crate::server::{
    address,
    config::Config,
    db::{Db, backup},
};

/// What was made.
#[derive(Debug)]
pub struct Done {
    pub from: PathBuf,
    pub bytes: u64,
    pub took: Duration,
    pub migrations: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(
        "the database is PostgreSQL, which has a program of its own for this:\n{command}\nThe password is left out: pg_dump asks for it, or finds it in PGPASSWORD or ~/.pgpass."
    )]
    Postgres { command: String },
    #[error("{} is there already, and nothing is overwritten", .0.display())]
    Exists(PathBuf),
    #[error("{} is there: another backup is under way, or was cut off; in that case remove it", .0.display())]
    UnderWay(PathBuf),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} has to be a file's name, in letters that Unicode knows", .0.display())]
    Name(PathBuf),
    #[error("there is nothing of Patchbay's in {}", .0.display())]
    Foreign(PathBuf),
    #[error("the copy is not whole, and was thrown away: {0}")]
    Damaged(String),
    #[error("it was interrupted, and what was there of the copy is thrown away")]
    Interrupted,
}

impl BackupError {
    /// Asking again will not help.
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }
}

/// Copies the database into a file that is not there yet. Until the copy is whole and on the disk, it
/// has another name.
pub async fn backup(config: &Config, to: &Path) -> Result<Done, StartError> {
    let url = config.database.url.expose_secret();
    if address::is_postgres(url) {
        let direct = config.database.direct_url.as_ref();
        let url = direct.map_or(url, |direct| direct.expose_secret());
        let command = pg_dump(url, to);
        return Err(BackupError::Postgres { command }.into());
    }
    let started = Instant::now();
    let Some(db) = Db::open_existing(url).await? else {
        return Err(StartError::NoDatabase);
    };
    let from = db.file().unwrap_or_default();
    let found = db.inspect().await?;
    if found.unknown.is_empty() && found.pending.len() == db.migrations().iter().count() {
        return Err(BackupError::Foreign(from).into());
    }
    let partial = Partial::new(to)?;
    let copied = tokio::select! {
        copied = copy(&db, &partial) => copied?,
        () = shutdown() => return Err(BackupError::Interrupted.into()),
    };
    db.close().await;
    let bytes = partial.keep()?;
    Ok(Done {
        from,
        bytes,
        took: started.elapsed(),
        migrations: copied.migrations,
    })
}

async fn copy(db: &Db, partial: &Partial) -> Result<backup::Copied, StartError> {
    db.copy_into(&partial.name).await?;
    let copied = backup::look_at(&partial.path).await?;
    if copied.defects.is_empty() {
        Ok(copied)
    } else {
        Err(BackupError::Damaged(copied.defects.join("; ")).into())
    }
}

/// A copy that is not finished: gone, unless it is kept.
struct Partial {
    path: PathBuf,
    /// The same as text.
    name: String,
    to: PathBuf,
    folder: PathBuf,
    kept: bool,
}

impl Partial {
    /// An empty file that is nobody else's to read. It also keeps a second backup of that name away.
    fn new(to: &Path) -> Result<Self, BackupError> {
        let folder = match to.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = folder.canonicalize().map_err(failed(folder))?;
        let name = to
            .file_name()
            .ok_or_else(|| BackupError::Name(to.to_owned()))?;
        let to = folder.join(name);
        free(&to)?;
        let mut partial = OsString::from(name);
        partial.push(".partial");
        let path = folder.join(partial);
        let name = path.to_str().ok_or_else(|| BackupError::Name(to.clone()))?;
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match made {
            Ok(_) => Ok(Self {
                name: name.to_owned(),
                path,
                to,
                folder,
                kept: false,
            }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(BackupError::UnderWay(path))
            }
            Err(source) => Err(BackupError::File { path, source }),
        }
    }

    /// To the disk first, then under its name: whoever finds that name finds the whole copy.
    fn keep(mut self) -> Result<u64, BackupError> {
        let file = File::open(&self.path).map_err(failed(&self.path))?;
        file.sync_all().map_err(failed(&self.path))?;
        let bytes = file.metadata().map_err(failed(&self.path))?.len();
        free(&self.to)?;
        std::fs::rename(&self.path, &self.to).map_err(failed(&self.to))?;
        self.kept = true;
        let folder = File::open(&self.folder).and_then(|folder| folder.sync_all());
        folder.map_err(failed(&self.folder))?;
        Ok(bytes)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept {
            // What can't be removed is told by the next backup of that name.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn free(path: &Path) -> Result<(), BackupError> {
    match path.symlink_metadata() {
        Ok(_) => Err(BackupError::Exists(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(failed(path)(source)),
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

/// What to type instead.
fn pg_dump(url: &str, to: &Path) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let url = address::for_libpq(url).unwrap_or_default();
    let to = to.to_string_lossy();
    format!(
        "pg_dump --format=custom --file={} {}",
        quoted(&to),
        quoted(&url)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_for_postgres_survives_a_shell_and_has_no_password() {
        let url = "postgres://it's:hunter2@db/x?sslmode=require&statement-cache-capacity=0";
        assert_eq!(
            pg_dump(url, Path::new("/srv/a b's.dump")),
            r"pg_dump --format=custom --file='/srv/a b'\''s.dump' 'postgres://it'\''s@db/x?sslmode=require'"
        );
    }
}
