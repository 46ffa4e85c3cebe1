//! Artifacts round-trip, and damage to them is found.

use precast_artifact::description::{BuildDescription, Collector, Target};
use precast_artifact::image::{Image, ImageError, ImageParts, Trampoline, write};
use precast_artifact::index::{DefinedFuncIndex, FuncIndex, FuncRefIndex, TagIndex, TypeIndex};
use precast_artifact::module::{ElementRange, Module};
use precast_artifact::section::exceptions::{Catch, ExceptionTableBuilder, Frame, Handler};
use precast_artifact::section::functions::FunctionEntry;
use precast_artifact::section::relocations::{LibCall, Relocation, RelocationKind};
use precast_artifact::section::sites::Site;
use precast_artifact::section::stack_maps::StackMapsBuilder;
use precast_artifact::trap::Trap;

fn description() -> BuildDescription {
    BuildDescription {
        compiler: "0.1.0".into(),
        target: Target {
            triple: "x86_64-unknown-linux-gnu".into(),
            architecture: "x86_64".into(),
            system: "linux".into(),
        },
        cpu_features: vec!["sse3".into()],
        wasm_features: vec!["multi-value".into()],
        settings: vec![("opt_level".into(), "speed".into())],
        collector: Some(Collector::Null),
        wasm_sha256: [5; 32],
    }
}

fn exceptions() -> ExceptionTableBuilder {
    let handler = Handler { catch: Catch { tag: Some(TagIndex(0)), reference: false }, offset: 28 };
    let mut exceptions = ExceptionTableBuilder::default();
    exceptions.push(24, Frame { size: 32, vmctx: Some(8) }, [handler].into_iter());
    exceptions
}

fn artifact() -> Vec<u8> {
    let module = Module { name: Some("test".into()), defined_functions: 2, ..Module::default() };
    let entry = |start, slot: Option<u32>| FunctionEntry {
        start,
        len: 16,
        ty: TypeIndex(0),
        func_ref: slot.map(FuncRefIndex),
        same_as: None,
    };
    write(ImageParts {
        description: &description(),
        module: &module,
        text: (0..48).collect(),
        functions: vec![entry(0, None), entry(16, Some(0))],
        function_names: vec![Some("first"), None],
        trampolines: vec![Trampoline { name: "entry".into(), start: 32, len: 16 }],
        sites: vec![
            Site { code: 3, wasm: 100, trap: Some(Trap::Unreachable) },
            Site { code: 20, wasm: 200, trap: Some(Trap::IntegerOverflow) },
        ],
        inline_frames: Vec::new(),
        exceptions: exceptions(),
        stack_maps: StackMapsBuilder::default(),
        elements: vec![Some(FuncIndex(1)), None],
        data: vec![9; 10],
        images: vec![7; 4096],
        relocations: vec![Relocation {
            offset: 8,
            kind: RelocationKind::Absolute64,
            target: LibCall::CeilF32,
            addend: 0,
        }],
    })
}

#[test]
fn everything_is_found_again() {
    let bytes = artifact();
    let image = Image::parse(&bytes).unwrap();
    Image::verify(&bytes).unwrap();
    assert_eq!(image.description, description());
    assert_eq!(image.module.name.as_deref(), Some("test"));
    let sections = image.sections;
    assert_eq!(sections.text.bytes, (0..48).collect::<Vec<u8>>());
    assert_eq!(sections.text.offset % 4096, 0);
    assert_eq!(sections.images.offset % 4096, 0);
    assert_eq!(sections.images.bytes, [7; 4096]);
    assert_eq!(sections.data, [9; 10]);
    assert_eq!(sections.functions.find(20).unwrap().0, DefinedFuncIndex(1));
    let site = Site { code: 20, wasm: 200, trap: Some(Trap::IntegerOverflow) };
    assert_eq!(sections.sites.get(20), Some(site));
    assert_eq!(sections.elements.get(ElementRange { start: 0, len: 2 }, 0), Some(FuncIndex(1)));
    let call = sections.exceptions.find(24).unwrap();
    assert_eq!(call.frame, Frame { size: 32, vmctx: Some(8) });
    assert_eq!(call.handlers().next().unwrap().offset, 28);
    assert!(sections.exceptions.find(25).is_none());
    assert_eq!(sections.symbols.function_name(DefinedFuncIndex(0)), Some("first"));
    assert_eq!(sections.symbols.function_name(DefinedFuncIndex(1)), None);
    assert_eq!(sections.symbols.iter().nth(2).unwrap().0, Some("entry"));
    assert_eq!(sections.relocations.len(), 24);
    assert_eq!(bytes, artifact(), "the same parts give the same bytes");
}

#[test]
fn every_truncation_is_refused() {
    let bytes = artifact();
    for len in 0..bytes.len() {
        assert!(Image::parse(&bytes[..len]).is_err(), "cut to {len} bytes");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(matches!(Image::parse(&longer), Err(ImageError::Length { .. })));
}

#[test]
fn every_flipped_bit_is_found() {
    let bytes = artifact();
    // The body begins behind the decoded part; the first table there is aligned to 8 bytes.
    let prefix = (1..bytes.len())
        .take_while(|&at| {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            Image::parse(&damaged).is_err()
        })
        .count();
    assert!(prefix > 1000, "headers and decoded part are checked by every load: {prefix}");
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(Image::verify(&damaged).is_err(), "flip at {at}");
    }
}

#[test]
fn other_files_are_told_apart() {
    assert_eq!(Image::parse(b"\0asm\x01\0\0\0").unwrap_err(), ImageError::NotAnArtifact);
    let executable = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(Image::parse(&executable).unwrap_err(), ImageError::NotAnArtifact);
}
