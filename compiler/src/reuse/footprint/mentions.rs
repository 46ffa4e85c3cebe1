//! What operators mention by the indices that are their immediates.

use precast_artifact::index::{GlobalIndex, MemoryIndex, TableIndex, TagIndex};
use precast_artifact::module::{Bounds, ConstOp, MemoryPlan};
use precast_artifact::types::{GlobalType, MemoryType, TableType, ValType as ArtifactValType};
use wasmparser::{BlockType, Catch, HeapType, Operator, TryTable, ValType};

use super::{Footprints, Mention};

/// What immediates of operators mention, by the names that immediates have.
impl Footprints<'_> {
    fn type_index(&mut self, index: &u32) -> Option<()> {
        match self.is_new(Mention::Type(*index)) {
            true => self.digest(*index),
            false => Some(()),
        }
    }

    fn blockty(&mut self, ty: &BlockType) -> Option<()> {
        match *ty {
            BlockType::Empty => Some(()),
            BlockType::Type(ty) => self.ty(ty),
            BlockType::FuncType(index) => self.type_index(&index),
        }
    }

    pub(super) fn ty(&mut self, ty: ValType) -> Option<()> {
        match ty {
            ValType::Ref(ty) => self.hty(&ty.heap_type()),
            _ => Some(()),
        }
    }

    fn hty(&mut self, ty: &HeapType) -> Option<()> {
        match *ty {
            HeapType::Abstract { .. } => Some(()),
            HeapType::Concrete(index) | HeapType::Exact(index) => {
                self.type_index(&index.as_module_index()?)
            }
        }
    }

    fn try_table(&mut self, table: &TryTable) -> Option<()> {
        for catch in &table.catches {
            match catch {
                Catch::One { tag, .. } | Catch::OneRef { tag, .. } => self.tag_index(tag)?,
                Catch::All { .. } | Catch::AllRef { .. } => {}
            }
        }
        self.blockty(&table.ty)
    }

    fn tag_index(&mut self, index: &u32) -> Option<()> {
        let ty = *self.environment.module.module.tags.get(TagIndex(*index).as_usize())?;
        match self.is_new(Mention::Tag(*index)) {
            true => self.digest(ty.0),
            false => Some(()),
        }
    }

    /// Of a function that is referred to, which happens by its index.
    fn function_index(&mut self, index: &u32) -> Option<()> {
        let ty = *self.environment.module.function_types.get(*index as usize)?;
        self.number(ty.as_usize());
        self.digest(ty.0)
    }

    fn mem(&mut self, index: &u32) -> Option<()> {
        if !self.is_new(Mention::Memory(*index)) {
            return Some(());
        }
        let module = self.environment.module;
        let index = MemoryIndex(*index);
        let MemoryPlan { ty, bounds } = *module.module.memories.get(index.as_usize())?;
        let MemoryType { limits, memory64, shared, page_size_log2 } = ty;
        self.limits(limits);
        let imported = index.0 < module.module.imported.memories;
        let flags = [memory64, shared, imported].map(u8::from);
        self.facts.extend(flags);
        self.facts.push(page_size_log2);
        let (code, reservation, guard) = match bounds {
            Bounds::Guard { reservation, guard } => (0, reservation, guard),
            Bounds::Explicit { guard } => (1, 0, guard),
        };
        self.facts.push(code);
        self.facts.extend(reservation.to_le_bytes());
        self.facts.extend(guard.to_le_bytes());
        self.place(module.offsets.memory(index, shared));
        Some(())
    }

    pub(super) fn table(&mut self, index: &u32) -> Option<()> {
        if !self.is_new(Mention::Table(*index)) {
            return Some(());
        }
        let module = self.environment.module;
        let index = TableIndex(*index);
        let TableType { element, limits, table64 } = *module.module.tables.get(index.as_usize())?;
        self.declared_type(ArtifactValType::Ref(element))?;
        self.limits(limits);
        let imported = index.0 < module.module.imported.tables;
        self.facts.extend([table64, imported].map(u8::from));
        let closed = module.closed_tables.length(index);
        self.facts.push(u8::from(closed.is_some()));
        self.facts.extend(closed.unwrap_or_default().to_le_bytes());
        self.place(module.offsets.table(index));
        Some(())
    }

    fn global_index(&mut self, index: &u32) -> Option<()> {
        if !self.is_new(Mention::Global(*index)) {
            return Some(());
        }
        let module = self.environment.module;
        let index = GlobalIndex(*index);
        let GlobalType { content, mutable } = *module.module.globals.get(index.as_usize())?;
        self.declared_type(content)?;
        self.facts.push(u8::from(mutable));
        self.place(module.offsets.global(index));
        let own = index.0.checked_sub(module.module.imported.globals);
        self.facts.push(u8::from(own.is_some()));
        let Some(own) = own.filter(|_| !mutable) else { return Some(()) };
        // Its value may stand in the code.
        let (code, value) = match module.module.global_initializers.get(own as usize)?.0.as_slice()
        {
            [ConstOp::I32(value)] => (1, u128::from(value.cast_unsigned())),
            [ConstOp::I64(value)] => (2, u128::from(value.cast_unsigned())),
            [ConstOp::F32(bits)] => (3, u128::from(*bits)),
            [ConstOp::F64(bits)] => (4, u128::from(*bits)),
            [ConstOp::V128(bits)] => (5, *bits),
            [ConstOp::RefNull(_)] => (6, 0),
            _ => (0, 0),
        };
        self.facts.push(code);
        self.facts.extend(value.to_le_bytes());
        Some(())
    }
}

/// What an immediate with this name mentions. One with a name that is not here does not compile.
macro_rules! immediate {
    ($of:ident type_index $value:ident) => {
        $of.type_index($value)?
    };
    ($of:ident struct_type_index $value:ident) => {
        $of.type_index($value)?
    };
    ($of:ident array_type_index $value:ident) => {
        $of.type_index($value)?
    };
    ($of:ident array_type_index_dst $value:ident) => {
        $of.type_index($value)?
    };
    ($of:ident array_type_index_src $value:ident) => {
        $of.type_index($value)?
    };
    ($of:ident cont_type_index $value:ident) => {
        $of.type_index($value)?
    };
    ($of:ident blockty $value:ident) => {
        $of.blockty($value)?
    };
    ($of:ident ty $value:ident) => {
        $of.ty(*$value)?
    };
    ($of:ident tys $value:ident) => {
        for ty in $value {
            $of.ty(*ty)?;
        }
    };
    ($of:ident hty $value:ident) => {
        $of.hty($value)?
    };
    ($of:ident from_ref_type $value:ident) => {
        $of.hty(&$value.heap_type())?
    };
    ($of:ident to_ref_type $value:ident) => {
        $of.hty(&$value.heap_type())?
    };
    ($of:ident function_index $value:ident) => {
        $of.function_index($value)?
    };
    ($of:ident global_index $value:ident) => {
        $of.global_index($value)?
    };
    ($of:ident mem $value:ident) => {
        $of.mem($value)?
    };
    ($of:ident dst_mem $value:ident) => {
        $of.mem($value)?
    };
    ($of:ident src_mem $value:ident) => {
        $of.mem($value)?
    };
    ($of:ident memarg $value:ident) => {
        $of.mem(&$value.memory)?
    };
    ($of:ident table $value:ident) => {
        $of.table($value)?
    };
    ($of:ident table_index $value:ident) => {
        $of.table($value)?
    };
    ($of:ident dst_table $value:ident) => {
        $of.table($value)?
    };
    ($of:ident src_table $value:ident) => {
        $of.table($value)?
    };
    ($of:ident tag_index $value:ident) => {
        $of.tag_index($value)?
    };
    ($of:ident try_table $value:ident) => {
        $of.try_table($value)?
    };
    // Continuations are not compiled.
    ($of:ident resume_table $value:ident) => {
        return None
    };
    // Segments are found by their numbers.
    ($of:ident data_index $value:ident) => {};
    ($of:ident elem_index $value:ident) => {};
    ($of:ident array_data_index $value:ident) => {};
    ($of:ident array_elem_index $value:ident) => {};
    // What means the same in every module.
    ($of:ident local_index $value:ident) => {};
    ($of:ident relative_depth $value:ident) => {};
    ($of:ident targets $value:ident) => {};
    ($of:ident field_index $value:ident) => {};
    ($of:ident array_size $value:ident) => {};
    ($of:ident argument_index $value:ident) => {};
    ($of:ident result_index $value:ident) => {};
    ($of:ident lane $value:ident) => {};
    ($of:ident lanes $value:ident) => {};
    ($of:ident ordering $value:ident) => {};
    ($of:ident value $value:ident) => {};
}

/// Says of each operator, by the names of its immediates, what it mentions.
macro_rules! mentions {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        impl Footprints<'_> {
            /// Takes the facts over on which the meaning of an operator's immediates depends. None
            /// when there is not what it mentions.
            #[allow(unused_variables)]
            pub(super) fn mention(&mut self, operator: &Operator<'_>) -> Option<()> {
                match operator {
                    $(Operator::$op $({ $($arg),* })? => { $($(immediate!(self $arg $arg);)*)? })*
                    // A proposal that is younger than this table.
                    _ => return None,
                }
                Some(())
            }
        }
    };
}

wasmparser::for_each_operator!(mentions);
