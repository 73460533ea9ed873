//! The state file: read once at the start, written soon after every change, always whole.
//!
//! May import the sandbox's `state` only.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    SandboxError,
    state::{Sandbox, State},
};

/// Changes so close together are written as one; with a large state more of them, so that writing
/// takes a small part of the time.
const GATHER: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);
const SHARE: u32 = 20;

/// The state of the last run; an empty one where there was none.
pub async fn load(path: &Path) -> Result<State, SandboxError> {
    let failed = |source: io::Error| SandboxError::StateFile {
        path: path.to_owned(),
        source,
    };
    match tokio::fs::read(path).await {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| failed(e.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
        Err(error) => Err(failed(error)),
    }
}

/// Writes the state beside its file and moves it into place, so a reader finds the old or the new.
pub async fn save(sandbox: &Sandbox, path: &Path) -> Result<(), SandboxError> {
    let failed = |source: io::Error| SandboxError::StateFile {
        path: path.to_owned(),
        source,
    };
    let bytes = sandbox
        .read(serde_json::to_vec)
        .map_err(|e| failed(e.into()))?;
    let target = path.to_owned();
    tokio::task::spawn_blocking(move || write(&target, &bytes))
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(failed)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// Saves after changes until the sandbox stops; the last save is that of `stop`.
pub async fn keep_saving(sandbox: Arc<Sandbox>, path: PathBuf) {
    let mut gather = GATHER;
    loop {
        tokio::select! {
            () = sandbox.changed.notified() => {}
            () = sandbox.stopped() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(gather) => {}
            () = sandbox.stopped() => return,
        }
        let started = Instant::now();
        if let Err(error) = save(&sandbox, &path).await {
            tracing::warn!(%error, "the sandbox could not save its state");
        }
        gather = (started.elapsed() * SHARE).clamp(GATHER, LONGEST);
    }
}
