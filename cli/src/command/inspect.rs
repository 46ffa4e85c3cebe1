//! `precast inspect`: shows what an artifact is.

use std::path::PathBuf;

use clap::Args;
use precast::artifact::container::{ContainedImage, Container};
use precast::artifact::description::BuildDescription;
use precast::artifact::image::Image;
use precast::artifact::index::DefinedFuncIndex;
use precast::artifact::module::{ExportItem, Module};
use precast::artifact::types::EntityType;
use precast::{Collector, Error, Result, SignatureError};
use serde_json::{Value, json};

use crate::context::Context;
use crate::keys::TrustArgs;
use crate::output::{hex, print_json, print_line, size};

/// Show what an artifact is, what it needs, and what it holds.
///
/// Nothing of the artifact is run, and artifacts for other machines can be inspected too. Of a file
/// with several artifacts, all are listed and the one is shown that this machine takes.
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

    #[command(flatten)]
    trust: TrustArgs,
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
        if Container::looks_like_container(&bytes) {
            self.container(&bytes)
        } else if !self.trust.trusted.is_empty() {
            Err(SignatureError::Missing.into())
        } else if self.json {
            Inspected::new(&bytes).and_then(|artifact| print_json(&artifact.as_json()))
        } else {
            Inspected::new(&bytes).map(|artifact| self.print(&artifact))
        }
        .context(|| format!("cannot inspect `{path}`"))
    }

    fn container(&self, bytes: &[u8]) -> Result<()> {
        let container = Container::parse(bytes, bytes.len() as u64)?;
        let vouched = match self.trust.trusted.as_slice() {
            [] => None,
            trusted => Some(container.verify(trusted)?),
        };
        let taken = container.best().ok();
        // The container was checked to hold what its index says.
        let artifact =
            |image: &ContainedImage| &bytes[image.offset as usize..][..image.len as usize];
        if self.json {
            let artifacts = container.images().iter().map(|image| {
                let mut json = Inspected::new(artifact(image))?.as_json();
                json["cpu"] = json!(image.cpu);
                json["taken"] = json!(taken == Some(image));
                Ok(json)
            });
            return print_json(&json!({
                "size": container.len(),
                "signed_by": container.signed_by(),
                "vouched_by": vouched.map(|key| key.to_string()),
                "artifacts": artifacts.collect::<Result<Vec<_>>>()?,
            }));
        }
        print_line!("container:     {} in {}", container.images().len(), size(container.len()));
        match (vouched, container.signed_by().as_slice()) {
            (Some(key), _) => print_line!("signed by:     {key}, which is trusted"),
            (None, []) => print_line!("signed by:     nobody"),
            (None, keys) => {
                print_line!("signed by:     {} (--trust-key checks it)", keys.join(" "))
            }
        }
        for image in container.images() {
            let note = match image.target.check_host(&image.cpu_features) {
                _ if taken == Some(image) => "this machine takes it".to_owned(),
                Ok(()) => "runs here, too".to_owned(),
                Err(reason) => reason.to_string(),
            };
            print_line!("  {:<40} {:>12}  {note}", image.to_string(), size(image.len));
        }
        print_line!("");
        let shown = taken.unwrap_or(&container.images()[0]);
        self.print(&Inspected::new(artifact(shown))?);
        Ok(())
    }

    fn print(&self, artifact: &Inspected<'_>) {
        let Inspected { image, sections, len } = artifact;
        print_description(&image.description, *len);
        print_sections(sections);
        print_interface(&image.module);
        print_line!("\nfunctions: {}", image.module.defined_functions);
        if self.functions {
            for function in functions(image) {
                let name = function.name.unwrap_or("-");
                print_line!(
                    "  {:>6}  {:#10x}  {:>8}  {name}",
                    function.index,
                    function.start,
                    function.len
                );
            }
        }
    }
}

/// An artifact that was taken apart.
struct Inspected<'a> {
    image: Image<'a>,
    /// Name and size in bytes.
    sections: Vec<(String, u64)>,
    len: u64,
}

impl<'a> Inspected<'a> {
    fn new(bytes: &'a [u8]) -> Result<Inspected<'a>> {
        let (image, sections) = (Image::parse(bytes)?, Image::section_sizes(bytes)?);
        Ok(Inspected { image, sections, len: bytes.len() as u64 })
    }

    fn as_json(&self) -> Value {
        as_json(&self.image, &self.sections, self.len)
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
    print_line!("artifact:      {}", size(len));
    print_line!("compiler:      precast {compiler}");
    print_line!("target:        {}", target.triple);
    print_line!("CPU features:  {}", list(cpu_features));
    print_line!("proposals:     {}", list(wasm_features));
    print_line!("collector:     {}", collector.map_or("any", Collector::name));
    print_line!("wasm SHA-256:  {}", hex(wasm_sha256));
    print_line!(
        "runs here:     {}",
        match description.check_host() {
            Ok(()) => "yes".to_owned(),
            Err(reason) => format!("no: {reason}"),
        }
    );
    print_line!("settings:");
    for (name, value) in settings {
        print_line!("  {name} = {value}");
    }
}

fn print_sections(sections: &[(String, u64)]) {
    print_line!("\nsections:");
    for (name, bytes) in sections {
        print_line!("  {name:<22} {:>12}", size(*bytes));
    }
}

fn print_interface(module: &Module) {
    print_line!("\nimports: {}", module.imports.len());
    for import in &module.imports {
        print_line!("  {}::{}: {}", import.module, import.name, entity(module, &import.ty));
    }
    print_line!("\nexports: {}", module.exports.len());
    for export in &module.exports {
        print_line!("  {}: {}", export.name, exported(module, export.item));
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
        "collector": collector.map(Collector::name),
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
