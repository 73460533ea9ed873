//! Gauges that are read at the scrape: the state of something that counts anyway.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::gauge::ConstGauge,
};

use super::Label;

/// One value with its labels.
pub type Sample = (&'static [Label], f64);

type Read = dyn Fn() -> Vec<Sample> + Send + Sync;

pub struct Computed {
    name: &'static str,
    help: &'static str,
    read: Box<Read>,
}

impl Computed {
    pub fn new(
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            help,
            read: Box::new(read),
        }
    }
}

impl fmt::Debug for Computed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Computed").field(&self.name).finish()
    }
}

impl Collector for Computed {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        gauge(&mut encoder, self.name, self.help, &(self.read)())
    }
}

/// A whole family of gauges.
pub fn gauge(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    samples: &[Sample],
) -> Result<(), fmt::Error> {
    let kind = prometheus_client::metrics::MetricType::Gauge;
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    if let [([], value)] = samples {
        return ConstGauge::new(*value).encode(family);
    }
    for (labels, value) in samples {
        ConstGauge::new(*value).encode(family.encode_family(labels)?)?;
    }
    Ok(())
}
