//! Counters and histograms of this process.
//!
//! Labels come from closed sets: route template, status, operation, outcome. They never hold a user, key, id or address.
//! So the number of series stays constant, and metrics reveal no user's actions.

use http::StatusCode;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use std::time::Duration;

/// Upper bounds of the histogram buckets.
const BUCKETS_SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0,
];

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

fn durations<L: Clone + std::hash::Hash + Eq>() -> Durations<L> {
    Family::new_with_constructor(|| Histogram::new(BUCKETS_SECONDS))
}

/// Outcome of a sign-in attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    Accepted,
    Rejected,
    /// Too many attempts before.
    Paused,
    /// Elasticsearch or the database failed.
    Failed,
}

impl SignIn {
    fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Paused => "paused",
            Self::Failed => "failed",
        }
    }
}

/// Counters of requests and sign-ins. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<[(&'static str, String); 2], Counter>,
    request_durations: Durations<[(&'static str, String); 1]>,
    sign_ins: Family<[(&'static str, &'static str); 1], Counter>,
    csp_reports: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            request_durations: durations(),
            sign_ins: Family::default(),
            csp_reports: Counter::default(),
        }
    }
}

impl Metrics {
    /// Counts a response. `route` is the template, never the path itself.
    pub fn answered(&self, route: &str, status: StatusCode, took: Duration) {
        let route = ("route", route.to_owned());
        self.request_durations
            .get_or_create(std::array::from_ref(&route))
            .observe(took.as_secs_f64());
        let status = ("status", status.as_str().to_owned());
        self.requests.get_or_create(&[route, status]).inc();
    }

    /// Counts a sign-in attempt.
    pub fn sign_in(&self, outcome: SignIn) {
        let label = [("outcome", outcome.label())];
        self.sign_ins.get_or_create(&label).inc();
    }

    /// Counts a report about the Content Security Policy, and returns its number.
    pub fn csp_report(&self) -> u64 {
        self.csp_reports.inc() + 1
    }

    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "Requests that were answered",
            self.requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time until a request's answer began",
            self.request_durations.clone(),
        );
        registry.register(
            "sign_ins",
            "Attempts to sign in, or to enter the password again",
            self.sign_ins.clone(),
        );
        registry.register(
            "csp_reports",
            "Reports of browsers about the Content Security Policy",
            self.csp_reports.clone(),
        );
    }
}

/// Counters of Elasticsearch calls. Clones share them.
#[derive(Clone, Debug)]
pub struct Calls {
    calls: Family<[(&'static str, &'static str); 2], Counter>,
    durations: Durations<[(&'static str, &'static str); 1]>,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            durations: durations(),
        }
    }
}

impl Calls {
    /// Counts a call.
    pub fn ended(&self, operation: &'static str, outcome: &'static str, took: Duration) {
        let operation = ("operation", operation);
        self.durations
            .get_or_create(&[operation])
            .observe(took.as_secs_f64());
        let labels = [operation, ("outcome", outcome)];
        self.calls.get_or_create(&labels).inc();
    }

    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "elasticsearch_calls",
            "Calls of Elasticsearch",
            self.calls.clone(),
        );
        registry.register(
            "elasticsearch_call_duration_seconds",
            "Time until Elasticsearch's answer was read, or the call failed",
            self.durations.clone(),
        );
    }
}
