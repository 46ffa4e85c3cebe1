//! `precast inspect`: shows what an artifact is.

use std::path::PathBuf;

use clap::Args;
use precast::artifact::description::BuildDescription;
use precast::artifact::image::Image;
use precast::artifact::index::DefinedFuncIndex;
use precast::artifact::module::{ExportItem, Module};
use precast::artifact::types::EntityType;
use precast::{Error, Result};
use serde_json::{Value, json};

use crate::context::Context;
use crate::output::{hex, print_json, size};

/// Show what an artifact is, what it needs, and what it holds.
///
/// Nothing of the artifact is run, and artifacts for other machines can be inspected too.
#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// An artifact
    artifact: PathBuf,

    /// List every function
    #[arg(long)]
    functions: bool,

    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) fn execute(self) -> Result<()> {
        let path = self.artifact.display();
        let bytes = std::fs::read(&self.artifact).context(|| format!("cannot read `{path}`"))?;
        if bytes.starts_with(b"\0asm") {
            return Err(Error::msg(format!(
                "`{path}` is a WebAssembly module: compile it with `precast compile` first"
            )));
        }
        let image = Image::parse(&bytes).context(|| format!("cannot inspect `{path}`"))?;
        let sections = Image::section_sizes(&bytes)?;
        if self.json {
            return print_json(&as_json(&image, &sections, bytes.len() as u64));
        }
        print_description(&image.description, bytes.len() as u64);
        print_sections(&sections);
        print_interface(&image.module);
        println!("\nfunctions: {}", image.module.defined_functions);
        if self.functions {
            for function in functions(&image) {
                let name = function.name.unwrap_or("-");
                println!(
                    "  {:>6}  {:#10x}  {:>8}  {name}",
                    function.index, function.start, function.len
                );
            }
        }
        Ok(())
    }
}

struct Function<'a> {
    index: u32,
    start: u32,
    len: u32,
    name: Option<&'a str>,
}

fn functions<'a>(image: &'a Image<'a>) -> impl Iterator<Item = Function<'a>> {
    let imported = image.module.imported.functions;
    (0..).zip(image.sections.functions.iter()).map(move |(position, entry)| Function {
        index: imported + position,
        start: entry.start,
        len: entry.len,
        name: image.sections.symbols.function_name(DefinedFuncIndex(position)),
    })
}

fn print_description(description: &BuildDescription, len: u64) {
    let BuildDescription {
        compiler,
        target,
        cpu_features,
        wasm_features,
        settings,
        collector,
        wasm_sha256,
    } = description;
    let list = |names: &[String]| match names {
        [] => "none".to_owned(),
        names => names.join(" "),
    };
    println!("artifact:      {}", size(len));
    println!("compiler:      precast {compiler}");
    println!("target:        {}", target.triple);
    println!("CPU features:  {}", list(cpu_features));
    println!("proposals:     {}", list(wasm_features));
    println!("collector:     {collector}");
    println!("wasm SHA-256:  {}", hex(wasm_sha256));
    println!(
        "runs here:     {}",
        match description.check_host() {
            Ok(()) => "yes".to_owned(),
            Err(reason) => format!("no: {reason}"),
        }
    );
    println!("settings:");
    for (name, value) in settings {
        println!("  {name} = {value}");
    }
}

fn print_sections(sections: &[(String, u64)]) {
    println!("\nsections:");
    for (name, bytes) in sections {
        println!("  {name:<22} {:>12}", size(*bytes));
    }
}

fn print_interface(module: &Module) {
    println!("\nimports: {}", module.imports.len());
    for import in &module.imports {
        println!("  {}::{}: {}", import.module, import.name, entity(module, &import.ty));
    }
    println!("\nexports: {}", module.exports.len());
    for export in &module.exports {
        println!("  {}: {}", export.name, exported(module, export.item));
    }
}

fn entity(module: &Module, ty: &EntityType) -> String {
    match ty {
        EntityType::Func(index) => function_type(module, *index),
        EntityType::Table(table) => format!("table of {}", table.element),
        EntityType::Memory(_) => "memory".to_owned(),
        EntityType::Global(global) => format!("global {}", global.content),
        EntityType::Tag(index) => format!("tag {}", function_type(module, *index)),
    }
}

fn exported(module: &Module, item: ExportItem) -> String {
    match item {
        ExportItem::Func(_, ty) => function_type(module, ty),
        ExportItem::Table(index) => match module.tables.get(index.as_usize()) {
            Some(table) => format!("table of {}", table.element),
            None => "table".to_owned(),
        },
        ExportItem::Memory(_) => "memory".to_owned(),
        ExportItem::Global(index) => match module.globals.get(index.as_usize()) {
            Some(global) => format!("global {}", global.content),
            None => "global".to_owned(),
        },
        ExportItem::Tag(_) => "tag".to_owned(),
    }
}

fn function_type(module: &Module, index: precast::artifact::index::TypeIndex) -> String {
    match module.types.func(index) {
        Some(ty) => format!("function {ty}"),
        None => "function".to_owned(),
    }
}

fn as_json(image: &Image<'_>, sections: &[(String, u64)], len: u64) -> Value {
    let BuildDescription {
        compiler,
        target,
        cpu_features,
        wasm_features,
        settings,
        collector,
        wasm_sha256,
    } = &image.description;
    let module = &image.module;
    json!({
        "size": len,
        "compiler": compiler,
        "target": target.triple,
        "cpu_features": cpu_features,
        "wasm_features": wasm_features,
        "collector": collector.to_string(),
        "wasm_sha256": hex(wasm_sha256),
        "unfit": image.description.check_host().err().map(|reason| reason.to_string()),
        "settings": settings.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "sections": sections
            .iter()
            .map(|(name, bytes)| json!({ "name": name, "size": bytes }))
            .collect::<Vec<_>>(),
        "imports": module
            .imports
            .iter()
            .map(|import| json!({
                "module": import.module,
                "name": import.name,
                "type": entity(module, &import.ty),
            }))
            .collect::<Vec<_>>(),
        "exports": module
            .exports
            .iter()
            .map(|export| json!({ "name": export.name, "type": exported(module, export.item) }))
            .collect::<Vec<_>>(),
        "functions": functions(image)
            .map(|function| json!({
                "index": function.index,
                "offset": function.start,
                "size": function.len,
                "name": function.name,
            }))
            .collect::<Vec<_>>(),
    })
}
