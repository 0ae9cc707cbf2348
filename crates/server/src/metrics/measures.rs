//! [`Metrics`]: what is counted of a service.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use adjutant::model::layer::{self as model, tally};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// Where the kinds of how long an answer takes end, in seconds: from a page out of memory to an answer of a slow model.
const LATENCIES: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// What was asked: a method, and a route as the service knows it, never a path as a client wrote it. So there are few of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Standing {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Calls {
    model: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tokens {
    model: String,
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfModel {
    model: String,
}

/// What is counted of a service, by labels of which there are few: no tenant, no key, no run.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    latency: Family<Asked, Histogram, fn() -> Histogram>,
    under_way: Gauge,
    connections: Gauge,
    streams: Gauge,
    runs: Family<Standing, Gauge>,
    calls: Family<Calls, Counter>,
    tokens: Family<Tokens, Counter>,
    money: Family<OfModel, Counter<f64, AtomicU64>>,
    tenants: Gauge,
    draining: Gauge,
    store_failures: Counter,
    handshakes_failed: Counter,
    up: Gauge<f64, AtomicU64>,
    began: std::time::Instant,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let latency: fn() -> Histogram = || Histogram::new(LATENCIES);
        let mut registry = Registry::with_prefix("adjutant");
        let metrics = Self {
            requests: Family::default(),
            latency: Family::new_with_constructor(latency),
            under_way: Gauge::default(),
            connections: Gauge::default(),
            streams: Gauge::default(),
            runs: Family::default(),
            calls: Family::default(),
            tokens: Family::default(),
            money: Family::default(),
            tenants: Gauge::default(),
            draining: Gauge::default(),
            store_failures: Counter::default(),
            handshakes_failed: Counter::default(),
            up: Gauge::default(),
            began: std::time::Instant::now(),
            registry: Registry::default(),
        };
        registry.register("http_requests", "Requests that were answered", metrics.requests.clone());
        registry.register(
            "http_requests_under_way",
            "Requests that are being answered",
            metrics.under_way.clone(),
        );
        registry.register("connections", "Connections that are open", metrics.connections.clone());
        registry.register("streams", "Streams that are open", metrics.streams.clone());
        registry.register(
            "runs",
            "Runs that are not over, by how they stand, of all tenants",
            metrics.runs.clone(),
        );
        registry.register("model_calls", "Calls of models, each attempt", metrics.calls.clone());
        registry.register("model_tokens", "Tokens that models read and wrote", metrics.tokens.clone());
        registry.register(
            "model_cost_usd",
            "What calls of models cost whose prices are known, in US dollars",
            metrics.money.clone(),
        );
        registry.register("tenants", "Tenants that this process drives", metrics.tenants.clone());
        registry.register("draining", "Whether the service is about to stop", metrics.draining.clone());
        registry.register(
            "store_failures",
            "Answers that failed since the store did",
            metrics.store_failures.clone(),
        );
        registry.register(
            "tls_handshakes_failed",
            "Connections that came to no TLS",
            metrics.handshakes_failed.clone(),
        );
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of Adjutant", build);
        let (latency, up) = (metrics.latency.clone(), metrics.up.clone());
        registry.register_with_unit(
            "http_request_duration",
            "How long answers take to begin",
            Unit::Seconds,
            latency,
        );
        registry.register_with_unit("uptime", "For how long this process serves", Unit::Seconds, up);
        Self { registry, ..metrics }
    }

    /// A request came.
    pub(crate) fn began(&self) {
        self.under_way.inc();
    }

    /// A request was answered.
    pub(crate) fn ended(&self, asked: &Asked, status: u16, took: Duration) {
        self.under_way.dec();
        let answered = Answered { method: asked.method, route: asked.route.clone(), status };
        self.requests.get_or_create(&answered).inc();
        self.latency.get_or_create(asked).observe(took.as_secs_f64());
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> &Gauge {
        &self.connections
    }

    /// The store failed at something.
    pub(crate) fn store_failed(&self) {
        self.store_failures.inc();
    }

    /// A connection came to no TLS.
    pub(crate) fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }

    /// Brings what was counted of a model to where it is. Nothing of it ever becomes less.
    fn count_model(&self, model: &str, asked: &model::Asked) {
        let reach = |counter: &Counter, to: u64| {
            counter.inc_by(to.saturating_sub(counter.get()));
        };
        let model = model.to_owned();
        for (outcome, calls) in [("answered", asked.answered), ("failed", asked.failed)] {
            reach(&self.calls.get_or_create(&Calls { model: model.clone(), outcome }), calls);
        }
        for (direction, tokens) in [("input", asked.input), ("output", asked.output)] {
            reach(&self.tokens.get_or_create(&Tokens { model: model.clone(), direction }), tokens);
        }
        let money = self.money.get_or_create(&OfModel { model });
        money.inc_by((asked.nanos as f64 / 1e9 - money.get()).max(0.0));
    }

    /// What was counted, in the form that Prometheus reads, with what is only looked at now.
    pub(super) fn write(&self, now: &Now) -> Result<String, std::fmt::Error> {
        let set = |gauge: &Gauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.streams, now.streams);
        set(&self.tenants, now.tenants);
        set(&self.draining, usize::from(now.draining));
        self.up.set(self.began.elapsed().as_secs_f64());
        for (model, asked) in tally() {
            self.count_model(&model, &asked);
        }
        self.runs.clear();
        for (state, runs) in &now.runs {
            let runs = i64::try_from(*runs).unwrap_or(i64::MAX);
            self.runs.get_or_create(&Standing { state }).set(runs);
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// What is only looked at when somebody asks.
pub(super) struct Now {
    pub(super) streams: usize,
    pub(super) tenants: usize,
    pub(super) draining: bool,
    pub(super) runs: Vec<(&'static str, u64)>,
}
