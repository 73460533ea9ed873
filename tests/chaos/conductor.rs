//! Carries the plan out: breaks something, mends it, and notes when.
//!
//! May import `house`, `instance`, `lease`, `plan` and `proxy` beside it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    cluster::Cluster,
    house::House,
    instance::Instance,
    lease::Lease,
    plan::{Fault, Step, Which},
    proxy::Mode,
};

/// How far away a slow database is.
const FAR: Duration = Duration::from_millis(25);

#[derive(Clone, Debug)]
pub struct Happened {
    pub fault: Fault,
    pub began: Instant,
    pub mended: Instant,
    /// Who had the lease when it began, where that was whom it befell.
    pub holder: Option<String>,
}

#[derive(Clone)]
pub struct Conductor {
    pub house: Arc<House>,
    pub lease: Lease,
}

impl Conductor {
    /// One fault after the other, as long as the next is mended by then.
    pub async fn row(self, steps: Vec<Step>, until: Instant) -> Vec<Happened> {
        let mut happened = Vec::new();
        for Step {
            after,
            fault,
            lasts,
        } in steps
        {
            if Instant::now() + after + lasts > until {
                break;
            }
            sleep(after).await;
            let holder = self.lease.holder();
            let began = Instant::now();
            let befell_holder = self.act(fault, lasts, holder.as_deref()).await;
            happened.push(Happened {
                fault,
                began,
                mended: Instant::now(),
                holder: holder.filter(|_| befell_holder),
            });
        }
        happened
    }

    /// Breaks and mends. Whether it befell the lease's holder.
    async fn act(&self, fault: Fault, lasts: Duration, holder: Option<&str>) -> bool {
        let instances = &self.house.instances;
        let holding = holder.and_then(|id| self.house.holder(id));
        let number = |which| match which {
            Which::Number(number) => number,
            Which::Holder => holding.unwrap_or(0),
        };
        match fault {
            Fault::Kill(which) => {
                let number = number(which);
                down(&[&instances[number]], lasts).await;
                holding == Some(number)
            }
            Fault::KillTwo(a, b) => {
                down(&[&instances[a], &instances[b]], lasts).await;
                holding == Some(a) || holding == Some(b)
            }
            Fault::Terminate(which) => {
                let number = number(which);
                instances[number].terminate(&self.house.http).await;
                sleep(lasts).await;
                instances[number].start();
                holding == Some(number)
            }
            Fault::Pause(which) => {
                let number = number(which);
                instances[number].pause();
                sleep(lasts).await;
                instances[number].resume();
                holding == Some(number)
            }
            Fault::Restart => {
                self.cluster(Cluster::restart).await;
                false
            }
            Fault::PauseDatabase => {
                self.cluster(Cluster::pause).await;
                sleep(lasts).await;
                self.cluster(Cluster::resume).await;
                false
            }
            Fault::Cut => {
                instances
                    .iter()
                    .for_each(|instance| instance.database.cut());
                false
            }
            Fault::Hang => {
                set(instances, Mode::Hang);
                sleep(lasts).await;
                set(instances, Mode::Pass);
                false
            }
            Fault::Refuse => {
                refuse(instances, lasts).await;
                false
            }
            Fault::Partition(number) => {
                refuse(&instances[number..=number], lasts).await;
                false
            }
            Fault::Lose(number) => {
                instances[number].database.lose();
                false
            }
            Fault::Slow => {
                set(instances, Mode::Slow(FAR));
                sleep(lasts).await;
                set(instances, Mode::Pass);
                false
            }
        }
    }

    /// Its programs are waited for elsewhere than where people act.
    async fn cluster(&self, act: fn(&Cluster)) {
        let house = self.house.clone();
        let act = tokio::task::spawn_blocking(move || act(&house.cluster));
        act.await.expect("PostgreSQL");
    }
}

async fn down(these: &[&Arc<Instance>], lasts: Duration) {
    these.iter().for_each(|instance| instance.kill());
    sleep(lasts).await;
    these.iter().for_each(|instance| instance.start());
}

fn set(instances: &[Arc<Instance>], mode: Mode) {
    instances
        .iter()
        .for_each(|instance| instance.database.set(mode));
}

async fn refuse(instances: &[Arc<Instance>], lasts: Duration) {
    set(instances, Mode::Refuse);
    instances
        .iter()
        .for_each(|instance| instance.database.cut());
    sleep(lasts).await;
    set(instances, Mode::Pass);
}

/// The times in which not every instance reached its database.
pub fn outages(happened: &[Happened]) -> Vec<(Instant, Instant)> {
    let of_database = |fault: Fault| {
        !matches!(
            fault,
            Fault::Kill(_) | Fault::KillTwo(..) | Fault::Terminate(_) | Fault::Pause(_)
        )
    };
    let all = happened.iter().filter(|h| of_database(h.fault));
    all.map(|h| (h.began, h.mended)).collect()
}
