//! Ctrl-C leaves nothing behind.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::scene::{Scene, need};
use crate::support::{PRECAST, fixture};

const SIGINT: i32 = 2;

/// A module that one thread compiles for seconds.
fn large_module() -> String {
    let body =
        "(local.set 0 (i32.rotl (i32.mul (local.get 0) (local.get 1)) (local.get 0)))".repeat(60);
    // No two are equal: of those, one would be compiled.
    let function =
        |number| format!("(func (param i32 i32) (result i32) {body} (i32.const {number}))\n");
    format!("(module {})", (0..4000).map(function).collect::<String>())
}

/// Asserts that nothing is there that was not there before.
#[track_caller]
fn assert_nothing_left(scene: &Scene, before: &[String]) {
    for folder in ["locks", "tmp", "hot", "packed"] {
        assert!(scene.files(folder).is_empty(), "{:?}", scene.files(folder));
    }
    assert_eq!(names(scene), before);
    scene.assert_clean();
}

/// What lies in the directory in which the commands run, besides the cache.
fn names(scene: &Scene) -> Vec<String> {
    let items = fs::read_dir(scene.work.path("")).unwrap();
    let names = items.map(|item| item.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "cache").collect();
    names.sort();
    names
}

fn interrupt(child: &Child) {
    signal(child, "INT");
}

fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
}

/// Waits until a process compiles, and stops it, so that it is not done before it is wanted.
#[track_caller]
fn stop_compiling(scene: &Scene, child: &mut Child) {
    while scene.files("locks").is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(Duration::from_millis(1));
    }
    signal(child, "STOP");
}

#[test]
fn a_compilation_that_is_interrupted_leaves_nothing() {
    let scene = Scene::new();
    fs::write(scene.work.path("large.wat"), large_module()).unwrap();
    let before = names(&scene);
    for arguments in [
        &["compile", "--jobs", "1", "large.wat"][..],
        &["run", "--jobs", "1", "large.wat"],
        &["cache", "warm", "--jobs", "1", "large.wat"],
    ] {
        let mut first = scene.command(arguments).stderr(Stdio::null()).spawn().unwrap();
        stop_compiling(&scene, &mut first);
        // Who waits for it can be interrupted as well.
        let mut second = scene.command(arguments).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(100));
        for child in [&mut second, &mut first] {
            interrupt(child);
            signal(child, "CONT");
            let status = child.wait().unwrap();
            assert_eq!(status.signal(), Some(SIGINT), "{arguments:?}: {status:?}");
        }
        assert_nothing_left(&scene, &before);
    }
}

#[test]
fn who_waits_says_for_whom_on_a_terminal_and_can_be_stopped_there() {
    need("script");
    let scene = Scene::new();
    fs::write(scene.work.path("large.wat"), large_module()).unwrap();
    let before = names(&scene);
    let mut first = scene
        .command(&["compile", "--jobs", "1", "large.wat"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    stop_compiling(&scene, &mut first);
    let mut terminal = scene.traced_by("script");
    // A terminal without a size shows nothing.
    let second =
        format!("stty cols 100 rows 20; exec {PRECAST} compile large.wat -o second.precast");
    terminal.args(["-qefc", &second, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut terminal = terminal.spawn().unwrap();
    let mut output = terminal.stdout.take().unwrap();
    let expected = format!("waiting: process {} compiles large.wat", first.id());
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains(&expected) {
        let mut bytes = [0; 256];
        let count = output.read(&mut bytes).unwrap();
        assert!(count > 0, "`{expected}` is not shown: {}", String::from_utf8_lossy(&shown));
        shown.extend(&bytes[..count]);
    }
    terminal.stdin.take().unwrap().write_all(b"\x03").unwrap();
    std::io::copy(&mut output, &mut std::io::sink()).unwrap();
    assert_eq!(terminal.wait().unwrap().code(), Some(128 + SIGINT));
    signal(&first, "CONT");
    assert!(first.try_wait().unwrap().is_none(), "the first one goes on");
    interrupt(&first);
    assert_eq!(first.wait().unwrap().signal(), Some(SIGINT));
    assert_nothing_left(&scene, &before);
}

#[test]
fn an_interrupt_at_any_step_of_a_command_leaves_nothing_half_done() {
    need("strace");
    let scene = Scene::new();
    let (hello, exit) = (fixture("hello.wasm"), fixture("exit.wasm"));
    scene.precast(&["cache", "warm", &hello, &exit]).stdout();
    scene.precast(&["cache", "export", "all.tar"]).stdout();
    let before = names(&scene);
    let commands: [&[&str]; 4] = [
        &["run", "--cache-dir", "other", &hello],
        // One thread: a second one would count its own calls, and an interrupt that comes twice ends
        // the process at once.
        &["cache", "warm", "--cache-dir", "other", &hello],
        &["cache", "import", "--cache-dir", "other", "all.tar"],
        &["cache", "export", "again.tar"],
    ];
    let mut interrupted = 0;
    for arguments in commands {
        for call in ["write", "fdatasync", "renameat"] {
            for count in 1..4 {
                let mut traced = scene.traced_by("strace");
                traced.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
                traced.args(["-e", &format!("inject={call}:signal=SIGINT:when={count}"), PRECAST]);
                traced.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
                let status = traced.status().unwrap();
                interrupted += usize::from(status.signal() == Some(SIGINT));
                assert!(status.success() || status.signal() == Some(SIGINT), "{status:?}");
                let other = scene.work.path("other/precast/v1");
                for folder in ["locks", "tmp"] {
                    let left = crate::scene::files(&other.join(folder));
                    assert!(left.is_empty(), "{arguments:?}, {call} {count}: {left:?}");
                }
                scene.json(&["cache", "verify", "--cache-dir", "other"]);
                let _ = fs::remove_dir_all(scene.work.path("other"));
                if let Ok(again) = fs::read(scene.work.path("again.tar")) {
                    assert!(again == fs::read(scene.work.path("all.tar")).unwrap());
                    fs::remove_file(scene.work.path("again.tar")).unwrap();
                }
                assert_eq!(names(&scene), before, "{arguments:?}, {call} {count}");
            }
        }
    }
    assert!(interrupted > 15, "only {interrupted} were interrupted");
}
