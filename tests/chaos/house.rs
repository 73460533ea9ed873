//! Everything that runs: a PostgreSQL, a sandbox in Nango's place, three servers, and the proxies
//! between them.
//!
//! May import the crate's clock, and `cluster`, `instance`, `plan`, `process`, `product`, `proxy` and
//! `stand_in` beside it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use patchbay::server::clock::Clock;
use reqwest::{Client, redirect::Policy};

use crate::{
    cluster::Cluster,
    instance::{Instance, Ports},
    plan::INSTANCES,
    process::{Folder, Program, free_port, until_ready},
    product, proxy,
    stand_in::StandIn,
};

/// In a debug build, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct House {
    pub cluster: Cluster,
    pub instances: Vec<Arc<Instance>>,
    pub http: Client,
    pub seed: u64,
    pub nango: StandIn,
    // Gone last.
    _folder: Folder,
    turn: AtomicU64,
}

impl House {
    pub async fn start(seed: u64) -> Self {
        let clock = Clock::system();
        let cluster = Cluster::start(clock.random_id().simple().to_string());
        let folder = Folder::new("chaos");
        let (front_port, http) = (free_port(), client(Some(Duration::from_secs(15))));
        let nango = StandIn::start(&folder.0, &http, Some(front_port)).await;
        let ports: Vec<Ports> = (0..INSTANCES)
            .map(|_| Ports {
                own: free_port(),
                database: free_port(),
                nango: free_port(),
                to_database: cluster.port,
                to_nango: nango.port,
            })
            .collect();
        let all = ports.iter().map(|ports| ports.own).collect();
        tokio::spawn(proxy::front(front_port, all));
        let instances = ports.iter().enumerate().map(|(number, ports)| {
            let settings = settings(ports, &cluster.url(ports.database), front_port);
            let name = format!("instance-{number}");
            let program = Program::new(&folder.0, &name, &["serve"], &settings);
            Instance::new(number, ports, program)
        });
        let house = Self {
            instances: instances.collect(),
            cluster,
            http,
            seed,
            nango,
            _folder: folder,
            turn: AtomicU64::new(0),
        };
        // All at once: they have an empty database to migrate.
        for instance in &house.instances {
            instance.start();
        }
        house.all_ready(PATIENCE).await.expect("three servers");
        house
    }

    /// Until each of them says so; else which does not.
    pub async fn all_ready(&self, limit: Duration) -> Result<(), String> {
        for instance in &self.instances {
            if until_ready(&self.http, &instance.base, limit)
                .await
                .is_none()
            {
                let log = instance.log();
                let last: Vec<&str> = log.lines().rev().take(5).collect();
                let number = instance.number;
                return Err(format!("instance {number} is not ready: {last:#?}"));
            }
        }
        Ok(())
    }

    /// The database itself, past all proxies.
    pub fn database_url(&self) -> String {
        self.cluster.url(self.cluster.port)
    }

    /// One instance after the other.
    pub fn next(&self) -> &Instance {
        let turn = usize::try_from(self.turn.fetch_add(1, Ordering::Relaxed)).expect("a number");
        &self.instances[turn % self.instances.len()]
    }

    /// Which instance has this id on the lease: it says so when it takes it.
    pub fn holder(&self, id: &str) -> Option<usize> {
        let mut instances = self.instances.iter();
        instances.position(|instance| {
            let log = instance.log();
            let mut lines = log.lines();
            lines.any(|line| line.contains(id) && line.contains("does the background's work"))
        })
    }
}

/// `None`: an answer may take for ever, as an event stream does.
pub fn client(timeout: Option<Duration>) -> Client {
    let mut builder = Client::builder().redirect(Policy::none()).no_proxy();
    if let Some(timeout) = timeout {
        builder = builder.timeout(timeout);
    }
    builder.build().expect("a client")
}

fn settings(ports: &Ports, database: &str, front: u16) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("DATABASE_URL", database.to_owned()),
        ("LISTEN_ADDR", format!("127.0.0.1:{}", ports.own)),
        ("PUBLIC_URL", format!("http://127.0.0.1:{front}")),
        ("NANGO_RECONCILE_SECONDS", "5".to_owned()),
        // As short as can be: what nobody finishes expires while the long form runs.
        ("NANGO_ATTEMPT_MINUTES", "1".to_owned()),
    ];
    all.extend(StandIn::settings(ports.nango));
    all.extend(product::settings());
    all
}
