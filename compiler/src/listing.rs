//! The code of single functions, for people to read.

use std::fmt::Write as _;

use precast_config::CompilerSettings;

use precast_artifact::index::{DefinedFuncIndex, FuncIndex};
use precast_artifact::module::ExportItem;

use crate::error::CompileError;
use crate::parsed::ParsedModule;
use crate::target::Target;
use crate::translate::Environment;
use crate::{compile, module, work};

/// In which language code is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Instructions of the target, before branches are shortened and calls are linked.
    Assembly,
    /// Cranelift's intermediate representation, optimised: what the instructions are made from.
    Clif,
}

/// The code of functions, one after the other. Each is named by its index in the module, which counts
/// imports, by its name in the name section, or by that of an export; all functions of that name are meant.
///
/// ```
/// use precast_compiler::{Language, list};
/// use precast_config::CompilerSettings;
///
/// let wasm = wat::parse_str(r#"(module (func (export "seven") (result i32) (i32.const 7)))"#)?;
/// let clif = list(&wasm, &CompilerSettings::default(), &["seven"], Language::Clif)?;
/// assert!(clif.contains("iconst.i32 7"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`compile`](crate::compile()) of those functions; and when there is no function of a name or index, or
/// it is imported.
pub fn list(
    wasm: &[u8],
    settings: &CompilerSettings,
    functions: &[impl AsRef<str>],
    language: Language,
) -> Result<String, CompileError> {
    let target = Target::new(settings)?;
    let parsed = module::parse(wasm, settings, target.page_size(), 1)
        .map_err(|error| compile::explain(wasm, settings, None, error))?;
    let mut chosen = Vec::new();
    for name in functions {
        chosen.extend(find(&parsed, name.as_ref())?);
    }
    let collector = compile::collector(&parsed, settings.collector);
    let environment = Environment { module: &parsed, isa: &*target.isa, settings, collector };
    let pieces: Vec<_> = chosen.iter().map(|&index| parsed.representative(index)).collect();
    let listings = work::list(environment, &pieces, language)
        .map_err(|error| compile::explain(wasm, settings, Some(&parsed), error))?;
    let mut text = String::new();
    for ((&index, &piece), listing) in chosen.iter().zip(&pieces).zip(listings) {
        let index = parsed.function_index(index);
        let name = parsed.function_name(index).unwrap_or_default();
        let shared = match parsed.function_index(piece) {
            same if same == index => String::new(),
            other => format!(", the same as function {}", other.0),
        };
        // What follows has comments after the same sign.
        writeln!(text, ";; function {} {name}{shared}\n{}", index.0, listing.trim_end())
            .expect("strings have room");
    }
    Ok(text)
}

/// The functions that are meant by `wanted`; at least one.
fn find(module: &ParsedModule<'_>, wanted: &str) -> Result<Vec<DefinedFuncIndex>, CompileError> {
    let count = module.function_types.len() as u32;
    let found: Vec<FuncIndex> = match wanted.parse() {
        Ok(index) if index < count => vec![FuncIndex(index)],
        Ok(_) => Vec::new(),
        Err(_) => {
            let exported = |index| {
                let exports = module.module.exports.iter().filter(|export| export.name == wanted);
                exports.into_iter().any(|export| matches!(export.item, ExportItem::Func(function, _) if function == index))
            };
            let named =
                |&index: &FuncIndex| module.function_name(index) == Some(wanted) || exported(index);
            (0..count).map(FuncIndex).filter(named).collect()
        }
    };
    let defined: Vec<_> = found.iter().filter_map(|&index| module.defined(index)).collect();
    if !defined.is_empty() {
        return Ok(defined);
    }
    let function = wanted.to_owned();
    Err(match found.is_empty() {
        true => CompileError::NoFunction { function, count },
        false => CompileError::ImportedFunction { function },
    })
}
