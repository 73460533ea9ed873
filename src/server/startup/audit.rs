//! `patchbay audit`: looks at the log, and changes nothing. May import what `startup` does.

use std::io::Write;

use super::{StartError, database::existing};
use crate::server::{
    clock::Clock,
    config::Config,
    services::{
        audit_chain::{Head, Verification},
        audit_log,
    },
};

/// Walks the whole chain.
pub async fn verify(config: &Config, head: Option<Head>) -> Result<Verification, StartError> {
    let db = existing(config).await?;
    let found = audit_log::verify(&db, head, Clock::system().now()).await?;
    db.close().await;
    Ok(found)
}

/// Writes the sealed entries from after this number on, a line of JSON each.
pub async fn export(
    config: &Config,
    mut after: i64,
    with_personal: bool,
    to: &mut (impl Write + Send),
) -> Result<(), StartError> {
    let db = existing(config).await?;
    loop {
        let page = audit_log::page(&db, after, audit_log::PAGE, with_personal).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.seq;
        for entry in &page {
            let line = serde_json::to_string(entry).map_err(std::io::Error::from);
            let line = line.map_err(StartError::Output)?;
            writeln!(to, "{line}").map_err(StartError::Output)?;
        }
    }
    to.flush().map_err(StartError::Output)?;
    db.close().await;
    Ok(())
}
