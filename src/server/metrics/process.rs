//! What Linux knows of this process, under the names that every Prometheus exporter gives it. On
//! other systems there is nothing of it but when it started.

use std::{fs, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter},
};

use super::computed::gauge;
use crate::domain::timestamp::Timestamp;

/// What `/proc` counts time in, on every architecture of Linux.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
pub struct Process {
    /// When the counting began, which is when the process did but for some milliseconds: systemd's
    /// `ProcSubset=pid` hides when the machine was started, from which `/proc` counts.
    pub started: Timestamp,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        if let Some(seconds) = cpu_seconds() {
            let kind = MetricType::Counter;
            let name = "process_cpu_seconds";
            let help = "CPU time, of the user and of the system.";
            let metric = encoder.encode_descriptor(name, help, None, kind)?;
            ConstCounter::new(seconds).encode(metric)?;
        }
        for (name, help, value) in [
            (
                "process_start_time_seconds",
                "When the process started, in seconds since 1970.",
                Some(seconds(self.started)),
            ),
            (
                "process_resident_memory_bytes",
                "Resident memory.",
                status("VmRSS:").map(|kibibytes| kibibytes * 1024.0),
            ),
            ("process_threads", "Threads.", status("Threads:")),
            ("process_open_fds", "Open file descriptors.", open_fds()),
            (
                "process_max_fds",
                "How many file descriptors may be open.",
                max_fds(),
            ),
        ] {
            if let Some(value) = value {
                gauge(&mut encoder, name, help, &[(&[], value)])?;
            }
        }
        Ok(())
    }
}

/// The fields of `/proc/self/stat` behind the command's name, which may hold anything.
fn stat(index: usize) -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    rest.split(' ').nth(index)?.parse().ok()
}

fn seconds(at: Timestamp) -> f64 {
    let since_1970 = Duration::from_millis(u64::try_from(at.0).unwrap_or_default());
    since_1970.as_secs_f64()
}

fn cpu_seconds() -> Option<f64> {
    Some((stat(11)? + stat(12)?) / TICKS_PER_SECOND)
}

/// A number of `/proc/self/status`.
fn status(name: &str) -> Option<f64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn open_fds() -> Option<f64> {
    // The one that reads the folder is among them.
    let count = fs::read_dir("/proc/self/fd").ok()?.count().checked_sub(1)?;
    u32::try_from(count).ok().map(f64::from)
}

fn max_fds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_sensible_numbers() {
        let memory = status("VmRSS:").unwrap() * 1024.0;
        assert!((1e6..1e11).contains(&memory), "{memory}");
        let (open, max) = (open_fds().unwrap(), max_fds().unwrap());
        assert!(open >= 3.0 && open < max, "{open} of {max}");
        assert!(cpu_seconds().unwrap() >= 0.0);
        assert!(status("Threads:").unwrap() >= 1.0);
    }
}
