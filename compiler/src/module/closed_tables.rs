//! Tables of functions whose contents are known when the module is compiled.
//!
//! Nobody can change such a table: it belongs to the instance, is not exported, and no operator
//! writes to it, grows it or reads a reference from it. So its elements need not be references: they
//! are in the code section, as type and place of each function, and an instance does nothing for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use precast_artifact::index::{FuncIndex, TableIndex, TypeIndex};
use precast_artifact::module::{ConstOp, ElementMode, ExportItem, Module};
use precast_artifact::types::{CompositeType, FuncType, HeapType, SubType, TypeSection, ValType};

use super::survey::Survey;

/// A table may be this many times longer than what is known to be in it.
const MAX_SPREAD: u64 = 8;
/// Tables up to this length may be as sparse as they like.
const SPREAD_FREE: u64 = 4096;

/// The closed tables of a module.
#[derive(Debug, Default)]
pub(crate) struct ClosedTables {
    tables: BTreeMap<TableIndex, Vec<Option<FuncIndex>>>,
    /// A number for each type of the module that functions in closed tables may have, the same for
    /// equal types.
    type_numbers: Vec<Option<u32>>,
}

impl ClosedTables {
    /// Finds the closed tables, takes their images out of the module, and tells `escapes` each
    /// function of an image that can be referred to nonetheless.
    pub(crate) fn find(
        module: &mut Module,
        survey: &Survey,
        function_types: &[TypeIndex],
        elements: &[Option<FuncIndex>],
        mut escapes: impl FnMut(FuncIndex),
    ) -> ClosedTables {
        let type_numbers = number_types(&module.types);
        let number_of =
            |function: &FuncIndex| type_numbers[function_types[function.as_usize()].as_usize()];
        let mut tables = BTreeMap::new();
        for image in &module.table_images {
            let range = image.functions.start as usize..;
            let functions = &elements[range][..image.functions.len as usize];
            if may_be_closed(module, image.table, functions.len() as u64)
                && functions.iter().flatten().all(|function| number_of(function).is_some())
            {
                tables.insert(image.table, functions.to_vec());
            }
        }
        // A body that cannot be read is found again when it is validated.
        tables.retain(|table, _| !survey.has_unreadable && !survey.tables.contains(table));
        for (table, functions) in &mut tables {
            let length = module.tables[table.as_usize()].limits.min;
            functions.resize(length as usize, None);
        }
        for image in &module.table_images {
            let functions = &elements[image.functions.start as usize..];
            let functions = functions[..image.functions.len as usize].iter().flatten();
            let closed = tables.contains_key(&image.table);
            let referred = |function: &&FuncIndex| !closed || survey.references.contains(function);
            functions.filter(referred).for_each(|&function| escapes(function));
        }
        module.table_images.retain(|image| !tables.contains_key(&image.table));
        module.closed_tables = tables.keys().copied().collect();
        ClosedTables { tables, type_numbers }
    }

    /// The closed tables and what is in them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TableIndex, &[Option<FuncIndex>])> {
        self.tables.iter().map(|(&table, functions)| (table, &functions[..]))
    }

    /// The number of elements of a closed table.
    pub(crate) fn length(&self, table: TableIndex) -> Option<u64> {
        Some(self.tables.get(&table)?.len() as u64)
    }

    /// The number that stands for a type in closed tables; `None` when no function in them has it.
    pub(crate) fn type_number(&self, ty: TypeIndex) -> Option<u32> {
        self.type_numbers[ty.as_usize()]
    }

    /// The functions in closed tables that are among the first `imported`, each once.
    pub(crate) fn imports(&self, imported: u32) -> BTreeSet<FuncIndex> {
        let functions = self.tables.values().flatten().flatten().copied();
        functions.filter(|function| function.0 < imported).collect()
    }
}

/// Whether a table is closed as long as no operator opens it. `known` elements of it are known.
fn may_be_closed(module: &Module, table: TableIndex, known: u64) -> bool {
    let Some(own) = table.0.checked_sub(module.imported.tables) else { return false };
    let ty = &module.tables[table.as_usize()];
    let initial = &module.table_initializers[own as usize];
    let exported = module.exports.iter().any(|export| export.item == ExportItem::Table(table));
    let written = module.elements.iter().any(|segment| {
        matches!(segment.mode, ElementMode::Active { table: target, .. } if target == table)
    });
    ty.element.heap == HeapType::Func
        && matches!(initial.0[..], [ConstOp::RefNull(_)])
        && !exported
        && !written
        && ty.limits.min <= known.saturating_mul(MAX_SPREAD).max(SPREAD_FREE)
}

/// Numbers the types of functions that are equal only to types that look the same: those that stand
/// alone, refer to no other type and have neither subtypes nor a supertype.
fn number_types(types: &TypeSection) -> Vec<Option<u32>> {
    let mut numbers: HashMap<&FuncType, u32> = HashMap::new();
    let alone = types.groups.iter().flat_map(|&len| std::iter::repeat_n(len == 1, len as usize));
    let types = types.types.iter().zip(alone).zip(0..);
    types
        .map(|((ty, alone), index)| match ty {
            SubType { is_final: true, supertype: None, composite: CompositeType::Func(func) }
                if alone && func.params.iter().chain(&func.results).all(is_plain) =>
            {
                Some(*numbers.entry(func).or_insert(index))
            }
            _ => None,
        })
        .collect()
}

fn is_plain(ty: &ValType) -> bool {
    match ty {
        ValType::Ref(ty) => ty.heap.type_index().is_none(),
        _ => true,
    }
}
