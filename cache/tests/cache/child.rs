//! Other processes: this program again, in a role that the environment names.

use std::path::Path;
use std::process::{Command, Stdio, exit};
use std::time::Duration;

use precast_cache::{Cache, Served};

use crate::functions;
use crate::scene::{artifact, content, parts, serve, settings, wait};

const ROLE: &str = "PRECAST_CACHE_TEST_ROLE";
const DIRECTORY: &str = "PRECAST_CACHE_TEST_DIRECTORY";
const NUMBER: &str = "PRECAST_CACHE_TEST_NUMBER";

/// What tells that a child did what it should.
pub(crate) const DONE: i32 = 42;

/// What a child does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Ends.
    Nothing,
    /// Wants a module.
    Serve,
    /// Wants a module, and notes in the directory when it compiles it, which takes a while.
    Contend,
    /// Begins to compile a module, says so in the directory, and never ends.
    Hang,
    /// Wants many modules in an order of its own, and tidies up in between.
    Churn,
    /// Adds functions.
    Keep,
    /// Opens an entry, says so in the directory, and reads it when it is told to.
    Hold,
}

impl Role {
    const ALL: [Role; 7] = [
        Role::Nothing,
        Role::Serve,
        Role::Contend,
        Role::Hang,
        Role::Churn,
        Role::Keep,
        Role::Hold,
    ];
}

/// The command that runs a child.
pub(crate) fn command(role: Role, directory: &Path, number: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    in_role(&mut command, role, directory, number);
    command
}

/// Fails where processes cannot be traced: then the test says nothing.
#[track_caller]
pub(crate) fn need_trace() {
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    let works = works.is_ok_and(|output| output.status.success());
    assert!(works, "this test needs `strace`, and the right to trace processes");
}

/// The command that runs a child in which a system call fails or kills.
pub(crate) fn injected(inject: &str, role: Role, directory: &Path, number: u32) -> Command {
    let mut command = traced(inject.split(':').next().unwrap(), Path::new("/dev/null"));
    command.args(["-e", &format!("inject={inject}"), "--"]).arg(std::env::current_exe().unwrap());
    in_role(&mut command, role, directory, number);
    command
}

/// How often a child makes a system call.
pub(crate) fn count(syscall: &str, role: Role, directory: &Path, number: u32) -> usize {
    let log = directory.join("strace");
    let mut command = traced(syscall, &log);
    command.arg("--").arg(std::env::current_exe().unwrap());
    in_role(&mut command, role, directory, number);
    assert_eq!(command.status().unwrap().code(), Some(DONE));
    let lines = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(log).unwrap();
    lines.lines().filter(|line| line.contains(&format!(" {syscall}("))).count()
}

fn traced(syscall: &str, log: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", &format!("trace={syscall}"), "-o"]).arg(log);
    command
}

fn in_role(command: &mut Command, role: Role, directory: &Path, number: u32) {
    command.args(["--exact", "child::child", "--test-threads=1", "--nocapture"]);
    command.env(ROLE, format!("{role:?}")).env(DIRECTORY, directory);
    command.env(NUMBER, number.to_string()).env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::null());
}

/// Where children and their parent leave notes for each other.
pub(crate) fn note(directory: &Path, name: &str) -> std::path::PathBuf {
    directory.join(name)
}

pub(crate) fn wait_for(path: &Path) {
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Not a test: what the children run.
#[test]
fn child() {
    let Ok(name) = std::env::var(ROLE) else { return };
    let role = Role::ALL.into_iter().find(|role| format!("{role:?}") == name).unwrap();
    let directory = std::env::var_os(DIRECTORY).unwrap();
    let number = std::env::var(NUMBER).unwrap().parse().unwrap();
    play(role, Path::new(&directory), number);
    exit(DONE);
}

fn play(role: Role, directory: &Path, number: u32) {
    if let Role::Nothing = role {
        return;
    }
    let mut settings = settings(directory);
    if let Role::Churn = role {
        settings.hot_budget = 1 << 20;
        settings.total_budget = 2 << 20;
    }
    let cache = Cache::new(&settings);
    match role {
        Role::Nothing => {}
        Role::Serve => {
            serve(&cache, number);
        }
        Role::Contend => {
            let compile = || {
                let name = format!("compiled-{number}-{}", std::process::id());
                std::fs::write(note(directory, &name), "")?;
                std::thread::sleep(Duration::from_millis(200));
                Ok::<_, std::io::Error>(artifact(number))
            };
            let served = cache.compile_once(&parts(number), "test.wasm", wait, compile).unwrap();
            let bytes = match served {
                Served::Cached(entry) => content(&entry),
                Served::Compiled { artifact, .. } => artifact,
            };
            assert!(bytes == artifact(number));
        }
        Role::Hang => {
            let compile = || {
                std::fs::write(note(directory, "hanging"), "")?;
                loop {
                    std::thread::park();
                }
                #[allow(unreachable_code)]
                Ok::<_, std::io::Error>(Vec::new())
            };
            let _ = cache.compile_once(&parts(number), "test.wasm", wait, compile);
        }
        Role::Churn => {
            for step in 0..24 {
                serve(&cache, (number * 7 + step * 5) % 12);
                if step % 6 == 0 {
                    cache.housekeep().unwrap();
                }
            }
        }
        Role::Keep => functions::keep(&cache, number..number + 5),
        Role::Hold => {
            let entry = cache.get(&parts(number).key()).hit().unwrap();
            std::fs::write(note(directory, "held"), "").unwrap();
            wait_for(&note(directory, "read"));
            assert!(content(&entry) == artifact(number));
        }
    }
}
