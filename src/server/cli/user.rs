//! `patchbay user`: people, from the command line: without a running server, and beside one. May
//! import what `cli` does, and the services that `startup` hands back.

use std::{
    io::{IsTerminal, Read},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use secrecy::SecretString;
use uuid::Uuid;

use super::{FAILED, Settings, complain, personal, print, quietly};
use crate::{
    domain::user::{Person, Role},
    server::{
        clock::{self, Clock},
        config::Config,
        services::{Services, local::NewAccount, people::LARGEST_PAGE},
        startup::{StartError, people},
    },
};

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    #[command(flatten)]
    Account(AccountCommand),
    /// Write everything about a person as JSON.
    Export(personal::ExportArgs),
    /// Forget a person: their accounts are disconnected at Nango first.
    Erase(personal::EraseArgs),
}

#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Make an account that signs in with an e-mail address and a password.
    Create(CreateArgs),
    /// List everybody who ever signed in or has an account.
    List(ListArgs),
    /// Keep somebody out from now on, and end their sessions.
    Disable(NamedArgs),
    /// Let somebody in again.
    Enable(NamedArgs),
    /// Give somebody another password, and end their sessions.
    ResetPassword(ResetArgs),
    /// Make somebody an administrator.
    MakeAdmin(NamedArgs),
    /// Make an administrator a user like any other.
    MakeUser(NamedArgs),
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    #[command(flatten)]
    settings: Settings,
    /// What the person signs in with
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// What the person is called
    #[arg(long)]
    name: String,
    /// An administrator
    #[arg(long)]
    admin: bool,
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Debug, Args)]
struct PasswordArgs {
    /// Read the password from the first line of stdin [default: make one, and print it once]
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    settings: Settings,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct NamedArgs {
    #[command(flatten)]
    settings: Settings,
    /// The person's id, or the e-mail address of a local account
    #[arg(value_name = "PERSON")]
    person: String,
}

#[derive(Debug, Args)]
pub struct ResetArgs {
    #[command(flatten)]
    named: NamedArgs,
    #[command(flatten)]
    password: PasswordArgs,
}

/// What is to be done, without the settings' file.
enum Task {
    Create(CreateArgs, Option<SecretString>),
    List(ListArgs),
    Disable(NamedArgs),
    Enable(NamedArgs),
    Reset(NamedArgs, Option<SecretString>),
    SetRole(NamedArgs, Role),
}

pub fn run(command: UserCommand) -> ExitCode {
    match command {
        UserCommand::Account(command) => account(command),
        UserCommand::Export(args) => personal::export(args),
        UserCommand::Erase(args) => personal::erase(&args),
    }
}

fn account(command: AccountCommand) -> ExitCode {
    match task(command) {
        Ok(task) => {
            let settings = Settings {
                config: task.settings().config.clone(),
            };
            match quietly(&settings, |config| perform(config, task)) {
                Ok(said) => print(&said),
                Err(code) => code,
            }
        }
        Err(error) => {
            complain("The password can't be read:", &error);
            ExitCode::from(FAILED)
        }
    }
}

/// A password is read before anything is opened: nothing waits for whoever types it.
fn task(command: AccountCommand) -> Result<Task, std::io::Error> {
    Ok(match command {
        AccountCommand::Create(args) => {
            let password = args.password.read()?;
            Task::Create(args, password)
        }
        AccountCommand::List(args) => Task::List(args),
        AccountCommand::Disable(args) => Task::Disable(args),
        AccountCommand::Enable(args) => Task::Enable(args),
        AccountCommand::ResetPassword(args) => {
            let password = args.password.read()?;
            Task::Reset(args.named, password)
        }
        AccountCommand::MakeAdmin(args) => Task::SetRole(args, Role::Admin),
        AccountCommand::MakeUser(args) => Task::SetRole(args, Role::User),
    })
}

impl Task {
    const fn settings(&self) -> &Settings {
        match self {
            Self::Create(args, _) => &args.settings,
            Self::List(args) => &args.settings,
            Self::Disable(args)
            | Self::Enable(args)
            | Self::Reset(args, _)
            | Self::SetRole(args, _) => &args.settings,
        }
    }
}

/// More than any password, and no end to wait for.
const LONGEST_INPUT: u64 = 4096;

impl PasswordArgs {
    fn read(&self) -> Result<Option<SecretString>, std::io::Error> {
        if !self.password_stdin {
            return Ok(None);
        }
        if std::io::stdin().is_terminal() {
            let what = "with --password-stdin it comes from a pipe or a file, not from a terminal";
            return Err(std::io::Error::other(what));
        }
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .take(LONGEST_INPUT)
            .read_to_string(&mut text)?;
        let line = text.lines().next().unwrap_or_default();
        Ok(Some(SecretString::from(line)))
    }
}

/// Does it; what there is to say about it comes back.
async fn perform(config: Config, task: Task) -> Result<String, StartError> {
    let (services, db) = people::services(&config, Clock::system()).await?;
    let said = answer(&services, task).await;
    db.close().await;
    said
}

async fn answer(services: &Services, task: Task) -> Result<String, StartError> {
    let people = &services.people;
    let find = async |args: &NamedArgs| people.find(&args.person).await;
    Ok(match task {
        Task::Create(args, given) => create(services, args, given).await?,
        Task::List(args) => list(services, args.json).await?,
        Task::Disable(args) => {
            let person = people.disable(find(&args).await?.id, None).await?;
            format!("{} is disabled, and signed out everywhere.", named(&person))
        }
        Task::Enable(args) => {
            let person = people.enable(find(&args).await?.id, None).await?;
            format!("{} may sign in again.", named(&person))
        }
        Task::Reset(args, given) => {
            let person = find(&args).await?;
            let (password, made) = given_or_made(given);
            let password = SecretString::from(password);
            services.local.reset_password(person.id, &password).await?;
            let done = "has another password, and is signed out everywhere.";
            format!("{} {done}{}", named(&person), made)
        }
        Task::SetRole(args, role) => {
            let person = people.set_role(find(&args).await?.id, role, None).await?;
            let role = match role {
                Role::Admin => "an administrator",
                Role::User => "a user like any other",
            };
            format!("{} is {role}.", named(&person))
        }
    })
}

async fn create(
    services: &Services,
    args: CreateArgs,
    given: Option<SecretString>,
) -> Result<String, StartError> {
    let (password, made) = given_or_made(given);
    let new = NewAccount {
        email: args.email,
        name: args.name,
        password: SecretString::from(password),
    };
    let row = services.local.create(&new).await?;
    let mut person = services.people.find(&row.id.to_string()).await?;
    if args.admin {
        person = services
            .people
            .set_role(person.id, Role::Admin, None)
            .await?;
    }
    let who = if args.admin {
        ", an administrator,"
    } else {
        ""
    };
    Ok(format!("{}{who} may sign in.{made}", named(&person)))
}

/// The password, and what is said of one that was made here.
fn given_or_made(given: Option<SecretString>) -> (String, String) {
    use secrecy::ExposeSecret;
    if let Some(given) = given {
        return (given.expose_secret().to_owned(), String::new());
    }
    // 120 random bits.
    let parts = [clock::reference(), clock::reference(), clock::reference()];
    let password = parts.join("-");
    let said = format!("\nThe password, shown this once: {password}");
    (password, said)
}

/// Enough to be found again.
fn named(person: &Person) -> String {
    match &person.email {
        Some(email) => format!(
            "{} <{}> ({})",
            printable(&person.name),
            printable(email),
            person.id
        ),
        None => format!("{} ({})", printable(&person.name), person.id),
    }
}

async fn list(services: &Services, json: bool) -> Result<String, StartError> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map_or(Uuid::nil(), |last: &Person| last.id);
        let page = services.people.page(after, LARGEST_PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if json {
        return Ok(serde_json::to_string_pretty(&all).unwrap_or_default());
    }
    if all.is_empty() {
        return Ok("Nobody has signed in yet. `patchbay user create` makes an account.".to_owned());
    }
    Ok(all.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// A person on a line: id, role, state, issuer, and the words of free length last.
fn line(person: &Person) -> String {
    let state = match (person.erased_at, person.disabled_at) {
        (Some(_), _) => "erased",
        (None, Some(_)) => "disabled",
        (None, None) => "active",
    };
    let email = person.email.as_deref().unwrap_or("-");
    format!(
        "{}  {:5}  {state:8}  {}  {email}  {}",
        person.id,
        person.role.as_str(),
        person.issuer,
        printable(&person.name)
    )
}

/// A name may come from anywhere: nothing in it moves a terminal's cursor.
fn printable(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { '?' } else { c });
    shown.collect()
}
