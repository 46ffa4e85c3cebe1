//! The list of scripts that cannot pass yet.

use std::collections::BTreeMap;

use crate::scripts::Script;

/// Scripts by path, with the reason why each cannot pass.
pub(crate) struct Skips(BTreeMap<&'static str, &'static str>);

impl Skips {
    /// Reads `skips.txt`: lines of `path: reason`, and comments after `#`.
    pub(crate) fn read() -> Skips {
        let mut skips = BTreeMap::new();
        for line in include_str!("../../skips.txt").lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let (path, reason) = line.split_once(": ").expect("a line is `path: reason`");
            let earlier = skips.insert(path, reason);
            assert!(earlier.is_none(), "skips.txt names {path} twice");
        }
        Skips(skips)
    }

    /// Why the script cannot pass, if it is in the list.
    pub(crate) fn reason(&self, path: &str) -> Option<&'static str> {
        self.0.get(path).copied()
    }

    /// The paths in the list that are not those of scripts.
    pub(crate) fn strays(&self, scripts: &[Script]) -> Vec<&'static str> {
        let is_stray = |path: &&str| !scripts.iter().any(|script| script.path() == *path);
        self.0.keys().copied().filter(is_stray).collect()
    }
}
