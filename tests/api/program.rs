//! The real program, as an operator starts it.

use std::process::{Child, Command, Stdio};

/// A server with this database and these settings, and nothing of this process' own environment. What
/// it logs is in its stderr.
pub fn serve(database: &str, address: &str, settings: &[(&str, &str)]) -> Child {
    let empty = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/empty.toml");
    Command::new(env!("CARGO_BIN_EXE_patchbay"))
        .arg("serve")
        .env_clear()
        .env("PATCHBAY_CONFIG", empty)
        .env("DATABASE_URL", database)
        .env("LISTEN_ADDR", address)
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program")
}
