//! Both implementations over twin directories, compared after every call.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use precast_wasi::{DirAccess, WasiCtx};
use tempfile::TempDir;

use super::guest::{MEMORY_SIZE, RESULT, get_u32, list};
use super::oracle::Theirs;
use super::{Host, Ours, Outcome};

/// An outcome on which both may disagree, and why.
pub struct Deviation {
    pub call: &'static str,
    pub ours: u16,
    /// `None` for a trap.
    pub theirs: Option<u16>,
    pub reason: &'static str,
}

pub struct Pair {
    pub ours: Ours,
    pub theirs: Theirs,
    /// Descriptors that are the same to both, as each numbers them.
    pub slots: Vec<[u32; 2]>,
    deviations: &'static [Deviation],
    roots: Vec<[TempDir; 2]>,
}

#[derive(Clone, Debug)]
pub enum Argument {
    Number(u64),
    /// An index into the slots.
    Slot(usize),
}

impl From<u64> for Argument {
    fn from(number: u64) -> Argument {
        Argument::Number(number)
    }
}

impl From<u32> for Argument {
    fn from(number: u32) -> Argument {
        Argument::Number(number.into())
    }
}

/// Parts of a `filestat` at `RESULT` that differ between files, device, inode and times,
/// and padding, where theirs stores what happens to be there.
pub const FILESTAT_MASK: &[Range<u32>] =
    &[RESULT..RESULT + 16, RESULT + 17..RESULT + 24, RESULT + 40..RESULT + 64];

/// Parts of an `fdstat` at `RESULT`: rights, of which theirs keeps none, and padding.
pub const FDSTAT_MASK: &[Range<u32>] = &[RESULT + 1..RESULT + 2, RESULT + 4..RESULT + 24];

impl Pair {
    /// Both with two preopened directories as slots 0 and 1.
    pub fn new(deviations: &'static [Deviation]) -> Pair {
        let roots = [(), ()].map(|()| [(), ()].map(|()| TempDir::new().unwrap()));
        let mut ours = WasiCtx::builder();
        let mut theirs = wasi_common::sync::WasiCtxBuilder::new();
        ours.args(["program", "argument"]).env("NAME", "value").env("EMPTY", "");
        theirs.args(&["program".into(), "argument".into()]).unwrap();
        theirs.env("NAME", "value").unwrap().env("EMPTY", "").unwrap();
        for (index, name) in ["/first", "second"].into_iter().enumerate() {
            ours.preopened_dir(roots[0][index].path(), name, DirAccess::ReadWrite).unwrap();
            let authority = wasi_common::sync::ambient_authority();
            let dir = wasi_common::sync::Dir::open_ambient_dir(roots[1][index].path(), authority);
            theirs.preopened_dir(dir.unwrap(), name).unwrap();
        }
        let roots = roots.into();
        let slots = vec![[3, 3], [4, 4]];
        Pair { roots, ..Pair::over(ours.build(), theirs.build(), deviations, slots) }
    }

    /// Both as they were built, without directories to compare.
    pub fn over(
        ours: WasiCtx,
        theirs: wasi_common::WasiCtx,
        deviations: &'static [Deviation],
        slots: Vec<[u32; 2]>,
    ) -> Pair {
        Pair {
            ours: Ours::new(ours),
            theirs: Theirs { ctx: theirs, memory: vec![0; MEMORY_SIZE] },
            slots,
            deviations,
            roots: Vec::new(),
        }
    }

    pub fn put(&mut self, at: u32, bytes: &[u8]) -> [u64; 2] {
        super::guest::put(&mut self.theirs, at, bytes);
        super::guest::put(&mut self.ours, at, bytes)
    }

    /// Calls both and compares outcomes and memories, but for the masked ranges.
    pub fn call(&mut self, name: &str, arguments: &[Argument], masks: &[Range<u32>]) -> Outcome {
        let resolve = |side: usize| -> Vec<u64> {
            let one = |argument: &Argument| match argument {
                Argument::Number(number) => *number,
                Argument::Slot(slot) => self.slots[*slot][side].into(),
            };
            arguments.iter().map(one).collect()
        };
        let (for_ours, for_theirs) = (resolve(0), resolve(1));
        let ours = self.ours.call(name, &for_ours);
        let theirs = self.theirs.call(name, &for_theirs);
        self.compare(name, arguments, &ours, &theirs);
        let mut seen = [self.ours.memory.clone(), self.theirs.memory.clone()];
        for memory in &mut seen {
            for mask in masks {
                memory[mask.start as usize..mask.end as usize].fill(0);
            }
        }
        if let Some(at) = (0..MEMORY_SIZE).find(|at| seen[0][*at] != seen[1][*at]) {
            let near = at & !15..(at & !15) + 64;
            panic!(
                "{name}({arguments:?}): memories differ at {at:#x}\n ours {:x?}\n theirs {:x?}",
                &seen[0][near.clone()],
                &seen[1][near],
            );
        }
        self.theirs.memory.copy_from_slice(&self.ours.memory);
        ours
    }

    /// Calls a function that stores a new descriptor at `RESULT`; success adds a slot.
    pub fn open(&mut self, name: &str, arguments: &[Argument]) -> Outcome {
        let mask = RESULT..RESULT + 4;
        // Both start from zero, so that what one stored is not taken for the other's.
        self.put(RESULT, &[0; 4]);
        let before = self.theirs.memory.clone();
        let numbers = |slot: usize, side: usize, pair: &Pair| pair.slots[slot][side];
        let resolve = |side: usize, pair: &Pair| -> Vec<u64> {
            let one = |argument: &Argument| match argument {
                Argument::Number(number) => *number,
                Argument::Slot(slot) => numbers(*slot, side, pair).into(),
            };
            arguments.iter().map(one).collect()
        };
        let (for_ours, for_theirs) = (resolve(0, self), resolve(1, self));
        let ours = self.ours.call(name, &for_ours);
        let theirs = self.theirs.call(name, &for_theirs);
        self.compare(name, arguments, &ours, &theirs);
        if ours == Outcome::SUCCESS && theirs == Outcome::SUCCESS {
            let opened = [get_u32(&mut self.ours, RESULT), get_u32(&mut self.theirs, RESULT)];
            self.slots.push(opened);
        }
        for memory in [&mut self.ours.memory, &mut self.theirs.memory] {
            memory[mask.start as usize..mask.end as usize].fill(0);
            assert!(*memory == before, "{name}({arguments:?}) wrote elsewhere");
        }
        ours
    }

    /// Compares the listings of one directory.
    pub fn list(&mut self, slot: usize) {
        let [ours, theirs] = self.slots[slot];
        let ours = list(&mut self.ours, ours, 300);
        let theirs = list(&mut self.theirs, theirs, 16384);
        assert_eq!(ours, theirs, "listing of slot {slot}");
        self.theirs.memory.copy_from_slice(&self.ours.memory);
    }

    /// Compares all that is in the directories.
    pub fn compare_trees(&self) {
        for index in 0..2 {
            let [ours, theirs] = [0, 1].map(|side| {
                let mut found = BTreeMap::new();
                walk(self.roots[side][index].path(), String::new(), &mut found);
                found
            });
            assert_eq!(ours, theirs, "trees of directory {index}");
        }
    }

    fn compare(&self, name: &str, arguments: &[Argument], ours: &Outcome, theirs: &Outcome) {
        let known = |deviation: &Deviation| {
            (deviation.call == name || deviation.call == "*")
                && *ours == Outcome::Errno(deviation.ours)
                && match (theirs, deviation.theirs) {
                    (Outcome::Trap(_), None) => true,
                    (Outcome::Errno(errno), Some(known)) => *errno == known,
                    _ => false,
                }
        };
        assert!(
            ours == theirs || self.deviations.iter().any(known),
            "{name}({arguments:?}): ours {ours:?}, theirs {theirs:?}"
        );
    }
}

fn walk(path: &Path, name: String, found: &mut BTreeMap<String, String>) {
    use std::os::unix::fs::PermissionsExt;
    let metadata = path.symlink_metadata().unwrap();
    let kind = if metadata.is_dir() {
        for entry in path.read_dir().unwrap() {
            let entry = entry.unwrap();
            let below = format!("{name}/{}", entry.file_name().to_str().unwrap());
            walk(&entry.path(), below, found);
        }
        String::from("directory")
    } else if metadata.is_symlink() {
        format!("link to {}", path.read_link().unwrap().display())
    } else {
        format!("file {:x?}", std::fs::read(path).unwrap())
    };
    let mode = metadata.permissions().mode();
    found.insert(name, format!("{mode:o} {kind}"));
}
