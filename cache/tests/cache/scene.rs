//! A cache of its own for each test, and what goes into it.

use std::io::Read as _;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use precast_cache::{
    Addition, Cache, CompilerBuild, Entry, Holder, Host, KeyParts, Outcome, Problem, Recipe,
    Repair, Served, Stored, Tier, sha256,
};
use precast_config::{CacheSettings, CompilerSettings, Promotion};

/// A directory for one test.
pub(crate) struct Scene {
    pub(crate) directory: tempfile::TempDir,
}

/// The settings of all tests: nothing that depends on how full this machine's disk is.
pub(crate) fn settings(directory: &Path) -> CacheSettings {
    CacheSettings {
        directory: Some(directory.to_owned()),
        level: 1,
        min_free: 0,
        ..CacheSettings::default()
    }
}

pub(crate) fn build() -> CompilerBuild {
    CompilerBuild { format: 1, version: "0.1.0".into(), digest: [7; 32] }
}

pub(crate) fn recipe() -> Recipe {
    Recipe::new(&build(), &Host::detect(), &CompilerSettings::default())
}

/// The key of the module that has this number.
pub(crate) fn parts(number: u32) -> KeyParts {
    recipe().with_wasm(&sha256(&number.to_le_bytes()))
}

/// The artifact of the module that has this number: half of it compresses, half does not.
pub(crate) fn artifact(number: u32) -> Vec<u8> {
    let mut state = u64::from(number) * 2 + 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    let mut bytes: Vec<u8> = (0..100_000).map(|_| next()).collect();
    bytes.resize(200_000, number as u8);
    bytes
}

/// The artifact that an entry holds.
pub(crate) fn content(entry: &Entry) -> Vec<u8> {
    let mut bytes = vec![0; entry.len() as usize];
    entry.file().read_exact_at(&mut bytes, 0).expect("an entry is as long as it says");
    bytes
}

pub(crate) fn put(cache: &Cache, number: u32) -> Stored {
    let (artifact, compile_time) = (artifact(number), Duration::from_millis(1500));
    let source = format!("{number}.wasm");
    cache.put(&parts(number), &Addition { artifact: &artifact, source: &source, compile_time })
}

pub(crate) fn get(cache: &Cache, number: u32) -> Outcome {
    cache.get(&parts(number).key())
}

/// Waits for others as long as it takes.
pub(crate) fn wait(_: &Holder) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Where a module comes from when it is wanted; its content is checked.
pub(crate) fn serve(cache: &Cache, number: u32) -> Served {
    let compile = || Ok::<_, std::convert::Infallible>(artifact(number));
    let served = cache.compile_once(&parts(number), "test.wasm", wait, compile).unwrap();
    match &served {
        Served::Cached(entry) => assert!(content(entry) == artifact(number)),
        Served::Compiled { artifact: bytes, stored } => {
            assert!(*bytes == artifact(number));
            if let Stored::Hot(entry) = stored {
                assert!(content(entry) == artifact(number));
            }
        }
    }
    served
}

/// Asserts that a module is found in that form, with the right content.
pub(crate) fn assert_hit(cache: &Cache, number: u32, tier: Tier) {
    match get(cache, number) {
        Outcome::Hit(entry) => {
            assert_eq!(entry.tier(), tier);
            assert!(content(&entry) == artifact(number), "an entry has the wrong content");
        }
        Outcome::Miss(miss) => panic!("{miss}"),
    }
}

/// Asserts that whatever is there is right.
pub(crate) fn assert_right_or_missing(cache: &Cache, number: u32) {
    if let Outcome::Hit(entry) = get(cache, number) {
        assert!(content(&entry) == artifact(number), "an entry has the wrong content");
    }
}

/// Asserts that the cache is as it should be after what is wrong in it was repaired, and gives
/// what that was.
pub(crate) fn repaired(cache: &Cache) -> Vec<Problem> {
    let found = cache.verify(Repair::Yes).unwrap().findings;
    assert!(found.iter().all(|finding| finding.repaired), "{found:?}");
    assert_clean(cache);
    found.into_iter().map(|finding| finding.problem).collect()
}

pub(crate) fn assert_clean(cache: &Cache) {
    let findings = cache.verify(Repair::No).unwrap().findings;
    assert!(findings.is_empty(), "{findings:?}");
}

impl Scene {
    pub(crate) fn new() -> Scene {
        Scene { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn settings(&self) -> CacheSettings {
        settings(self.path())
    }

    pub(crate) fn cache(&self) -> Cache {
        Cache::new(&self.settings())
    }

    /// A cache in which entries become hot when they are used again.
    pub(crate) fn lazy_cache(&self) -> Cache {
        Cache::new(&CacheSettings { promotion: Promotion::Hit, ..self.settings() })
    }

    /// The directory that holds everything.
    pub(crate) fn root(&self) -> PathBuf {
        self.path().join("precast").join("v1")
    }

    /// The file of an entry.
    pub(crate) fn file(&self, tier: Tier, number: u32) -> PathBuf {
        let key = parts(number).key().to_string();
        self.root().join(tier.to_string()).join(&key[..2]).join(key)
    }

    /// Every file below the directory with its content.
    pub(crate) fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn visit(directory: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
            for item in std::fs::read_dir(directory).unwrap() {
                let path = item.unwrap().path();
                if path.is_dir() {
                    visit(&path, files);
                } else {
                    let mut content = Vec::new();
                    std::fs::File::open(&path).unwrap().read_to_end(&mut content).unwrap();
                    files.push((path, content));
                }
            }
        }
        let mut files = Vec::new();
        visit(self.path(), &mut files);
        files.sort();
        files
    }
}
