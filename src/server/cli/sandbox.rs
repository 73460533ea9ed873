//! `patchbay sandbox`: the arguments of the stand-in for Nango.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use url::Url;

use super::Settings;
use crate::server::config::{Config, SandboxWebhook};

/// No argument holds a key: the list of processes shows them to everybody on the machine. Keys come
/// from the environment or the file.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    #[command(flatten)]
    pub settings: Settings,
    /// Where to listen; it lets in anyone who reaches it
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where to keep its connections
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Send webhooks there, signed with NANGO_WEBHOOK_SIGNING_KEY [default: the secret key]
    #[arg(long, value_name = "URL")]
    webhook_url: Option<Url>,
    /// Send each webhook there too
    #[arg(long, value_name = "URL", requires = "webhook_url")]
    webhook_secondary_url: Option<Url>,
    /// Send webhooks to this machine and to private addresses too, which Nango refuses
    #[arg(long, requires = "webhook_url")]
    allow_loopback_webhooks: bool,
    /// Answer any number of calls a minute
    #[arg(long)]
    unlimited: bool,
}

impl SandboxArgs {
    /// The arguments win over the environment and the file.
    pub fn apply(self, config: &mut Config) {
        if let Some(listen) = self.listen {
            config.sandbox.listen_addr = listen;
        }
        if let Some(state) = self.state {
            config.sandbox.state_file = state;
        }
        config.sandbox.webhook = self.webhook_url.map(|url| SandboxWebhook {
            url,
            secondary_url: self.webhook_secondary_url,
            signing_key: config.nango.webhook_signing_key.clone(),
            allow_loopback: self.allow_loopback_webhooks,
        });
        config.sandbox.unlimited = self.unlimited;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use secrecy::ExposeSecret;

    use super::{
        super::{Cli, Command},
        *,
    };

    const KEY: &str = "2c1f5d0e-6f4e-4a55-9a0c-8d2b7e9f1a34";

    #[test]
    fn the_sandbox_arguments_win_over_the_settings() {
        let cli = Cli::try_parse_from([
            "patchbay",
            "sandbox",
            "--config",
            "other.toml",
            "--listen",
            "127.0.0.1:4000",
            "--state",
            "/tmp/s.json",
            "--webhook-url",
            "http://127.0.0.1:3000/hook",
            "--allow-loopback-webhooks",
            "--unlimited",
        ])
        .unwrap();
        let Some(Command::Sandbox(args)) = cli.command else {
            panic!("not the sandbox");
        };
        assert_eq!(args.settings.config, Some(PathBuf::from("other.toml")));
        let empty = std::env::temp_dir().join("patchbay-cli-empty.toml");
        std::fs::write(&empty, "").unwrap();
        let env = |name: &str| match name {
            "SANDBOX_SECRET_KEY" => Some(KEY.to_owned()),
            "NANGO_WEBHOOK_SIGNING_KEY" => Some("k2".to_owned()),
            _ => None,
        };
        let mut config = Config::load(Some(&empty), &env).unwrap();
        args.apply(&mut config);
        assert_eq!(config.sandbox.listen_addr.to_string(), "127.0.0.1:4000");
        assert_eq!(config.sandbox.state_file, PathBuf::from("/tmp/s.json"));
        assert_eq!(config.sandbox.secret_key.expose_secret(), KEY);
        assert!(config.sandbox.unlimited);
        let webhook = config.sandbox.webhook.unwrap();
        assert_eq!(webhook.url.as_str(), "http://127.0.0.1:3000/hook");
        assert_eq!(webhook.signing_key.unwrap().expose_secret(), "k2");
        assert!(webhook.allow_loopback && webhook.secondary_url.is_none());
        let alone = ["patchbay", "sandbox", "--allow-loopback-webhooks"];
        assert!(Cli::try_parse_from(alone).is_err(), "for no address");
    }
}
