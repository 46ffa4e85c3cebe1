//! `precast config`.

use std::fs;

use crate::scene::Scene;

#[test]
fn a_file_is_made_shown_and_checked() {
    let scene = Scene::new();
    let file = scene.work.path("made/here.toml");
    let config = |command: &str| {
        let mut command = scene.command(&["config", command]);
        crate::support::Outcome::of(command.env("PRECAST_CONFIG", &file))
    };
    assert_eq!(config("path").stdout(), format!("{}\n", file.display()));
    assert!(config("check").stdout().contains("there is no settings file"));
    let before = config("show").stdout();
    assert!(config("init").stdout().contains(&*file.display().to_string()));
    assert!(config("check").stdout().ends_with("is in order\n"));
    assert_eq!(config("show").stdout(), before, "a new file changes nothing");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("# The most disk space for uncompressed code.\n#hot-budget = \"4GiB\""));
    fs::write(&file, text.replace("#hot-budget = \"4GiB\"", "hot-budget = \"1GiB\"")).unwrap();
    assert!(config("show").stdout().contains("\nhot-budget = \"1GiB\"\n"));
    // What is there stays.
    let again = config("init");
    assert_eq!(again.code, Some(1));
    assert!(fs::read_to_string(&file).unwrap().contains("\nhot-budget = \"1GiB\"\n"));
}

#[test]
fn what_is_shown_is_a_settings_file() {
    let scene = Scene::new();
    let shown = scene.precast(&["config", "show"]).stdout();
    assert!(shown.contains("min-free = 0\n"), "{shown}");
    assert!(shown.contains(&format!("directory = \"{}\"", scene.work.path("cache").display())));
    fs::write(scene.work.path("shown.toml"), &shown).unwrap();
    scene.precast(&["config", "check", "shown.toml"]).stdout();
}

#[test]
fn unknown_keys_are_errors_with_the_nearest_known_one() {
    let scene = Scene::new();
    let text = "[cache]\nhot-buget = \"1GiB\"\nlevel = 99\n\n[compilr]\n";
    fs::write(scene.work.path("settings.toml"), text).unwrap();
    for arguments in [
        &["config", "check"][..],
        &["config", "show"],
        &["cache", "ls"],
        &["run", &crate::support::fixture("hello.wasm")],
    ] {
        let refused = scene.precast(arguments);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        for expected in [
            "settings.toml:2: unknown key `hot-buget` in `cache`; did you mean `hot-budget`?",
            "settings.toml:3: `level` takes a number from 1 to 22, not 99",
            "settings.toml:5: unknown section `compilr`; did you mean `compiler`?",
        ] {
            assert!(refused.stderr.contains(expected), "{expected}: {refused:?}");
        }
    }
    // Another file is checked without being used.
    fs::write(scene.work.path("other.toml"), "[runtime]\njobs = 2\n").unwrap();
    scene.precast(&["config", "check", "other.toml"]).stdout();
    assert_eq!(scene.precast(&["config", "check", "missing.toml"]).code, Some(1));
}

#[test]
fn an_empty_variable_means_no_file() {
    let scene = Scene::new();
    let config = |command: &str| {
        let mut command = scene.command(&["config", command]);
        crate::support::Outcome::of(command.env("PRECAST_CONFIG", ""))
    };
    assert_eq!(config("path").code, Some(1));
    assert_eq!(config("init").code, Some(1));
    config("check").stdout();
    config("show").stdout();
}
