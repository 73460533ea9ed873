//! `patchbay health`: asks the running server how it is, for a container's health check and for scripts.
//! Ends within seconds, whatever the server does.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use reqwest::{Client, StatusCode, Url, redirect::Policy};
use serde::Deserialize;

use super::{FAILED, Settings, WRONG_CONFIGURATION, complain, environment, print};
use crate::server::config::Config;

/// Less than the health checks of containers wait.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub struct HealthArgs {
    #[command(flatten)]
    settings: Settings,
    /// The server's address [default: where LISTEN_ADDR or PORT says that it listens]
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Ask only whether the process runs, not whether its database answers
    #[arg(long)]
    live: bool,
    /// Ask only whether it has started and runs: for what restarts it where that is not so
    #[arg(long, conflicts_with = "live")]
    started: bool,
}

/// What may stand in an answer; a problem has a title and a code.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    title: String,
    code: String,
    alarms: Vec<String>,
}

pub fn run(args: HealthArgs) -> ExitCode {
    let base = match args.url.map_or_else(|| own(&args.settings), Ok) {
        Ok(base) => base,
        Err(code) => return code,
    };
    let (path, state) = match (args.live, args.started) {
        (true, _) => ("/health/live", "live"),
        (_, true) => ("/health/startup", "started"),
        _ => ("/health/ready", "ready"),
    };
    let url = match base.join(path) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => {
            complain("--url:", &"has to be an http or https address");
            return ExitCode::from(WRONG_CONFIGURATION);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let answer = match runtime {
        Ok(runtime) => runtime.block_on(ask(url.clone())),
        Err(error) => Err(error.to_string()),
    };
    match answer {
        Ok((StatusCode::OK, said)) => {
            if said.alarms.is_empty() {
                return print(&state);
            }
            print(&format!("{state}; alarms: {}", said.alarms.join(", ")))
        }
        Ok((status, said)) => {
            let problem = format!("{} {} {}", status.as_u16(), said.code, said.title);
            complain(&format!("{url} answers:"), &problem.trim_end());
            ExitCode::from(FAILED)
        }
        Err(reason) => {
            complain(&format!("{url} does not answer:"), &reason);
            ExitCode::from(FAILED)
        }
    }
}

/// Where the server of these settings answers, from this machine.
fn own(settings: &Settings) -> Result<Url, ExitCode> {
    let config = Config::load(settings.config.as_deref(), &environment).map_err(|errors| {
        complain("The settings can't be used:", &errors);
        ExitCode::from(WRONG_CONFIGURATION)
    })?;
    let address = reachable(config.server.listen_addr);
    let url = Url::parse(&format!("http://{address}"));
    match url {
        Ok(url) if address.port() != 0 => Ok(url),
        _ => {
            let reason = "the server chose its port by itself: give --url";
            complain("Where it listens is not known:", &reason);
            Err(ExitCode::from(WRONG_CONFIGURATION))
        }
    }
}

/// All addresses are nobody's: this machine's own is one of them.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

async fn ask(url: Url) -> Result<(StatusCode, Said), String> {
    let asked = async {
        // Neither a proxy of the environment nor a redirect: this one server is asked.
        let client = Client::builder().no_proxy().redirect(Policy::none());
        let answer = client.build()?.get(url).send().await?;
        let status = answer.status();
        Ok((status, answer.json().await.unwrap_or_default()))
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(super::Chain(&reqwest::Error::without_url(error)).to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_asked_at_this_machines_own() {
        for (listens, asked) in [
            ("0.0.0.0:3000", "127.0.0.1:3000"),
            ("[::]:3000", "[::1]:3000"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("[::1]:3000", "[::1]:3000"),
        ] {
            let found = reachable(listens.parse().unwrap());
            assert_eq!(found.to_string(), asked);
        }
    }
}
