//! `patchbay user export` and `erase`: a person's data.

use std::{
    fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::PathBuf, process::ExitCode,
};

use clap::Args;
use uuid::Uuid;

use super::{FAILED, Settings, complain, print, quietly};
use crate::server::{services::personal::Erased, startup};

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    settings: Settings,
    /// The person's id
    id: Uuid,
    /// Into this file, which must not be there yet [default: to stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct EraseArgs {
    #[command(flatten)]
    settings: Settings,
    /// The person's id
    id: Uuid,
    /// Do it: nothing brings the person back
    #[arg(long)]
    yes: bool,
}

pub fn export(args: ExportArgs) -> ExitCode {
    let id = args.id;
    let found = quietly(&args.settings, |config| async move {
        startup::personal::export(&config, id).await
    });
    let found = match found {
        Ok(found) => found,
        Err(code) => return code,
    };
    let text = serde_json::to_string_pretty(&found).unwrap_or_default();
    let Some(path) = args.out else {
        return print(&text);
    };
    // Nobody else's to read.
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| writeln!(file, "{text}"));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{} can't be written:", path.display()), &error);
            ExitCode::from(FAILED)
        }
    }
}

pub fn erase(args: &EraseArgs) -> ExitCode {
    let id = args.id;
    if !args.yes {
        complain(
            "Nothing was erased.",
            &format!("Nothing brings this person back. To do it: patchbay user erase {id} --yes"),
        );
        return ExitCode::from(FAILED);
    }
    let erased = quietly(&args.settings, |config| async move {
        startup::personal::erase(&config, id).await
    });
    match erased {
        Ok(erased) => print(&said(id, &erased)),
        Err(code) => code,
    }
}

fn said(id: Uuid, erased: &Erased) -> String {
    let Erased {
        at_nango,
        connections,
        attempts,
        sessions,
        audit_entries,
        again,
        was_disabled,
        unasked,
    } = erased;
    let what = if *again {
        "had been erased before; what was left is gone too"
    } else {
        "is erased"
    };
    let mut said = format!(
        "{id} {what}.\nDeleted at Nango: {at_nango} connections. Left as ids only: {connections} \
         connections, {attempts} attempts, {audit_entries} entries of the audit log. Ended: \
         {sessions} sessions."
    );
    if *was_disabled {
        said.push_str(
            "\nThis person was disabled, and that is forgotten too: whoever comes back by the same \
             provider, by a token or by signing up is somebody new, and is let in. Close the door there.",
        );
    }
    if *unasked {
        said.push_str(&format!(
            "\nNango was not asked: it is switched off here. Should it know of a connection that came \
             of those attempts, it still does. Once it is on again: patchbay user erase {id} --yes"
        ));
    }
    said
}
