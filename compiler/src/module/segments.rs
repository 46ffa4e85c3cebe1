//! Element and data segments, and what of them is known at compile time.
//!
//! Active segments apply in order, and one that does not fit stops the instantiation. So of
//! each kind, only what comes before the first segment whose fate is not known can be
//! applied ahead of time.

use std::collections::BTreeMap;

use precast_artifact::index::{DataIndex, ElemIndex, FuncIndex, MemoryIndex, TableIndex};
use precast_artifact::module::{
    ConstExpr, ConstOp, DataMode, DataSegment, ElementItems, ElementMode, ElementRange,
    ElementSegment, Module, TableImage,
};
use precast_artifact::types::RefType;
use wasmparser::{DataKind, DataSectionReader, ElementKind, ElementSectionReader, Operator};

use super::constant;
use super::memory_images::MemoryImages;
use super::types::{self, TypeKinds};
use crate::CompileError;
use crate::limits::ELEMENTS;
use crate::parsed::BulkData;

/// A table image may be this many times longer than the elements in it.
const MAX_SPREAD: u64 = 8;
/// Table images up to this length may be as sparse as they like.
const SPREAD_FREE: u64 = 4096;

/// The elements of a segment before they have a place.
enum Items {
    Functions(Vec<Option<FuncIndex>>),
    Expressions(Vec<ConstExpr>),
}

/// Collects the active segments of own tables until one does not fit.
#[derive(Default)]
struct TableImages {
    tables: BTreeMap<u32, Vec<Option<FuncIndex>>>,
    closed: bool,
    elements: u64,
    size: u64,
}

/// Reads the element section into `module.elements` and `module.table_images`, and tells
/// `escapes` each function that a segment refers to which is not part of an image.
pub(crate) fn read_elements(
    section: ElementSectionReader<'_>,
    kinds: &TypeKinds,
    module: &mut Module,
    bulk: &mut BulkData,
    mut escapes: impl FnMut(FuncIndex),
) -> Result<(), CompileError> {
    let mut images = TableImages::default();
    for (element, index) in section.into_iter().zip(0..) {
        let element = element?;
        let (ty, items) = read_items(kinds, &element.items)?;
        let mode = match &element.kind {
            ElementKind::Passive => Some(ElementMode::Passive),
            ElementKind::Declared => None,
            ElementKind::Active { table_index, offset_expr } => {
                let table = TableIndex(table_index.unwrap_or(0));
                let offset = constant::read(kinds, offset_expr)?;
                if images.add(module, table, &offset, &items) {
                    continue;
                }
                Some(ElementMode::Active { table, offset })
            }
        };
        match &items {
            Items::Functions(functions) => {
                functions.iter().flatten().for_each(|&index| escapes(index));
            }
            Items::Expressions(list) => {
                list.iter().flat_map(constant::functions).for_each(&mut escapes);
            }
        }
        let Some(mode) = mode else { continue };
        let items = match items {
            Items::Functions(functions) => ElementItems::Functions(place(&functions, bulk)?),
            Items::Expressions(list) => ElementItems::Expressions(list),
        };
        module.elements.push(ElementSegment { index: ElemIndex(index), mode, ty, items });
    }
    for (table, functions) in images.tables {
        let functions = place(&functions, bulk)?;
        module.table_images.push(TableImage { table: TableIndex(table), functions });
    }
    Ok(())
}

/// Reads the data section into `module.data` and `module.memory_images`.
pub(crate) fn read_data<'wasm>(
    section: DataSectionReader<'wasm>,
    kinds: &TypeKinds,
    module: &mut Module,
    bulk: &mut BulkData,
    mut images: MemoryImages<'wasm>,
) -> Result<(), CompileError> {
    let mut closed = false;
    for (data, index) in section.into_iter().zip(0..) {
        let data = data?;
        let mode = match &data.kind {
            DataKind::Passive => DataMode::Passive,
            DataKind::Active { memory_index, offset_expr } => {
                let memory = MemoryIndex(*memory_index);
                let offset = constant::read(kinds, offset_expr)?;
                let address = known_address(module, memory, &offset, data.data.len());
                closed |= !address.is_some_and(|at| images.add(memory, at, data.data));
                if !closed {
                    continue;
                }
                DataMode::Active { memory, offset }
            }
        };
        let (start, len) = (bulk.data.len() as u64, data.data.len() as u64);
        bulk.data.extend_from_slice(data.data);
        module.data.push(DataSegment { index: DataIndex(index), mode, start, len });
    }
    (module.memory_images, bulk.images) = images.finish(|memory| memory_size(module, memory));
    Ok(())
}

/// Where a segment goes, when that is known and inside an own memory of one thread.
fn known_address(
    module: &Module,
    memory: MemoryIndex,
    offset: &ConstExpr,
    len: usize,
) -> Option<u64> {
    let plan = &module.memories[memory.as_usize()];
    if memory.0 < module.imported.memories || plan.ty.shared {
        return None;
    }
    let address = constant::evaluate(offset)?;
    let end = address.checked_add(len as u64)?;
    (end <= memory_size(module, memory)).then_some(address)
}

fn memory_size(module: &Module, memory: MemoryIndex) -> u64 {
    let ty = &module.memories[memory.as_usize()].ty;
    ty.limits.min.saturating_mul(ty.page_size())
}

impl TableImages {
    /// Takes an active segment in; `false` when it has to be applied at instantiation.
    fn add(
        &mut self,
        module: &Module,
        table: TableIndex,
        offset: &ConstExpr,
        items: &Items,
    ) -> bool {
        if !self.closed {
            self.closed = self.try_add(module, table, offset, items).is_none();
        }
        !self.closed
    }

    fn try_add(
        &mut self,
        module: &Module,
        table: TableIndex,
        offset: &ConstExpr,
        items: &Items,
    ) -> Option<()> {
        let Items::Functions(functions) = items else { return None };
        let own = table.0.checked_sub(module.imported.tables)?;
        let ty = &module.tables[table.as_usize()];
        let ConstExpr(initial) = &module.table_initializers[own as usize];
        if !ty.element.is_func() || !matches!(initial[..], [ConstOp::RefNull(_)]) {
            return None;
        }
        let start = constant::evaluate(offset)?;
        let end = start.checked_add(functions.len() as u64)?;
        let image = self.tables.get(&table.0).map_or(0, |image| image.len() as u64);
        let elements = self.elements + functions.len() as u64;
        let size = self.size + end.saturating_sub(image);
        if end > ty.limits.min || size > elements.saturating_mul(MAX_SPREAD).max(SPREAD_FREE) {
            return None;
        }
        if !functions.is_empty() {
            let image = self.tables.entry(table.0).or_default();
            if image.len() < end as usize {
                image.resize(end as usize, None);
            }
            image[start as usize..end as usize].copy_from_slice(functions);
            (self.elements, self.size) = (elements, size);
        }
        Some(())
    }
}

/// Puts functions at the end of the element section.
fn place(
    functions: &[Option<FuncIndex>],
    bulk: &mut BulkData,
) -> Result<ElementRange, CompileError> {
    let (start, len) = (bulk.elements.len(), functions.len());
    if start + len > ELEMENTS {
        let what = "its segments and tables have too many elements";
        return Err(CompileError::TooLarge { what, limit: ELEMENTS as u64, offset: None });
    }
    bulk.elements.extend_from_slice(functions);
    Ok(ElementRange { start: start as u32, len: len as u32 })
}

fn read_items(
    kinds: &TypeKinds,
    items: &wasmparser::ElementItems<'_>,
) -> Result<(RefType, Items), CompileError> {
    Ok(match items {
        wasmparser::ElementItems::Functions(functions) => {
            let functions = functions.clone().into_iter();
            let functions = functions.map(|index| Ok(Some(FuncIndex(index?))));
            let functions: wasmparser::Result<_> = functions.collect();
            (RefType::FUNCREF, Items::Functions(functions?))
        }
        wasmparser::ElementItems::Expressions(ty, expressions) => {
            let ty = types::ref_type(kinds, *ty)?;
            let plain: Option<Vec<_>> = if ty.is_func() {
                expressions.clone().into_iter().map(|item| plain_function(&item.ok()?)).collect()
            } else {
                None
            };
            let items = match plain {
                Some(functions) => Items::Functions(functions),
                None => Items::Expressions(
                    expressions
                        .clone()
                        .into_iter()
                        .map(|item| constant::read(kinds, &item?))
                        .collect::<Result<_, _>>()?,
                ),
            };
            (ty, items)
        }
    })
}

/// The function, or null, of an expression that is nothing but that.
fn plain_function(expression: &wasmparser::ConstExpr<'_>) -> Option<Option<FuncIndex>> {
    let mut reader = expression.get_operators_reader();
    let function = match reader.read().ok()? {
        Operator::RefFunc { function_index } => Some(FuncIndex(function_index)),
        Operator::RefNull { .. } => None,
        _ => return None,
    };
    matches!(reader.read().ok()?, Operator::End).then_some(function)
}
