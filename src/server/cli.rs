//! The command line: reads the arguments and the settings, starts the runtime, says in plain lines
//! why a start failed. May import `config`, `doctor`'s report, `telemetry`, `startup` with what it
//! hands back, and `http`'s document.

use std::{
    fmt::Display,
    future::Future,
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::OnceLock,
};

use clap::{Args, CommandFactory, Parser, Subcommand};

mod audit;
mod backup;
mod config;
mod health;
mod personal;
mod sandbox;
mod user;

use super::{
    config::Config,
    doctor::{Check, Report},
    startup::{self, StartError},
    telemetry,
};

/// The arguments, the settings or the manifests are wrong: the same again will not help.
const WRONG_CONFIGURATION: u8 = 2;
/// Anything else, such as a port in use or a database that does not answer.
const FAILED: u8 = 1;

const EXIT_CODES: &str = "\
Exit status: 0 done; 1 it failed, and may work another time; 2 the arguments, the settings or the
manifests are wrong. Settings come from the environment, then from Leptos.toml.";

/// The version, and the commit where whoever built it said so (`make build` does).
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let version = env!("CARGO_PKG_VERSION");
        match option_env!("PATCHBAY_COMMIT") {
            Some(commit) if !commit.is_empty() => format!("{version} ({commit})"),
            _ => version.to_owned(),
        }
    })
}

/// A catalogue of connectors: people connect their accounts through Nango.
#[derive(Debug, Parser)]
#[command(name = "patchbay", version = version(), after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(Settings),
    /// Run the stand-in for Nango alone.
    Sandbox(Box<sandbox::SandboxArgs>),
    /// Bring the database up to date and end.
    Migrate(Settings),
    /// Look at everything a working server needs, and say what to do about it.
    Doctor(DoctorArgs),
    /// Ask the running server how it is: 0 where it is ready, 1 where it is not, within 3 seconds.
    Health(health::HealthArgs),
    /// Check the settings, or print them.
    Config {
        #[command(subcommand)]
        command: config::ConfigCommand,
    },
    /// Copy the SQLite database into a file, beside the running server.
    Backup(backup::BackupArgs),
    /// Who may sign in: make, list, disable and change people.
    User {
        #[command(subcommand)]
        command: user::UserCommand,
    },
    /// Check the audit log, or write it out.
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Print the OpenAPI document of the REST API.
    Openapi,
}

#[derive(Debug, Args)]
struct Settings {
    /// The settings file [default: $PATCHBAY_CONFIG, else ./Leptos.toml if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct DoctorArgs {
    #[command(flatten)]
    settings: Settings,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Let warnings fail too
    #[arg(long)]
    strict: bool,
}

/// Runs the program with the process' own arguments and environment.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too: clap knows which stream and which code.
            let code = u8::try_from(error.exit_code()).unwrap_or(FAILED);
            return error
                .print()
                .map_or(ExitCode::from(FAILED), |()| ExitCode::from(code));
        }
    };
    match cli.command {
        Some(Command::Serve(settings)) => with_config(settings, |_| {}, startup::serve),
        Some(Command::Sandbox(mut args)) => {
            let settings = Settings {
                config: args.settings.config.take(),
            };
            with_config(settings, |config| args.apply(config), startup::sandbox)
        }
        Some(Command::Migrate(settings)) => with_config(settings, |_| {}, startup::migrate),
        Some(Command::Doctor(args)) => doctor(&args),
        Some(Command::Health(args)) => health::run(args),
        Some(Command::Config { command }) => config::run(command),
        Some(Command::Backup(args)) => backup::run(args),
        Some(Command::User { command }) => user::run(command),
        Some(Command::Audit { command }) => audit::run(command),
        Some(Command::Openapi) => print(&super::http::openapi_json()),
        None => print(&Cli::command().render_help()),
    }
}

/// `patchbay doctor`: 0 where nothing failed, 1 where something did, 2 where the settings or the
/// manifests can't be used.
fn doctor(args: &DoctorArgs) -> ExitCode {
    let unusable = |id, what: &str, errors: &dyn Display| {
        let details = errors.to_string().lines().map(str::to_owned).collect();
        let check = Check::failed(id, what, "Correct what is listed.").with(details);
        show(
            &Report {
                checks: vec![check],
            },
            args,
        );
        ExitCode::from(WRONG_CONFIGURATION)
    };
    let mut config = match Config::load(args.settings.config.as_deref(), &environment) {
        Ok(config) => config,
        Err(errors) => return unusable("settings", "the settings can't be used", &errors),
    };
    // The report is what is asked for; what the sandbox tells of itself is not part of it.
    "warn".clone_into(&mut config.log.filter);
    if let Err(error) = telemetry::init(&config.log) {
        complain("Logging can't start:", &error);
        return ExitCode::from(FAILED);
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    match runtime.block_on(startup::doctor(&config)) {
        Ok(report) => {
            let written = show(&report, args);
            if written && report.is_ok(args.strict) {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(FAILED)
            }
        }
        Err(errors) => unusable("manifests", "the manifests can't be used", &errors),
    }
}

/// Whether it could be written.
fn show(report: &Report, args: &DoctorArgs) -> bool {
    let text = if args.json {
        report.json(args.strict)
    } else {
        report.text(std::io::stdout().is_terminal())
    };
    print(&text) == ExitCode::SUCCESS
}

/// What is no UTF-8 is refused where it is parsed, rather than passed over here.
fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

fn runtime() -> Result<tokio::runtime::Runtime, ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            complain("The runtime can't start:", &error);
            ExitCode::from(FAILED)
        })
}

/// Loads the settings, starts logging and the runtime, and runs the command to its end.
fn with_config<F>(
    settings: Settings,
    adjust: impl FnOnce(&mut Config),
    command: impl FnOnce(Config) -> F,
) -> ExitCode
where
    F: Future<Output = Result<(), StartError>>,
{
    let mut config = match Config::load(settings.config.as_deref(), &environment) {
        Ok(config) => config,
        Err(errors) => {
            complain("The settings can't be used:", &errors);
            return ExitCode::from(WRONG_CONFIGURATION);
        }
    };
    adjust(&mut config);
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let traces = {
        let _inside = runtime.enter();
        telemetry::start(&config)
    };
    let traces = match traces {
        Ok(traces) => traces,
        Err(error) => {
            complain("Logging can't start:", &error);
            return ExitCode::from(FAILED);
        }
    };
    let ended = runtime.block_on(command(config));
    if let Some(traces) = traces {
        traces.end();
    }
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_configuration() => {
            complain("Patchbay can't start:", &Chain(&error));
            ExitCode::from(WRONG_CONFIGURATION)
        }
        Err(error) => {
            complain("Patchbay can't go on:", &Chain(&error));
            ExitCode::from(FAILED)
        }
    }
}

/// Runs a command whose output is what counts, with the log down to warnings. `Err`: it has failed,
/// and said why.
fn quietly<T, F>(settings: &Settings, command: impl FnOnce(Config) -> F) -> Result<T, ExitCode>
where
    F: Future<Output = Result<T, StartError>>,
{
    let mut config = Config::load(settings.config.as_deref(), &environment).map_err(|errors| {
        complain("The settings can't be used:", &errors);
        ExitCode::from(WRONG_CONFIGURATION)
    })?;
    "warn".clone_into(&mut config.log.filter);
    telemetry::init(&config.log).map_err(|error| {
        complain("Logging can't start:", &error);
        ExitCode::from(FAILED)
    })?;
    runtime()?.block_on(command(config)).map_err(|error| {
        let wrong = error.is_configuration();
        complain("It did not work:", &Chain(&error));
        ExitCode::from(if wrong { WRONG_CONFIGURATION } else { FAILED })
    })
}

/// An error with its causes, each said once.
struct Chain<'a>(&'a dyn std::error::Error);

impl Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut said = self.0.to_string();
        write!(f, "{said}")?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            cause = error.source();
        }
        Ok(())
    }
}

/// To stderr, a line each, indented under what went wrong. Nothing is left to do where stderr is
/// closed.
fn complain(what: &str, error: &dyn Display) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{what}");
    for line in error.to_string().lines() {
        let _ = writeln!(stderr, "  {line}");
    }
}

/// To stdout; a reader that went away is no panic.
fn print(text: &dyn Display) -> ExitCode {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    /// Each command with those below it.
    fn arguments(command: &clap::Command, found: &mut Vec<String>) {
        let takes = command.get_arguments().filter(|argument| {
            argument
                .get_num_args()
                .is_some_and(|number| number.takes_values())
        });
        found.extend(takes.map(|argument| argument.get_id().to_string()));
        for below in command.get_subcommands() {
            arguments(below, found);
        }
    }

    #[test]
    fn no_argument_holds_a_secret() {
        let mut command = Cli::command();
        command.build();
        let mut found = Vec::new();
        arguments(&command, &mut found);
        assert!(found.iter().any(|name| name == "webhook_url"), "{found:?}");
        let secret = |name: &&String| {
            let words = ["key", "secret", "password", "token"];
            words.iter().any(|word| name.contains(word))
        };
        assert_eq!(found.iter().find(secret), None, "`ps` shows it");
    }

    #[test]
    fn a_chain_says_each_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("no database: {0}")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("it sleeps"));
        assert_eq!(Chain(&error).to_string(), "no database: it sleeps");
    }
}
