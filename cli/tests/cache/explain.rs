//! `precast cache explain` names what is different, and nothing else.

use crate::scene::Scene;
use crate::support::fixture;

#[test]
fn one_changed_option_is_named_and_nothing_else() {
    let scene = Scene::new();
    let hello = fixture("hello.wasm");
    assert!(scene.json(&["cache", "explain", &hello])["found"].is_null());
    let text = scene.precast(&["cache", "explain", &hello]).stdout();
    assert!(text.contains("There is no entry of the same module."), "{text}");
    scene.hello();
    let found = scene.json(&["cache", "explain", &hello]);
    assert_eq!(found["found"]["key"], found["key"]);
    assert_eq!(found["others"].as_array().unwrap().len(), 0);
    for (options, name, wanted, entry) in [
        (&["-O", "none"][..], "opt-level", Some("none"), Some("speed")),
        (
            &["--set", "enable_nan_canonicalization"],
            "flag.enable_nan_canonicalization",
            Some("true"),
            None,
        ),
        (&["--set", "has_avx=false"], "flag.has_avx", Some("false"), None),
        (&["--feature", "simd=false"], "wasm.simd", Some("false"), Some("true")),
        (&["--consume-fuel"], "consume-fuel", Some("true"), Some("false")),
        (&["--epoch-interruption"], "epoch-interruption", Some("true"), Some("false")),
        (
            &["--relaxed-simd-deterministic"],
            "relaxed-simd-deterministic",
            Some("true"),
            Some("false"),
        ),
    ] {
        let arguments = ["cache", "explain"].iter().chain(options).copied().chain([hello.as_str()]);
        let arguments: Vec<&str> = arguments.collect();
        let missing = scene.json(&arguments);
        assert!(missing["found"].is_null(), "{name}");
        let expected = serde_json::json!([
            { "name": name, "wanted": wanted, "entry": entry }
        ]);
        assert_eq!(missing["others"][0]["differences"], expected);
        let text = scene.precast(&arguments).stdout();
        let line = text.lines().skip_while(|line| !line.contains("differs in:")).nth(1).unwrap();
        assert!(line.trim().starts_with(&format!("{name}: ")), "{text}");
    }
}

#[test]
fn an_option_that_changes_no_code_finds_the_entry() {
    let scene = Scene::new();
    let hello = fixture("hello.wasm");
    scene.hello();
    let found = scene.json(&["cache", "explain", "--jobs", "1", &hello]);
    assert_eq!(found["found"]["key"], found["key"]);
}

#[test]
fn an_explanation_needs_a_module() {
    let scene = Scene::new();
    let missing = scene.precast(&["cache", "explain", "nothing.wasm"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("cannot open `nothing.wasm`"), "{missing:?}");
}
