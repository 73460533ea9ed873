//! The table that is printed.

use std::fmt::Write as _;

/// One line: what was asked for, and how it went.
pub struct Line {
    pub what: String,
    pub bytes: usize,
    pub per_second: f64,
    /// Of the bare route with the same bytes, in the same run.
    pub bare: f64,
    /// How many of its requests one of ours takes.
    pub ratio: f64,
    /// In milliseconds, at 80 % of what it can do.
    pub p50: f64,
    pub p99: f64,
    /// The server's own processor time for a request, in microseconds.
    pub cost: f64,
    pub bare_cost: f64,
}

pub fn print(lines: &[Line]) {
    let mut out = String::from(
        "\n| answer | kB | req/s | bare req/s | ratio | CPU µs | bare CPU µs | p50 at 80 % | p99 at 80 % |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for line in lines {
        let _ = writeln!(
            out,
            "| {} | {:.1} | {:.0} | {:.0} | 1/{:.1} | {:.0} | {:.0} | {:.1} ms | {:.1} ms |",
            line.what,
            line.bytes as f64 / 1000.0,
            line.per_second,
            line.bare,
            line.ratio,
            line.cost,
            line.bare_cost,
            line.p50,
            line.p99,
        );
    }
    println!("{out}");
}
