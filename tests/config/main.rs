//! What people write for the server to read, settings and manifests; and what the server's documents
//! say of it.

#![expect(
    clippy::unwrap_used,
    reason = "in the helpers too, a test fails where it stands"
)]

mod catalogue;
mod documented;
mod effective;
mod manifests;
mod modes;
mod settings;
mod shipped;
mod sign_in;
mod together;
mod values;

use std::path::PathBuf;

/// A fresh directory of that name; names are the tests' own, and two runs at once don't meet.
fn fresh_dir(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("config-{}", std::process::id()))
        .join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// A path below the project's root.
fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}
