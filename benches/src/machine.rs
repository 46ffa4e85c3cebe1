//! The machine and its load, for the head of a report.

use std::fs;
use std::thread;

/// One line: processor, number of CPUs, kernel, and how busy it was.
pub fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("processor without a name", |(_, model)| model);
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!("{cpus} CPUs ({}), Linux {}, load {load} at the start", model.trim(), kernel.trim())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_machine_is_one_line() {
        assert_eq!(super::describe().lines().count(), 1);
    }
}
