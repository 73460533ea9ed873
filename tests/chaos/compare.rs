//! The database against what was acknowledged, against every page and against Nango's own list.
//!
//! May import the crate's manifests, and everything beside it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, Instant},
};

use patchbay::server::manifest::Registry;
use reqwest::Method;
use serde_json::Value;
use sqlx::{FromRow, PgConnection};

use crate::{
    house::House,
    lease::{self, Lease},
    ledger::{Done, Kept, Ledger},
    product::ISSUER,
    user::User,
};

/// Nango's longest page.
const PAGE: usize = 2000;

/// Somebody takes the lease within two seconds of its end; on a busy machine, within a few more.
const VACANT: Duration = Duration::from_secs(15);

/// What is not as it must be, by what it is about; nothing where nothing was lost.
#[derive(Debug, Default)]
pub struct Differences {
    pub all: BTreeMap<&'static str, Vec<String>>,
    pub rows: usize,
    pub listed: usize,
}

impl Differences {
    pub fn add(&mut self, about: &'static str, what: String) {
        self.all.entry(about).or_default().push(what);
    }

    pub fn extend(&mut self, about: &'static str, all: impl IntoIterator<Item = String>) {
        all.into_iter().for_each(|what| self.add(about, what));
    }

    pub fn count(&self) -> usize {
        self.all.values().map(Vec::len).sum()
    }
}

#[derive(Debug, FromRow)]
struct Row {
    subject: String,
    slug: String,
    id: String,
    user_id: String,
    status: String,
    nango_connection_id: Option<String>,
    version: i64,
    account: Option<String>,
    is_open: bool,
}

const ROWS: &str = r#"SELECT u.subject, k.slug, c.id::text, c.user_id::text, c.status,
    c.nango_connection_id, c.version, c.account,
    EXISTS (SELECT 1 FROM connect_attempt a WHERE a.connection_id = c.id AND a.state = 'open') AS is_open
    FROM user_connector_connection c JOIN "user" u ON u.id = c.user_id
    JOIN connector k ON k.id = c.connector_id WHERE u.issuer = $1"#;
const SUCCEEDED: &str = "SELECT a.id::text FROM connect_attempt a JOIN audit_event e
    ON e.attempt_id = a.id AND e.action = 'connected' WHERE a.state = 'succeeded'";
const WRITTEN: &str = "SELECT action, connection_id::text, count(*) FROM audit_event
    WHERE connection_id IS NOT NULL GROUP BY action, connection_id";
const OWED: &str = "SELECT nango_connection_id FROM owed_deletion";
const UNSEALED: &str = "SELECT count(*) FROM audit_unsealed";

/// One look; what is still on its way counts as a difference.
pub async fn look(
    house: &House,
    database: &mut PgConnection,
    users: &[User],
    ledger: &Ledger,
) -> Result<Differences, sqlx::Error> {
    let mut found = Differences::default();
    let rows: Vec<Row> = sqlx::query_as(ROWS)
        .bind(ISSUER)
        .fetch_all(&mut *database)
        .await?;
    let list = everything_at_nango(house).await;
    (found.rows, found.listed) = (rows.len(), list.len());
    people(&rows, users, &mut found);
    nango(&rows, &list, &mut found);
    let owed: Vec<String> = sqlx::query_scalar(OWED).fetch_all(&mut *database).await?;
    found.extend("still owed to Nango", owed);
    let unsealed: i64 = sqlx::query_scalar(UNSEALED)
        .fetch_one(&mut *database)
        .await?;
    if unsealed > 0 {
        found.add("audit", format!("{unsealed} entries without a seal"));
    }
    let succeeded: Vec<String> = sqlx::query_scalar(SUCCEEDED)
        .fetch_all(&mut *database)
        .await?;
    let written: Vec<(String, String, i64)> =
        sqlx::query_as(WRITTEN).fetch_all(&mut *database).await?;
    let kept = ledger.read();
    acknowledged(&kept, succeeded, written, &mut found);
    for row in &rows {
        let told = kept.versions.get(&row.id).copied().unwrap_or_default();
        if told > row.version {
            found.add("versions", format!("{told} was told of {row:?}"));
        }
    }
    found.extend("contradictions", kept.contradictions.iter().cloned());
    found.extend("answers", kept.amiss.iter().cloned());
    drop(kept);
    Ok(found)
}

async fn everything_at_nango(house: &House) -> Vec<Value> {
    let mut all = Vec::new();
    for page in 0.. {
        let path = format!("/connections?limit={PAGE}&page={page}");
        let list = house.nango.call(Method::GET, &path, None).await;
        let entries = list["connections"].as_array().expect("a list");
        all.extend(entries.iter().cloned());
        if entries.len() < PAGE {
            break;
        }
    }
    all
}

/// What each person knows of their accounts, and what their page shows.
fn people(rows: &[Row], users: &[User], found: &mut Differences) {
    let mut of: HashMap<&str, Vec<&Row>> = HashMap::new();
    for row in rows {
        of.entry(&row.subject).or_default().push(row);
    }
    for user in users {
        let rows = of.remove(user.subject.as_str()).unwrap_or_default();
        for (slug, account) in &user.accounts {
            let its: Vec<_> = rows.iter().filter(|row| row.slug == *slug).collect();
            let row = match its[..] {
                [] if !account.connected => continue,
                [one] => one,
                _ => {
                    let what = format!("{} {slug} {account:?}: {its:?}", user.subject);
                    found.add("not one row", what);
                    continue;
                }
            };
            let bound = row.nango_connection_id.is_some();
            let is_right = if account.connected {
                row.status == "connected" && bound
            } else {
                matches!(row.status.as_str(), "disconnected" | "pending") && !bound
            };
            if !is_right {
                found.add("acknowledged, and not so", format!("{account:?} {row:?}"));
            }
            if account.connected && account.name.is_some() && account.name != row.account {
                found.add("acknowledged names", format!("{account:?} {row:?}"));
            }
        }
        let shown = user.page.shows();
        if shown.len() != rows.len() {
            let counts = format!("{} of {} rows", shown.len(), rows.len());
            found.add("pages", format!("{}: {counts}", user.subject));
        }
        for row in rows {
            let Some(shown) = shown.get(&row.id) else {
                continue;
            };
            let same = shown["version"] == row.version
                && shown["status"] == row.status
                && shown["attempt"].is_object() == row.is_open;
            if !same {
                found.add("pages", format!("{shown} is {row:?}"));
            }
        }
    }
}

/// Nango has what is bound here, under its own person's tags, and nothing else.
fn nango(rows: &[Row], list: &[Value], found: &mut Differences) {
    let registry = Registry::load(None).expect("the manifests");
    let entries = list
        .iter()
        .map(|e| (e["connection_id"].as_str().unwrap_or_default(), e));
    let mut entries: HashMap<&str, &Value> = entries.collect();
    for row in rows {
        let Some(id) = &row.nango_connection_id else {
            continue;
        };
        let manifest = registry.find(&row.slug).expect("a connector");
        let is_same = entries.remove(id.as_str()).is_some_and(|entry| {
            entry["tags"]["end_user_id"] == row.user_id
                && entry["provider_config_key"] == manifest.nango.provider_key
        });
        if !is_same {
            found.add("bound to what Nango has not", format!("{row:?}"));
        }
    }
    found.extend("orphans", entries.values().map(ToString::to_string));
}

/// Every change that was acknowledged has been written down, the later ones and the earlier ones.
fn acknowledged(
    kept: &Kept,
    succeeded: Vec<String>,
    written: Vec<(String, String, i64)>,
    found: &mut Differences,
) {
    let succeeded: HashSet<String> = succeeded.into_iter().collect();
    let written = written.into_iter();
    let written: HashMap<_, i64> = written.map(|(a, c, n)| ((a, c), n)).collect();
    let mut told: HashMap<(&str, &str), i64> = HashMap::new();
    for done in &kept.done {
        match done {
            Done::Connected { attempt } if succeeded.contains(attempt) => {}
            Done::Connected { .. } => found.add("lost", format!("{done:?}")),
            Done::Disconnected { connection } => {
                *told.entry(("disconnect", connection)).or_default() += 1;
            }
            Done::Renamed { connection } => *told.entry(("rename", connection)).or_default() += 1,
        }
    }
    for ((action, connection), told) in told {
        let key = (action.to_owned(), connection.to_owned());
        let written = written.get(&key).copied().unwrap_or_default();
        if written < told {
            let what = format!("{action} of {connection}: {told} told, {written} written");
            found.add("lost", what);
        }
    }
}

/// What no waiting would mend: logs, the audit log's chain, the lease.
pub fn afterwards(
    house: &House,
    lease: &Lease,
    outages: &[(Instant, Instant)],
    found: &mut Differences,
) {
    let samples = lease.samples();
    let vacancy = lease::longest_vacancy(&samples, outages);
    if vacancy > VACANT {
        found.add("lease", format!("nobody had it for {vacancy:?}"));
    }
    let ids: HashSet<&String> = samples.iter().filter_map(|s| s.holder.as_ref()).collect();
    let holders: HashMap<&String, Option<usize>> =
        ids.into_iter().map(|id| (id, house.holder(id))).collect();
    for instance in &house.instances {
        let log = instance.log();
        let panics = log.lines().filter(|line| line.contains("panicked"));
        found.extend("panics", panics.map(str::to_owned));
        found.extend("processes", instance.amiss());
        let is_own = |id: &String| holders.get(id) == Some(&Some(instance.number));
        for at in instance.reconciled() {
            if let Some(other) = lease::held_by_another(&samples, at, is_own) {
                let ago = Instant::now().duration_since(at).as_secs();
                let number = instance.number;
                let what = format!("instance {number} compared {ago} s ago, when {other} had it");
                found.add("lease", what);
            }
        }
    }
    if house.nango.log().contains("panicked") {
        found.add("panics", "the sandbox".to_owned());
    }
    for (id, number) in &holders {
        if number.is_none() {
            found.add(
                "lease",
                format!("{id} has had it, and none of the instances"),
            );
        }
    }
    if lease.holder().is_none() {
        found.add("lease", "nobody has it in the end".to_owned());
    }
    let url = house.database_url();
    let other = [("DATABASE_URL", url.as_str())];
    let (is_whole, said) = house.instances[0].run(&["audit", "verify"], &other);
    if !is_whole {
        found.add("audit", said);
    }
}
