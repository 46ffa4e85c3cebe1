//! Runs one process to its end and tells what it cost.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::usage;

/// How often the memory of a watched process is looked at.
const WATCH_PERIOD: Duration = Duration::from_millis(5);

/// What a process cost, from before its creation until after its end.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// From before the process was made until its end was known.
    pub wall: Duration,
    /// Time on CPUs outside the kernel, of all threads.
    pub user: Duration,
    /// Time on CPUs inside the kernel, of all threads.
    pub system: Duration,
    /// Page faults that needed no disk.
    pub minor_faults: u64,
    /// Page faults that waited for a disk.
    pub major_faults: u64,
    /// The largest resident set, in bytes. The kernel starts counting before the new program replaces this
    /// one, so nothing smaller than [`floor`] can be seen.
    pub peak_resident: u64,
    /// The most anonymous memory that was seen at once, in bytes; only for a watched process.
    pub peak_anonymous: Option<u64>,
    /// Bytes that came through system calls such as `read`; mapped files are not in it.
    pub read: u64,
    /// How it ended.
    pub status: ExitStatus,
}

/// Whether the memory of a process is watched while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// The parent sleeps until the end: for short processes.
    Nothing,
    /// The parent looks at the anonymous memory every 5 ms.
    Anonymous,
}

/// Runs a command, with null for standard input, output and error, to its end.
///
/// # Errors
///
/// When it cannot be started, or its counters cannot be read. How it ended is not looked at: see [`succeed`].
pub fn measure(command: &mut Command, watch: Watch) -> Result<Cost> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {}", describe(command)))?;
    let id = child.id();
    let peak_anonymous = match watch {
        Watch::Nothing => None,
        Watch::Anonymous => Some(watch_anonymous(id)?),
    };
    ended(id, WaitIdOptions::empty())?;
    let wall = start.elapsed();
    // A process that has ended keeps its counters until it is reaped.
    let read = read_bytes(id)?;
    let (status, usage) = usage::reap(id)?;
    Ok(Cost {
        wall,
        user: usage.user,
        system: usage.system,
        minor_faults: usage.minor_faults,
        major_faults: usage.major_faults,
        peak_resident: usage.peak_resident,
        peak_anonymous,
        read,
        status,
    })
}

/// Runs a command for its effect and returns its standard output.
///
/// # Errors
///
/// When it cannot be started or does not end with exit code 0; the message has the first line that it wrote to
/// standard error.
pub fn succeed(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", describe(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let said = stderr.lines().find(|l| !l.trim().is_empty()).unwrap_or("nothing on stderr");
        bail!("{} ended with {}: {}", describe(command), output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The least peak of resident memory that [`measure`] can see: this process's own, in bytes.
pub fn floor() -> u64 {
    usage::own().peak_resident
}

/// Time on CPUs that this process has used so far, outside and inside the kernel.
pub fn own_time() -> (Duration, Duration) {
    let usage = usage::own();
    (usage.user, usage.system)
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    format!("`{}`", program.file_name().unwrap_or(program.as_os_str()).display())
}

/// Waits for the end of a child, or with `NOHANG` asks for it, and leaves it to be reaped.
fn ended(id: u32, options: WaitIdOptions) -> Result<bool> {
    let pid = Pid::from_raw(id.cast_signed()).context("a process has the number 0")?;
    let options = options | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    Ok(rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), options))?.is_some())
}

fn watch_anonymous(id: u32) -> Result<u64> {
    let path = format!("/proc/{id}/status");
    let mut peak = 0;
    while !ended(id, WaitIdOptions::NOHANG)? {
        let status = fs::read_to_string(&path).unwrap_or_default();
        peak = peak.max(field(&status, "RssAnon:").unwrap_or(0) * 1024);
        thread::sleep(WATCH_PERIOD);
    }
    Ok(peak)
}

fn read_bytes(id: u32) -> Result<u64> {
    let io = fs::read_to_string(format!("/proc/{id}/io"))?;
    field(&io, "rchar:").context("/proc/PID/io has no line `rchar`")
}

/// The number behind a name, in the format of many files of /proc.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured_after_its_end() {
        let mut command = Command::new("sh");
        command.args(["-c", "cat /proc/self/status > /dev/null; exit 3"]);
        let cost = measure(&mut command, Watch::Nothing).unwrap();
        assert_eq!(cost.status.code(), Some(3));
        assert!(cost.minor_faults > 0 && cost.read > 0 && cost.peak_resident > 0);
    }

    #[test]
    fn a_failure_is_told_with_its_first_line() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo >&2; echo broken >&2; exit 1"]);
        assert!(succeed(&mut command).unwrap_err().to_string().ends_with("broken"));
    }

    #[test]
    fn fields_are_found_by_name() {
        assert_eq!(field("rchar: 12\nwchar: 5\n", "wchar:"), Some(5));
        assert_eq!(field("RssAnon:\t  132 kB\n", "RssAnon:"), Some(132));
        assert_eq!(field("", "RssAnon:"), None);
    }
}
