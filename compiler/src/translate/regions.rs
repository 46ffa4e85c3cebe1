//! Which parts of memory cannot overlap, and how each is accessed.
//!
//! The code generator keeps what it knows about one region when something is stored to
//! another. Imported entities of a kind may be the same one, so they share a region; own
//! ones can be reached in no other way than by their index.

use std::borrow::Cow;

use cranelift_codegen::ir::{AliasRegion, AliasRegionData, Endianness, Function, MemFlagsData};
use precast_artifact::trap::Trap;

use crate::trap::trap_code;

/// A part of memory that no other one overlaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    /// Where memories and tables lie, and how large they are. Only helpers write it.
    Definitions,
    /// The bytes of a memory.
    Memory(Entity),
    /// The elements of a table.
    Table(Entity),
    /// The value of a global.
    Global(Entity),
    /// Fuel and epochs.
    Interrupts,
    /// What code and collector share: counts of references, lists, and the room for new objects.
    Collector,
    /// What objects of the heap hold, except for the collector's part.
    Objects,
}

/// Which memory, table or global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entity {
    /// One of the imported ones.
    Imported,
    /// An own one, by its position among all of the kind.
    Own(u32),
}

/// How many own globals are told apart: enough for the few that hot code uses, and the
/// tables of the alias analysis grow with it.
const GLOBAL_REGIONS: u32 = 32;

impl Entity {
    /// The entity at `index` when the first `imported` ones are imported.
    pub(super) fn new(index: u32, imported: u32) -> Entity {
        if index < imported { Entity::Imported } else { Entity::Own(index) }
    }
}

impl Region {
    /// Flags for accesses to the region that cannot fail and are aligned.
    pub(super) fn trusted(self, func: &mut Function) -> MemFlagsData {
        MemFlagsData::trusted()
            .with_alias_region(Some(self.alias_region(func)))
            .with_endianness(Endianness::Little)
    }

    /// Flags for accesses to the region that may fault, which is `trap` then.
    pub(super) fn trapping(self, func: &mut Function, trap: Trap) -> MemFlagsData {
        MemFlagsData::new()
            .with_alias_region(Some(self.alias_region(func)))
            .with_endianness(Endianness::Little)
            .with_trap_code(Some(trap_code(trap)))
    }

    fn alias_region(self, func: &mut Function) -> AliasRegion {
        let user_id = self.id();
        match func.dfg.alias_regions.get(user_id) {
            Some(region) => region,
            None => func
                .dfg
                .alias_regions
                .insert(AliasRegionData { user_id, description: self.description() }),
        }
    }

    /// A number that is the same in all functions of a module, which inlining relies on.
    fn id(self) -> u32 {
        let (kind, entity) = match self {
            Region::Definitions => (0, Entity::Imported),
            Region::Memory(entity) => (1, entity),
            Region::Table(entity) => (2, entity),
            Region::Global(Entity::Own(index)) => (3, Entity::Own(index % GLOBAL_REGIONS)),
            Region::Global(Entity::Imported) => (3, Entity::Imported),
            Region::Interrupts => (4, Entity::Imported),
            Region::Collector => (5, Entity::Imported),
            Region::Objects => (6, Entity::Imported),
        };
        let position = match entity {
            Entity::Imported => 0,
            Entity::Own(index) => index + 1,
        };
        kind << 28 | position
    }

    fn description(self) -> Cow<'static, str> {
        let (kind, entity) = match self {
            Region::Definitions => return Cow::Borrowed("definitions"),
            Region::Interrupts => return Cow::Borrowed("interrupts"),
            Region::Collector => return Cow::Borrowed("collector"),
            Region::Objects => return Cow::Borrowed("objects"),
            Region::Memory(entity) => ("memory", entity),
            Region::Table(entity) => ("table", entity),
            Region::Global(entity) => ("global", entity),
        };
        Cow::Owned(match entity {
            Entity::Imported => format!("imported {kind}"),
            Entity::Own(index) => format!("{kind} {index}"),
        })
    }
}

/// Flags for what never changes while code of the instance runs, and can be read at any
/// time: the fixed parts of a VMContext, and what they point to.
pub(super) fn invariant() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly().with_can_move()
}
