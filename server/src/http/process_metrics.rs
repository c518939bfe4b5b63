//! The usual metrics of a process, from Linux.

use prometheus_client::{
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use rustix::{
    param::page_size,
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};
use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Registers what can be read; elsewhere than on Linux little can.
pub(super) fn register(registry: &mut Registry) {
    registry.register(
        "process_cpu_seconds",
        "Total user and system CPU time spent in seconds",
        ConstCounter::new(elapsed(ClockId::ProcessCPUTime).as_secs_f64()),
    );
    let gauges = [
        (
            "process_resident_memory_bytes",
            "Resident memory size in bytes",
            memory_bytes(1),
        ),
        (
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes",
            memory_bytes(0),
        ),
        (
            "process_open_fds",
            "Number of open file descriptors",
            open_files(),
        ),
        (
            "process_max_fds",
            "Maximum number of open file descriptors",
            getrlimit(Resource::Nofile).current,
        ),
        (
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds",
            start_seconds(),
        ),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value.and_then(|value| i64::try_from(value).ok()) {
            registry.register(name, help, ConstGauge::new(value));
        }
    }
}

fn elapsed(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::try_from(time).unwrap_or_default()
}

/// A column of `statm`, which counts pages.
fn memory_bytes(column: usize) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(column)?.parse().ok()?;
    pages.checked_mul(u64::try_from(page_size()).ok()?)
}

fn open_files() -> Option<u64> {
    let files = fs::read_dir("/proc/self/fd").ok()?;
    // One of them is the directory itself.
    u64::try_from(files.count().saturating_sub(1)).ok()
}

/// The kernel counts from the start of the machine.
fn start_seconds() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold anything. The column after it is the third, the start the 22nd.
    let (_, columns) = stat.rsplit_once(')')?;
    let ticks: u64 = columns.split_whitespace().nth(19)?.parse().ok()?;
    let started = Duration::from_secs(ticks / rustix::param::clock_ticks_per_second());
    let age = elapsed(ClockId::Boottime).checked_sub(started)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(now.checked_sub(age)?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_started_lately_and_uses_memory_and_files() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let age = now.as_secs() - start_seconds().unwrap();
        assert!(age < 600, "{age} s");
        assert!(memory_bytes(1).unwrap() > 1024 * 1024);
        assert!(memory_bytes(0) > memory_bytes(1));
        let files = open_files().unwrap();
        let file = fs::File::open("/proc/self/stat").unwrap();
        assert!(open_files().unwrap() > files);
        drop(file);
    }
}
