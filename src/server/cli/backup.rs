//! `patchbay backup`: a copy of a SQLite database, beside the running server.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Args;

use super::{Settings, quietly};
use crate::server::startup;

#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    settings: Settings,
    /// Where the copy goes, which must not be there yet
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

pub fn run(args: BackupArgs) -> ExitCode {
    let to = args.to;
    let made = quietly(&args.settings, |config| {
        let to = to.clone();
        async move { startup::backup::backup(&config, &to).await }
    });
    match made {
        Ok(done) => {
            // Nothing is left to do where stderr is closed: the copy is there.
            let _ = writeln!(
                std::io::stderr().lock(),
                "{} is a whole copy of {}: {:.1} MB in {:.1} s, {} migrations.",
                to.display(),
                done.from.display(),
                done.bytes as f64 / 1e6,
                done.took.as_secs_f64(),
                done.migrations
            );
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}
