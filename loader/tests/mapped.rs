//! Artifacts of hand-written machine code are loaded in every way and called.
#![cfg(target_arch = "x86_64")]
#![allow(unsafe_code)] // Calls the loaded code.

use std::fs::File;
use std::io::Write;

use precast_artifact::description::{BuildDescription, Collector, Target, Unfit};
use precast_artifact::image::{ImageError, ImageParts, write};
use precast_artifact::index::TypeIndex;
use precast_artifact::module::Module;
use precast_artifact::section::exceptions::ExceptionTableBuilder;
use precast_artifact::section::functions::FunctionEntry;
use precast_artifact::section::relocations::{LibCall, Relocation, RelocationKind};
use precast_loader::{LoadError, Mapped, Placement, Sealed};

fn description() -> BuildDescription {
    BuildDescription {
        compiler: "0".into(),
        target: Target {
            triple: "x86_64-unknown-linux-gnu".into(),
            architecture: "x86_64".into(),
            system: std::env::consts::OS.into(),
        },
        cpu_features: Vec::new(),
        wasm_features: Vec::new(),
        settings: Vec::new(),
        collector: Collector::Null,
        wasm_sha256: [0; 32],
    }
}

/// `movabs rax, <relocated>; ret`.
const RETURN_CONSTANT: &[u8] = &[0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xc3];

fn artifact(description: &BuildDescription, text: &[u8], relocations: Vec<Relocation>) -> Vec<u8> {
    let len = text.len() as u32;
    write(ImageParts {
        description,
        module: &Module { defined_functions: 1, ..Module::default() },
        text: text.to_vec(),
        functions: vec![FunctionEntry { start: 0, len, ty: TypeIndex(0), func_ref: None }],
        function_names: vec![None],
        trampolines: Vec::new(),
        traps: Vec::new(),
        addresses: Vec::new(),
        exceptions: ExceptionTableBuilder::default(),
        elements: Vec::new(),
        data: Vec::new(),
        images: vec![3; 4096],
        relocations,
    })
}

fn relocated() -> Vec<u8> {
    let relocation = Relocation {
        offset: 2,
        kind: RelocationKind::Absolute64,
        target: LibCall::CeilF64,
        addend: 2,
    };
    artifact(&description(), RETURN_CONSTANT, vec![relocation])
}

fn file_of(bytes: &[&[u8]]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    for part in bytes {
        file.write_all(part).unwrap();
    }
    file
}

fn call(mapped: &Mapped<Sealed>) -> usize {
    // SAFETY: the code is one of the constants above: no parameters, returns in rax.
    let code: extern "C" fn() -> usize = unsafe { std::mem::transmute(mapped.text().start) };
    code()
}

#[test]
fn code_runs_from_a_file_from_bytes_and_from_a_copy() {
    let bytes = relocated();
    let file = file_of(&[&bytes]);
    let padded = file_of(&[&[0; 8192], &bytes, &[1; 10]]);
    let odd = file_of(&[&[0; 100], &bytes]);
    let len = Some(bytes.len() as u64);
    let loads = [
        (true, Mapped::from_file(&file, 0, None, Placement::Map).unwrap()),
        (false, Mapped::from_file(&file, 0, None, Placement::Copy).unwrap()),
        (true, Mapped::from_file(&padded, 8192, len, Placement::Map).unwrap()),
        (false, Mapped::from_file(&odd, 100, None, Placement::Map).unwrap()),
        (true, Mapped::from_bytes(&bytes).unwrap()),
    ];
    for (mapped_from_file, load) in loads {
        let sealed = load.verify().unwrap().relocate(|_| 40).unwrap().seal().unwrap();
        assert_eq!(call(&sealed), 42);
        assert_eq!(sealed.image_source().is_some(), mapped_from_file);
        assert_eq!(sealed.sections().images.bytes, [3; 4096]);
    }
}

#[test]
fn no_page_is_writable_and_executable() {
    let bytes = relocated();
    for load in [Mapped::from_bytes(&bytes).unwrap(), {
        Mapped::from_file(&file_of(&[&bytes]), 0, None, Placement::Copy).unwrap()
    }] {
        let sealed = load.relocate(|_| 0).unwrap().seal().unwrap();
        let start = sealed.bytes().as_ptr() as usize;
        let artifact = start..start + sealed.bytes().len();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut seen = 0;
        for line in maps.lines() {
            let (addresses, rest) = line.split_once(' ').unwrap();
            let begin = usize::from_str_radix(addresses.split_once('-').unwrap().0, 16).unwrap();
            if artifact.contains(&begin) {
                seen += 1;
                assert_eq!(rest.as_bytes()[1], b'-', "{line} is writable");
                assert_eq!(rest.as_bytes()[2] == b'x', begin == sealed.text().start, "{line}");
            }
        }
        assert_eq!(seen, 3, "header, code and images have pages of their own");
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let mut other = description();
    other.cpu_features = vec!["avx1024".into()];
    let error = Mapped::from_bytes(&artifact(&other, &[0xc3], Vec::new())).unwrap_err();
    assert!(
        matches!(&error, LoadError::Unfit(Unfit::CpuFeatures(missing)) if missing == &["avx1024"])
    );
    assert!(error.to_string().contains("needs avx1024; this CPU lacks it"), "{error}");

    let file = file_of(&[&relocated()]);
    let range = Mapped::from_file(&file, 1 << 40, None, Placement::Map).unwrap_err();
    assert!(matches!(range, LoadError::Range { .. }));
    let empty = Mapped::from_file(&file_of(&[]), 0, None, Placement::Map).unwrap_err();
    assert!(matches!(empty, LoadError::Range { .. }));
    let other = Mapped::from_bytes(b"\0asm").unwrap_err();
    assert!(matches!(other, LoadError::Image(ImageError::NotAnArtifact)));
}

#[test]
fn damage_in_the_body_is_found_by_verify() {
    let mut bytes = relocated();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let mapped = Mapped::from_bytes(&bytes).unwrap();
    let error = mapped.verify().unwrap_err();
    assert!(matches!(error, LoadError::Image(ImageError::BodyDigest)));
}

#[test]
fn a_bad_relocation_is_an_error() {
    let outside = Relocation {
        offset: 4,
        kind: RelocationKind::Absolute64,
        target: LibCall::CeilF64,
        addend: 0,
    };
    let mapped = Mapped::from_bytes(&artifact(&description(), RETURN_CONSTANT, vec![outside]));
    let error = mapped.unwrap().relocate(|_| 0).unwrap_err();
    assert!(matches!(error, LoadError::Relocation(_)), "{error}");
}
