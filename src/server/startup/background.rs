//! The work that no request asks for, kept going: a task that breaks off is started again. May import
//! what `startup` does.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use tokio::time::sleep;

use crate::server::services::health::Health;

/// The first pause; it doubles with every time in a row, up to half a minute.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs a task that should never end. One that breaks off without end makes `/health/live` fail.
pub async fn keep<F>(health: Health, task: &'static str, work: impl Fn() -> F)
where
    F: Future<Output = ()>,
{
    health.has(task);
    again(work, |panicked| {
        let times = health.broke_off(task);
        tracing::error!(
            task,
            times,
            panicked,
            "a background task broke off; it is started again"
        );
        PAUSE * 2_u32.pow(times.saturating_sub(1).min(5))
    })
    .await;
}

/// `broke_off` is told whether it panicked, and says how long to wait.
async fn again<F>(work: impl Fn() -> F, broke_off: impl Fn(bool) -> Duration)
where
    F: Future<Output = ()>,
{
    loop {
        // What it leaves behind is behind locks that survive it, and in the database.
        let ended = AssertUnwindSafe(async { work().await })
            .catch_unwind()
            .await;
        sleep(broke_off(ended.is_err())).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_started_again_and_so_is_one_that_ends() {
        let (started, panics, again_there) = (AtomicU32::new(0), AtomicU32::new(0), Notify::new());
        let work = || async {
            match started.fetch_add(1, Ordering::Relaxed) {
                0 => panic!("on purpose"),
                1 => {}
                _ => {
                    again_there.notify_one();
                    std::future::pending().await
                }
            }
        };
        let kept = again(work, |panicked| {
            panics.fetch_add(panicked.into(), Ordering::Relaxed);
            Duration::from_millis(1)
        });
        tokio::select! {
            () = kept => {}
            () = again_there.notified() => {}
        }
        assert_eq!(started.load(Ordering::Relaxed), 3);
        assert_eq!(panics.load(Ordering::Relaxed), 1);
    }
}
