//! Who has the lease, seen from outside: the row itself, several times a second, past all proxies.
//!
//! May import `house` beside it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection, Row};
use tokio::time::{sleep, timeout};

const EVERY: Duration = Duration::from_millis(150);
/// Samples further apart than this say nothing of what was between them.
const GAP: Duration = Duration::from_secs(2);
/// A call and the row's change may cross.
const CROSSING: Duration = Duration::from_millis(300);

const HOLDER: &str = "SELECT holder::text, expires_at > clock_timestamp() FROM lease";

#[derive(Clone, Debug)]
pub struct Sample {
    pub at: Instant,
    /// None where nobody's has not run out.
    pub holder: Option<String>,
}

#[derive(Clone, Default)]
pub struct Lease(Arc<Mutex<Vec<Sample>>>);

impl Lease {
    pub fn watch(url: String) -> Self {
        let lease = Self::default();
        let samples = lease.0.clone();
        tokio::spawn(async move {
            let mut connection = None;
            loop {
                sleep(EVERY).await;
                let look = look(&mut connection, &url);
                match timeout(Duration::from_secs(1), look).await {
                    Ok(Ok(holder)) => {
                        let at = Instant::now();
                        let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
                        samples.push(Sample { at, holder });
                    }
                    _ => connection = None,
                }
            }
        });
        lease
    }

    pub fn samples(&self) -> Vec<Sample> {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.clone()
    }

    /// Who has it now, as far as that is known.
    pub fn holder(&self) -> Option<String> {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = samples.last()?;
        (last.at.elapsed() < GAP).then(|| last.holder.clone())?
    }
}

async fn look(
    connection: &mut Option<PgConnection>,
    url: &str,
) -> Result<Option<String>, sqlx::Error> {
    let open = match connection {
        Some(open) => open,
        None => connection.insert(PgConnection::connect(url).await?),
    };
    let row = sqlx::query(HOLDER).fetch_optional(open).await?;
    let holder = row.map(|row| (row.get::<String, _>(0), row.get::<bool, _>(1)));
    Ok(holder.filter(|(_, valid)| *valid).map(|(id, _)| id))
}

/// The longest time for which nobody had it, though the database could be asked; times in which the
/// database was not to be reached do not count.
pub fn longest_vacancy(samples: &[Sample], outages: &[(Instant, Instant)]) -> Duration {
    let mut longest = Duration::ZERO;
    let mut since: Option<Instant> = None;
    for pair in samples.windows(2) {
        let [before, now] = pair else { continue };
        let reached = now.at - before.at < GAP
            && !outages
                .iter()
                .any(|(from, to)| (*from..*to).contains(&now.at));
        if now.holder.is_some() || !reached {
            since = None;
            continue;
        }
        let began = *since.get_or_insert(now.at);
        longest = longest.max(now.at - began);
    }
    longest
}

/// How long after this moment another than this one had it, if that is known.
pub fn taken_over(samples: &[Sample], from: &str, at: Instant) -> Option<Duration> {
    let mut later = samples.iter().filter(|sample| sample.at > at);
    let other = later.find(|sample| sample.holder.as_deref().is_some_and(|id| id != from))?;
    Some(other.at - at)
}

/// Whether somebody else had it before and after this moment: who.
pub fn held_by_another(
    samples: &[Sample],
    at: Instant,
    is_own: impl Fn(&String) -> bool,
) -> Option<String> {
    let near = |sample: &&Sample| {
        let (early, late) = (sample.at.min(at), sample.at.max(at));
        (CROSSING..GAP).contains(&(late - early))
    };
    let mut near = samples.iter().filter(near);
    let before = near.clone().rfind(|sample| sample.at < at)?;
    let after = near.find(|sample| sample.at > at)?;
    let (before, after) = (before.holder.as_ref()?, after.holder.as_ref()?);
    (before == after && !is_own(before)).then(|| before.clone())
}
