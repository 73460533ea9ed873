//! `patchbay audit verify` and `export`.

use std::{fmt::Display, io::BufWriter, process::ExitCode};

use clap::{Args, Subcommand};

use super::{FAILED, Settings, print, quietly};
use crate::server::{
    services::audit_chain::{Head, Verification},
    startup,
};

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Walk the whole log and say the first thing that does not fit: 0 where everything does, 1 where
    /// something does not.
    Verify(VerifyArgs),
    /// Write the sealed entries to stdout, a line of JSON each.
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    settings: Settings,
    /// The head that an earlier run printed: shows whether the end was cut off since
    #[arg(long, value_name = "SEQ:HASH", value_parser = head)]
    head: Option<Head>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    settings: Settings,
    /// Only what comes after this number
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: i64,
    /// With the personal data beside the entries
    #[arg(long)]
    with_personal: bool,
}

fn head(text: &str) -> Result<Head, String> {
    Head::parse(text).ok_or_else(|| "it has to be a number, a colon and 64 hex digits".to_owned())
}

pub fn run(command: AuditCommand) -> ExitCode {
    match command {
        AuditCommand::Verify(args) => verify(args),
        AuditCommand::Export(args) => export(&args),
    }
}

fn verify(args: VerifyArgs) -> ExitCode {
    let head = args.head;
    let found = quietly(&args.settings, |config| async move {
        startup::audit::verify(&config, head).await
    });
    let found = match found {
        Ok(found) => found,
        Err(code) => return code,
    };
    let text: Box<dyn Display> = if args.json {
        Box::new(serde_json::to_string(&found).unwrap_or_default())
    } else {
        Box::new(Report(&found))
    };
    let written = print(&text) == ExitCode::SUCCESS;
    if written && found.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    }
}

/// For people.
struct Report<'a>(&'a Verification);

impl Display for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Verification {
            entries,
            head,
            personal,
            erased,
            broken,
            ..
        } = self.0;
        if let Some(broken) = broken {
            writeln!(f, "BROKEN: {broken}")?;
            return write!(f, "Up to number {entries} everything fits.");
        }
        writeln!(f, "Everything fits: {entries} entries.")?;
        write!(
            f,
            "Personal data: {personal} as they were written, {erased} erased."
        )?;
        match head {
            Some(head) => write!(f, "\nHead, to be kept elsewhere: {head}"),
            None => Ok(()),
        }
    }
}

fn export(args: &ExportArgs) -> ExitCode {
    let written = quietly(&args.settings, |config| async move {
        let mut out = BufWriter::new(std::io::stdout());
        startup::audit::export(&config, args.after, args.with_personal, &mut out).await
    });
    written.map_or_else(|code| code, |()| ExitCode::SUCCESS)
}
