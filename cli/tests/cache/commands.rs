//! What the commands of the cache print and do.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use crate::scene::{Scene, need};
use crate::support::{Outcome, PRECAST, fixture};

#[test]
fn entries_are_listed_by_use_or_size_and_shown_by_a_prefix() {
    let scene = Scene::new();
    assert_eq!(scene.precast(&["cache", "ls"]).stdout(), "0 entries, 0 B\n");
    scene.hello();
    let large = fixture("files.wasm");
    scene.precast(&["cache", "warm", &large]).stdout();
    // The larger one was used longer ago.
    let long_ago = SystemTime::now() - Duration::from_secs(3 * 24 * 60 * 60 + 60);
    let by_size = scene.json(&["cache", "ls", "--sort", "size"]);
    let key =
        |list: &serde_json::Value, index: usize| list[index]["key"].as_str().unwrap().to_owned();
    for file in [scene.files("hot"), scene.files("packed")].concat() {
        if file.ends_with(key(&by_size, 0)) {
            fs::File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
        }
    }
    let by_use = scene.json(&["cache", "ls"]);
    assert_eq!([key(&by_size, 0), key(&by_size, 1)], [key(&by_use, 1), key(&by_use, 0)]);
    assert_eq!(by_size[0]["source"], "files.wasm");
    assert_eq!(by_size[0]["tier"], "hot");
    assert!(by_size[0]["disk_bytes"].as_u64() > by_size[1]["disk_bytes"].as_u64());

    let text = scene.precast(&["cache", "ls", "--sort", "size"]).stdout();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    for expected in [&key(&by_size, 0)[..12], "KiB", "hot", "3days ago", "files.wasm"] {
        assert!(lines[1].contains(expected), "{expected}: {text}");
    }
    assert!(lines[2].contains("just now") || lines[2].contains("s ago"), "{text}");
    assert!(lines[3].starts_with("2 entries, "), "{text}");

    let shown = scene.json(&["cache", "show", &key(&by_size, 0)[..12]]);
    assert_eq!(shown["key"], by_size[0]["key"]);
    assert_eq!(shown["parts"]["opt-level"], "speed");
    let text = scene.precast(&["cache", "show", &key(&by_size, 0)[..12]]).stdout();
    assert!(text.contains("  opt-level") && text.contains("files.wasm"), "{text}");
    for (prefix, message) in [
        ("", "2 entries have keys that begin with ``"),
        ("xyz", "no entry has a key that begins with `xyz`"),
    ] {
        let refused = scene.precast(&["cache", "show", prefix]);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains(message), "{refused:?}");
    }
}

#[test]
fn statistics_count_what_processes_did() {
    let scene = Scene::new();
    for _ in 0..3 {
        assert_eq!(scene.hello(), "");
    }
    let stats = scene.json(&["cache", "stats"]);
    for (name, value) in [
        ("entries", 1),
        ("hot_entries", 1),
        ("hits", 2),
        ("puts", 1),
        ("misses", 1),
        ("damaged", 0),
    ] {
        assert_eq!(stats[name], value, "{name}: {stats}");
    }
    assert!(stats["bytes_served"].as_u64() >= Some(2 * stats["bytes_added"].as_u64().unwrap()));
    assert!(stats["saved_ms"].as_u64().is_some());
    let text = scene.precast(&["cache", "stats"]).stdout();
    for expected in ["entries:", "1, 1 of them hot", "KiB", "% of look-ups", "saved:"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn warming_makes_an_entry_for_every_file_and_machine() {
    let scene = Scene::new();
    fs::write(scene.work.path("broken.wasm"), "\0asm\x01\0\0\0\x01").unwrap();
    let (hello, args) = (fixture("hello.wasm"), fixture("args.wasm"));
    let warm = ["cache", "warm", "--cpu", "baseline", "--cpu", "x86-64-v3", "--target", "x86_64"];
    let warm: Vec<&str> =
        warm.iter().copied().chain([hello.as_str(), "broken.wasm", &args]).collect();
    let outcome = scene.precast(&warm);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let words: Vec<_> =
        outcome.stdout.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(words, ["compiled", "compiled", "failed", "failed", "compiled", "compiled"]);
    assert!(
        outcome.stderr.contains("cannot compile `broken.wasm` for x86_64, baseline"),
        "{outcome:?}"
    );
    assert_eq!(scene.json(&["cache", "ls"]).as_array().unwrap().len(), 4);
    let outcome = scene.precast(&warm);
    assert_eq!(outcome.stdout.matches("found").count(), 4, "{outcome:?}");
    // Another target, and a run that finds what was made for it.
    let arm = scene.json(&["cache", "warm", "--target", "aarch64-unknown-linux-gnu", &hello]);
    assert_eq!(
        [&arm[0]["outcome"], &arm[0]["target"], &arm[0]["cpu"]],
        ["compiled", "aarch64-unknown-linux-gnu", "native"]
    );
    scene.precast(&["cache", "warm", &hello]).stdout();
    scene.hello_from_cache();
    scene.assert_clean();
}

#[test]
fn entries_travel_in_an_archive() {
    let scene = Scene::new();
    let (hello, args) = (fixture("hello.wasm"), fixture("args.wasm"));
    scene.precast(&["cache", "warm", &hello, &args]).stdout();
    assert!(
        scene.precast(&["cache", "export", "all.tar"]).stdout().starts_with("2 entries written")
    );
    let of_hello = scene.json(&["cache", "explain", &hello])["key"].as_str().unwrap().to_owned();
    let written = scene.json(&["cache", "export", "one.tar", &of_hello[..10]]);
    assert_eq!(written["entries"], serde_json::json!([of_hello]));

    let other = ["--cache-dir", "other"];
    let import = |archive| scene.json(&["cache", "import", archive, other[0], other[1]]);
    assert_eq!(import("one.tar")["added"], serde_json::json!([of_hello]));
    let rest = import("all.tar");
    assert_eq!(
        (rest["added"].as_array().unwrap().len(), &rest["present"][0]),
        (1, &of_hello.as_str().into())
    );
    let run = scene.precast(&["run", "--cache", "require", other[0], other[1], &hello]);
    assert_eq!(run.stdout(), crate::scene::HELLO);

    // Damage is refused and named; nothing else of the archive suffers.
    let mut damaged = fs::read(scene.work.path("one.tar")).unwrap();
    damaged[1500] ^= 1;
    fs::write(scene.work.path("damaged.tar"), damaged).unwrap();
    let third = ["--cache-dir", "third"];
    let refused = scene.precast(&["cache", "import", "damaged.tar", third[0], third[1]]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains(&format!("`{of_hello}` is not imported: ")), "{refused:?}");
    assert_eq!(refused.stdout, "0 entries added, 0 were there already\n");
    for (arguments, message) in [
        (["cache", "import", "missing.tar"], "cannot read `missing.tar`"),
        (["cache", "import", "settings.toml"], "cannot import `settings.toml`"),
        (["cache", "export", "nowhere/all.tar"], "cannot write `nowhere/all.tar`"),
    ] {
        let refused = scene.precast(&arguments);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(message), "{refused:?}");
    }
}

#[test]
fn pruning_removes_what_it_is_told_to() {
    let scene = Scene::new();
    scene.precast(&["cache", "warm", &fixture("hello.wasm"), &fixture("args.wasm")]).stdout();
    let prune = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["cache", "prune"].iter().chain(arguments).copied().collect();
        scene.json(&arguments)["removed_entries"].as_u64().unwrap()
    };
    assert_eq!(prune(&[]), 0);
    assert_eq!(prune(&["--older-than", "1d", "--max-size", "1GiB", "--other-versions"]), 0);
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 24 * 60 * 60);
    let of_hello = scene.json(&["cache", "explain", &fixture("hello.wasm")]);
    for file in [scene.files("hot"), scene.files("packed")].concat() {
        if !file.ends_with(of_hello["key"].as_str().unwrap()) {
            fs::File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
        }
    }
    assert_eq!(prune(&["--older-than", "1d"]), 1);
    scene.hello_from_cache();
    assert_eq!(prune(&["--max-size", "0"]), 1);
    let text = scene.precast(&["cache", "prune"]).stdout();
    assert_eq!(text, "0 entries removed, 0 B freed\n");
    scene.hello();
    scene.assert_clean();
    assert_eq!(scene.precast(&["cache", "prune", "--older-than", "long"]).code, Some(2));
}

#[test]
fn clearing_asks_on_a_terminal_and_needs_a_word_without_one() {
    let scene = Scene::new();
    scene.hello();
    let refused = scene.precast(&["cache", "clear"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("--yes"), "{refused:?}");
    need("script");
    let answer = |answer: &str| {
        let mut terminal = scene.traced_by("script");
        terminal.args(["-qec", &format!("{PRECAST} cache clear"), "/dev/null"]);
        let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        Outcome::from(child.wait_with_output().unwrap())
    };
    for no in ["n\n", "\n", "maybe\n"] {
        let outcome = answer(no);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stdout.contains("Remove 1 entries ("), "{outcome:?}");
        scene.hello_from_cache();
    }
    let outcome = answer("y\n");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("1 entries removed"), "{outcome:?}");
    assert!(scene.files("hot").is_empty() && scene.files("packed").is_empty());
    scene.hello();
    assert_eq!(scene.json(&["cache", "clear", "--yes"])["removed_entries"], 1);
    scene.assert_clean();
}

#[test]
fn every_command_works_where_there_is_no_cache_yet() {
    let scene = Scene::new();
    for arguments in [
        &["path"][..],
        &["ls"],
        &["stats"],
        &["verify"],
        &["verify", "--repair"],
        &["prune"],
        &["clear", "--yes"],
        &["explain", &fixture("hello.wasm")],
        &["export", "empty.tar"],
    ] {
        let all: Vec<&str> = ["cache"].iter().chain(arguments).copied().collect();
        scene.precast(&all).stdout();
        scene.json(&all);
        assert!(!scene.root().exists(), "{arguments:?}");
    }
    assert_eq!(
        scene.precast(&["cache", "import", "empty.tar"]).stdout(),
        "0 entries added, 0 were there already\n"
    );
}

#[test]
fn every_command_teaches_what_it_does() {
    let scene = Scene::new();
    for command in [
        "path", "ls", "stats", "show", "explain", "verify", "prune", "clear", "warm", "export",
        "import",
    ] {
        let help = scene.precast(&["cache", command, "--help"]).stdout();
        assert!(help.lines().count() > 8 && help.contains("--json"), "{help}");
        assert!(help.contains("--cache-dir"), "{help}");
    }
    let help = scene.precast(&["cache", "--help"]).stdout();
    assert!(help.contains("Exit codes: 0") && help.contains("Examples:"), "{help}");
}

#[test]
fn who_reads_only_the_first_line_is_not_an_error() {
    let scene = Scene::new();
    scene.hello();
    let mut command = scene.command(&["cache", "ls"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let outcome = Outcome::from(child.wait_with_output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}
