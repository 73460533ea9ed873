//! `patchbay config check` and `print`: the settings, read as the server would read them, without a
//! look at anything else.

use std::{
    fmt::{self, Display},
    process::ExitCode,
};

use clap::{Args, Subcommand};

use super::{Settings, WRONG_CONFIGURATION, complain, environment, print};
use crate::server::{
    config::{self, Config},
    doctor::Status,
    startup::check::{self, Overview},
};

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read every setting and manifest, and say all that is wrong, or what is on and off.
    Check(Settings),
    /// Print every setting, its value and where it comes from, as a settings file; secrets are hidden.
    Print(PrintArgs),
}

#[derive(Debug, Args)]
pub struct PrintArgs {
    #[command(flatten)]
    settings: Settings,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(command: ConfigCommand) -> ExitCode {
    match command {
        ConfigCommand::Check(settings) => {
            explained(&settings).map_or_else(|code| code, |(config, found)| check(&config, &found))
        }
        ConfigCommand::Print(args) => explained(&args.settings).map_or_else(
            |code| code,
            |(_, found)| {
                if args.json {
                    print(&found.json())
                } else {
                    print(&found.to_string().trim_end())
                }
            },
        ),
    }
}

fn explained(settings: &Settings) -> Result<(Config, config::Settings), ExitCode> {
    Config::explained(settings.config.as_deref(), &environment).map_err(|errors| {
        complain("The settings can't be used:", &errors);
        ExitCode::from(WRONG_CONFIGURATION)
    })
}

fn check(config: &Config, found: &config::Settings) -> ExitCode {
    match check::overview(config) {
        Ok(overview) => {
            let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
            let names: Vec<String> = names.collect();
            let unknown = found.unknown(names.iter().map(String::as_str));
            print(&Shown {
                found,
                overview: &overview,
                unknown: &unknown,
            })
        }
        Err(errors) => {
            complain("The manifests can't be used:", &errors);
            ExitCode::from(WRONG_CONFIGURATION)
        }
    }
}

struct Shown<'a> {
    found: &'a config::Settings,
    overview: &'a Overview,
    unknown: &'a [&'a str],
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The settings can be used.")?;
        let file = match &self.found.file {
            Some(file) => file.display().to_string(),
            None => format!("none; ./{} is not there", config::DEFAULT_FILE),
        };
        let lines = [("file", file)].into_iter();
        for (what, how) in lines.chain(self.overview.lines.iter().cloned()) {
            write!(f, "\n  {what:<12}{how}")?;
        }
        let warnings = self.overview.checks.iter();
        for check in warnings.filter(|check| check.status != Status::Ok) {
            write!(f, "\n! {}", check.summary)?;
            if let Some(fix) = &check.fix {
                write!(f, "\n  → {fix}")?;
            }
        }
        for name in self.unknown {
            write!(
                f,
                "\n! environment variable {name}: there is no such setting\n  → Correct or remove it."
            )?;
        }
        Ok(())
    }
}
