//! Which directory the cache is in, what lies below it, and what it is used for.

use std::fs;

use crate::scene::{HELLO, Scene, files};
use crate::support::{Outcome, fixture};

#[test]
fn option_environment_file_and_platform_choose_the_directory_in_that_order() {
    let scene = Scene::new();
    let work = &scene.work;
    let settings =
        format!("[cache]\nmin-free = 0\ndirectory = \"{}\"\n", work.path("file").display());
    fs::write(work.path("with-directory.toml"), settings).unwrap();
    let hello = fixture("hello.wasm");
    let option = work.path("option");
    let option = ["--cache-dir", option.to_str().unwrap()];
    let run = |arguments: &[&str], variable: Option<&str>, config: &str| {
        let mut command = scene.command(arguments);
        command
            .env("PRECAST_CONFIG", work.path(config))
            .env("XDG_CACHE_HOME", work.path("platform"));
        match variable {
            Some(name) => command.env("PRECAST_CACHE_DIR", work.path(name)),
            None => command.env_remove("PRECAST_CACHE_DIR"),
        };
        Outcome::of(&mut command).stdout()
    };
    let file = "with-directory.toml";
    let none = "settings.toml";
    for (option, variable, config, expected, by) in [
        (&option[..], Some("variable"), file, "option", "command line"),
        (&[], Some("variable"), file, "variable", "PRECAST_CACHE_DIR"),
        (&[], None, file, "file", "settings file"),
        (&[], None, none, "platform", "platform default"),
    ] {
        let path = work.path(expected).join("precast/v1");
        let arguments: Vec<&str> = ["cache", "path"].iter().chain(option).copied().collect();
        assert_eq!(run(&arguments, variable, config), format!("{}\n", path.display()));
        let arguments: Vec<&str> = arguments.into_iter().chain(["--json"]).collect();
        let json: serde_json::Value =
            serde_json::from_str(&run(&arguments, variable, config)).unwrap();
        assert_eq!(json["chosen_by"], by);
        assert!(!path.exists(), "asking for it does not make it");
        let arguments: Vec<&str> =
            ["run"].iter().chain(option).copied().chain([hello.as_str()]).collect();
        assert_eq!(run(&arguments, variable, config), HELLO);
        assert_eq!(files(&path.join("hot")).len(), 1, "{by}");
    }
}

#[test]
fn without_any_directory_the_run_goes_on_and_commands_say_what_to_do() {
    let scene = Scene::new();
    let homeless = |arguments: &[&str]| {
        let mut command = scene.command(arguments);
        for variable in ["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "PRECAST_CACHE_DIR"] {
            command.env(variable, "");
        }
        Outcome::of(&mut command)
    };
    let ran = homeless(&["run", &fixture("hello.wasm")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), HELLO));
    let path = homeless(&["cache", "path"]);
    // The system may know the user's home without the environment.
    if path.code != Some(0) {
        assert!(path.stderr.contains("--cache-dir"), "{path:?}");
    }
}

#[test]
fn the_systems_entries_serve_below_the_users() {
    let scene = Scene::new();
    let hello = fixture("hello.wasm");
    let warm = ["cache", "warm", "--cache-dir", "system", &hello];
    assert!(scene.precast(&warm).stdout().starts_with("compiled"));
    let system = scene.work.path("system");
    let before = files(&system);
    let settings = format!("[cache]\nmin-free = 0\nsystem-directory = \"{}\"\n", system.display());
    fs::write(scene.work.path("settings.toml"), settings).unwrap();
    scene.hello_from_cache();
    assert_eq!(scene.hello(), "");
    assert!(scene.files("hot").is_empty() && scene.files("packed").is_empty());
    let listed = scene.json(&["cache", "ls"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["layer"]), (1, &"system".into()));
    assert!(scene.precast(&["cache", "ls"]).stdout().contains("(system)"));
    // The user's commands do not touch it.
    scene.precast(&["cache", "clear", "--yes"]).stdout();
    scene.precast(&["cache", "prune", "--max-size", "0"]).stdout();
    assert_eq!(files(&system), before);
    scene.hello_from_cache();
    scene.assert_clean();
}

#[test]
fn modes_say_what_the_cache_is_used_for() {
    let scene = Scene::new();
    let hello = fixture("hello.wasm");
    let run = |mode: &str| scene.precast(&["run", "--cache", mode, &hello]);
    // Nothing is there yet.
    let required = run("require");
    assert_eq!((required.code, required.stdout.as_str()), (Some(1), ""));
    assert!(required.stderr.contains("it is not in the cache"), "{required:?}");
    for mode in ["off", "read-only"] {
        assert_eq!(run(mode).stdout(), HELLO);
        assert!(!scene.work.path("cache").exists(), "{mode}");
    }
    assert_eq!(scene.precast(&["run", "--no-cache", &hello]).stdout(), HELLO);
    assert!(!scene.work.path("cache").exists());
    // A run of ours fills it.
    assert_eq!(run("on").stdout(), HELLO);
    let filled = snapshot(&scene);
    for mode in ["off", "read-only"] {
        assert_eq!(run(mode).stdout(), HELLO);
        assert_eq!(snapshot(&scene), filled, "{mode}");
    }
    assert_eq!(run("require").stdout(), HELLO);
    let compile = |mode: &str| {
        let artifact = format!("{mode}.precast");
        scene.precast(&["compile", "--cache", mode, &hello, "-o", &artifact]).stdout();
        fs::read(scene.work.path(&artifact)).unwrap()
    };
    let artifact = compile("off");
    assert!(["on", "read-only", "require"].iter().all(|mode| compile(mode) == artifact));
}

#[test]
fn a_cache_that_is_read_only_by_the_settings_is_not_changed_by_commands() {
    let scene = Scene::new();
    scene.hello();
    let filled = snapshot(&scene);
    fs::write(scene.work.path("settings.toml"), "[cache]\nmode = \"read-only\"\n").unwrap();
    let hello = fixture("args.wasm");
    for arguments in [
        &["cache", "clear", "--yes"][..],
        &["cache", "prune"],
        &["cache", "verify", "--repair"],
        &["cache", "warm", &hello],
    ] {
        let refused = scene.precast(arguments);
        assert_eq!(refused.code, Some(1), "{arguments:?}");
        assert!(refused.stderr.contains("the cache is read-only"), "{refused:?}");
    }
    assert_eq!(scene.json(&["cache", "ls"]).as_array().unwrap().len(), 1);
    assert_eq!(snapshot(&scene), filled);
}

#[test]
fn a_cache_that_runs_do_not_use_can_still_be_cleared() {
    let scene = Scene::new();
    scene.hello();
    fs::write(scene.work.path("settings.toml"), "[cache]\nmode = \"off\"\n").unwrap();
    assert_eq!(scene.json(&["cache", "ls"]).as_array().unwrap().len(), 1);
    assert_eq!(scene.json(&["cache", "clear", "--yes"])["removed_entries"], 1);
    assert!(scene.files("hot").is_empty());
}

/// Every file of the cache with its content, but for the count of uses.
fn snapshot(scene: &Scene) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let kept = files(&scene.root()).into_iter().filter(|path| !path.ends_with("stats"));
    kept.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}
