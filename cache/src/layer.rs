//! The directories of a cache: where they are, who may use them, what lies where.

use std::fs::DirBuilder;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::error::Refusal;
use crate::root::{self, Facts, Root};
use crate::{Key, Tier};

/// The folder of all versions of the layout, and that of this one.
const HOME: &str = "precast";
const VERSION: &str = "v1";

pub(crate) const FUNCTIONS: &str = "functions";
pub(crate) const STAT: &str = "stat";
pub(crate) const LOCKS: &str = "locks";
pub(crate) const TMP: &str = "tmp";
pub(crate) const QUARANTINE: &str = "quarantine";
const TAG: &str = "CACHEDIR.TAG";

/// What makes backup programs leave a directory out: <https://bford.info/cachedir/>.
const TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55
# This directory holds compiled WebAssembly modules that can be compiled again at any time.
# `precast cache clear` empties it; deleting it is safe too.
";

/// Which directory an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The user's own.
    User,
    /// The one that was filled ahead of time.
    System,
}

/// One directory of a cache.
#[derive(Debug)]
pub(crate) struct Layer {
    home: PathBuf,
    path: PathBuf,
}

impl Layer {
    /// The cache below that directory.
    pub(crate) fn below(directory: &Path) -> Layer {
        let home = directory.join(HOME);
        Layer { path: home.join(VERSION), home }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that holds this and other versions of the layout.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Opens the directory if there is one.
    ///
    /// # Errors
    ///
    /// When others than the user and root could have written what it holds.
    pub(crate) fn open(&self) -> Result<Option<Root>, Refusal> {
        let refused = |source| Refusal::System { path: self.path.clone(), source };
        let root = match Root::open(&self.path) {
            Ok(root) => root,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused(error)),
        };
        self.check(&root.facts().map_err(refused)?)?;
        Ok(Some(root))
    }

    /// Opens the directory, and makes what is missing of it.
    pub(crate) fn create(&self) -> Result<Root, Refusal> {
        let refused = |source| Refusal::System { path: self.path.clone(), source };
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.path).map_err(refused)?;
        let root = Root::open(&self.path).map_err(refused)?;
        self.check(&root.facts().map_err(refused)?)?;
        for folder in
            [Tier::Packed.folder(), Tier::Hot.folder(), FUNCTIONS, STAT, LOCKS, TMP, QUARANTINE]
        {
            root.create_folder(folder).map_err(refused)?;
        }
        match root.create_new(TAG) {
            Ok(mut tag) => tag.write_all(TAG_TEXT.as_bytes()).map_err(refused)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(refused(error)),
        }
        Ok(root)
    }

    fn check(&self, facts: &Facts) -> Result<(), Refusal> {
        let (user, path) = (root::user(), self.path.clone());
        if facts.owner != user && facts.owner != 0 {
            return Err(Refusal::Owner { path, owner: facts.owner, user });
        }
        if facts.is_foreign(user) {
            return Err(Refusal::Writable { path, mode: facts.mode & 0o7777 });
        }
        Ok(())
    }
}

impl Tier {
    pub(crate) const ALL: [Tier; 2] = [Tier::Hot, Tier::Packed];

    pub(crate) fn folder(self) -> &'static str {
        match self {
            Tier::Hot => "hot",
            Tier::Packed => "packed",
        }
    }

    /// The name of an entry's file.
    pub(crate) fn file(self, key: &Key) -> String {
        format!("{}/{}/{key}", self.folder(), key.shard())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_made_is_private_and_has_all_folders() {
        let directory = tempfile::tempdir().unwrap();
        let layer = Layer::below(directory.path());
        assert!(layer.open().unwrap().is_none());
        layer.create().unwrap();
        let root = layer.create().unwrap();
        let folders =
            ["CACHEDIR.TAG", "functions", "hot", "locks", "packed", "quarantine", "stat", "tmp"];
        assert_eq!(root.list(".").unwrap(), folders);
        assert_eq!(root.facts().unwrap().mode & 0o777, 0o700);
        assert!(layer.open().unwrap().is_some());
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let layer = Layer::below(directory.path());
        layer.create().unwrap();
        for mode in [0o770, 0o702] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(layer.path(), permissions).unwrap();
            assert!(matches!(layer.open(), Err(Refusal::Writable { .. })));
            assert!(matches!(layer.create(), Err(Refusal::Writable { .. })));
        }
    }

    #[test]
    fn a_file_in_place_of_the_directory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("precast"), "").unwrap();
        let layer = Layer::below(directory.path());
        assert!(matches!(layer.open(), Err(Refusal::System { .. })));
        assert!(matches!(layer.create(), Err(Refusal::System { .. })));
    }
}
