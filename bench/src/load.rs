//! Load. Closed: each connection asks again as soon as it has its answer, which finds how much the
//! server can do. Open: requests have their moments, whether or not the one before is answered, and
//! the wait counts from then: what people feel (and what a closed loop hides).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hdrhistogram::Histogram;
use tokio::{task::JoinSet, time::Instant};

use crate::{Result, client::Client};

/// So many connections: enough to keep two cores busy, few enough to share them. As many for an open
/// load as for a closed one, or 80 % of what the one reaches would be something else for the other.
pub const CONNECTIONS: usize = 32;

/// Where, and the requests that are sent in turn.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub requests: Arc<Vec<Vec<u8>>>,
}

pub struct Measured {
    pub per_second: f64,
    /// In microseconds.
    pub waits: Histogram<u64>,
}

impl Measured {
    /// A quantile in milliseconds.
    pub fn ms(&self, quantile: f64) -> f64 {
        self.waits.value_at_quantile(quantile) as f64 / 1000.0
    }
}

/// As fast as it goes.
pub async fn closed(target: &Target, each: Duration) -> Result<Measured> {
    run(target, each, None).await
}

/// So many a second.
pub async fn open(target: &Target, each: Duration, per_second: f64) -> Result<Measured> {
    run(target, each, Some(per_second)).await
}

async fn run(target: &Target, each: Duration, rate: Option<f64>) -> Result<Measured> {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..CONNECTIONS {
        let target = target.clone();
        let pace = rate.map(|rate| Pace {
            gap: Duration::from_secs_f64(CONNECTIONS as f64 / rate),
            first: Duration::from_secs_f64(number as f64 / rate),
        });
        tasks.spawn(connection(target, number, began, each, pace));
    }
    let mut waits = Histogram::new(3)?;
    while let Some(one) = tasks.join_next().await {
        waits.add(one??)?;
    }
    Ok(Measured {
        per_second: waits.len() as f64 / began.elapsed().as_secs_f64(),
        waits,
    })
}

struct Pace {
    gap: Duration,
    first: Duration,
}

async fn connection(
    target: Target,
    number: usize,
    began: Instant,
    each: Duration,
    pace: Option<Pace>,
) -> Result<Histogram<u64>> {
    let mut client = Client::connect(target.address).await?;
    let mut waits = Histogram::new(3)?;
    // Connections begin at different places of the list.
    let mut turn = number * 7919;
    let mut sent = 0_u32;
    loop {
        let from = match &pace {
            Some(pace) => {
                let at = began + pace.first + pace.gap * sent;
                tokio::time::sleep_until(at).await;
                at
            }
            None => Instant::now(),
        };
        if from.duration_since(began) >= each {
            return Ok(waits);
        }
        let request = &target.requests[turn % target.requests.len()];
        let status = client.ask(request).await?;
        if status != 200 {
            return Err(format!("answered {status}").into());
        }
        waits.record(u64::try_from(from.elapsed().as_micros())?)?;
        (turn, sent) = (turn + 1, sent + 1);
    }
}
