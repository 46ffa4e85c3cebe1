//! Artifacts of hand-written machine code are loaded in every way and called.
#![cfg(target_arch = "x86_64")]
#![allow(unsafe_code)] // Calls the loaded code.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt as _;

use precast_artifact::container::{self, HEAD_LEN, NoneFits, Part};
use precast_artifact::description::{BuildDescription, Collector, Target, Unfit};
use precast_artifact::image::{ImageError, ImageParts, write};
use precast_artifact::index::TypeIndex;
use precast_artifact::module::Module;
use precast_artifact::section::exceptions::ExceptionTableBuilder;
use precast_artifact::section::functions::FunctionEntry;
use precast_artifact::section::relocations::{LibCall, Relocation, RelocationKind};
use precast_artifact::section::stack_maps::StackMapsBuilder;
use precast_loader::{LoadError, Mapped, PageAligned, Placement, Sealed, StaticArtifact};

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
        collector: Some(Collector::Null),
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
        functions: vec![FunctionEntry {
            start: 0,
            len,
            ty: TypeIndex(0),
            func_ref: None,
            same_as: None,
        }],
        function_names: vec![None],
        trampolines: Vec::new(),
        sites: Vec::new(),
        inline_frames: Vec::new(),
        exceptions: ExceptionTableBuilder::default(),
        stack_maps: StackMapsBuilder::default(),
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

/// The given artifact with features that need one machine, one for another, and one for this.
fn fat() -> Vec<u8> {
    let with = |features: &[&str]| {
        let mut description = description();
        description.cpu_features = features.iter().map(|name| (*name).to_owned()).collect();
        // mov eax, number of features; ret
        let code = [0xb8, features.len() as u8, 0, 0, 0, 0xc3];
        artifact(&description, &code, Vec::new())
    };
    let (none, warp, sse3) = (with(&[]), with(&["sse3", "warp"]), with(&["sse3"]));
    let part = |cpu, artifact| Part { cpu, artifact };
    container::write(&[part("old", &none), part("future", &warp), part("now", &sse3)]).unwrap()
}

#[test]
fn the_best_artifact_of_a_container_is_taken() {
    let bytes = fat();
    let file = file_of(&[&bytes]);
    let padded = file_of(&[&[0; 8192], &bytes]);
    let len = Some(bytes.len() as u64);
    for load in [
        Mapped::from_file(&file, 0, None, Placement::Map).unwrap(),
        Mapped::from_file(&file, 0, None, Placement::Copy).unwrap(),
        Mapped::from_file(&padded, 8192, len, Placement::Map).unwrap(),
        Mapped::from_bytes(&bytes).unwrap(),
    ] {
        let sealed = load.verify().unwrap().relocate(|_| 0).unwrap().seal().unwrap();
        assert_eq!(sealed.contained().unwrap().cpu, "now");
        assert_eq!(call(&sealed), 1);
    }
}

#[test]
fn a_container_without_code_for_this_machine_says_what_it_has_and_what_is_missing() {
    let mut other = description();
    other.cpu_features = vec!["warp".into()];
    let fast = artifact(&other, &[0xc3], Vec::new());
    other.target.architecture = "pdp11".into();
    other.target.triple = "pdp11-unknown-linux".into();
    let foreign = artifact(&other, &[0xc3], Vec::new());
    let parts = [Part { cpu: "v9", artifact: &fast }, Part { cpu: "", artifact: &foreign }];
    let error = Mapped::from_bytes(&container::write(&parts).unwrap()).unwrap_err();
    let LoadError::NoneFits(NoneFits(images)) = &error else { panic!("{error}") };
    assert_eq!(images.len(), 2);
    let message = error.to_string();
    for expected in [
        "x86_64-unknown-linux-gnu v9 needs warp; this CPU lacks it",
        "pdp11-unknown-linux needs a pdp11 machine; this one is x86_64",
    ] {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn an_artifact_that_the_index_does_not_describe_is_refused() {
    let artifact = artifact(&description(), &[0xc3], Vec::new());
    let other = relocated();
    let mut file = container::write(&[Part { cpu: "", artifact: &artifact }]).unwrap();
    file.truncate(HEAD_LEN);
    file.extend_from_slice(&other[..artifact.len().min(other.len())]);
    file.resize(HEAD_LEN + artifact.len(), 0);
    assert!(Mapped::from_bytes(&file).is_err());
    let same_len = {
        let mut other = description();
        other.wasm_sha256 = [1; 32];
        self::artifact(&other, &[0xc3], Vec::new())
    };
    file.truncate(HEAD_LEN);
    file.extend_from_slice(&same_len);
    assert!(matches!(Mapped::from_bytes(&file).unwrap_err(), LoadError::NotTheIndexed));
}

static PROGRAM: StaticArtifact = {
    static PAGES: PageAligned<[u8; 1 << 16]> = PageAligned([0; 1 << 16]);
    StaticArtifact::new(&PAGES)
};

#[test]
fn an_artifact_of_the_program_runs_where_it_lies() {
    assert!(Mapped::from_static(PROGRAM).is_err(), "zeros are no artifact");
    for bytes in [artifact(&description(), &[0xb8, 1, 0, 0, 0, 0xc3], Vec::new()), fat()] {
        let pages: &'static PageAligned<[u8; 1 << 19]> = {
            let mut pages = Box::new(PageAligned([0; 1 << 19]));
            pages.0[..bytes.len()].copy_from_slice(&bytes);
            Box::leak(pages)
        };
        // SAFETY: the pages are wholly a leaked box's, which nobody writes.
        let artifact = unsafe { StaticArtifact::from_pages(&pages.0[..bytes.len()]) };
        for _ in 0..2 {
            let mapped = Mapped::from_static(artifact).unwrap();
            let sealed = mapped.relocate(|_| 0).unwrap().seal().unwrap();
            assert!(pages.0.as_ptr_range().contains(&(sealed.text().start as *const u8)));
            assert_eq!(call(&sealed), 1);
            let source = sealed.image_source().unwrap();
            let mut image = vec![0; 4096];
            let file = File::from(source.file.try_clone_to_owned().unwrap());
            file.read_exact_at(&mut image, source.offset).unwrap();
            assert_eq!(image, [3; 4096]);
        }
    }
}

#[test]
fn an_artifact_of_the_program_that_needs_relocations_is_copied() {
    let bytes = relocated();
    let pages: &'static PageAligned<[u8; 1 << 16]> = {
        let mut pages = Box::new(PageAligned([0; 1 << 16]));
        pages.0[..bytes.len()].copy_from_slice(&bytes);
        Box::leak(pages)
    };
    // SAFETY: as above.
    let artifact = unsafe { StaticArtifact::from_pages(&pages.0[..bytes.len()]) };
    let sealed = Mapped::from_static(artifact).unwrap().relocate(|_| 40).unwrap().seal().unwrap();
    assert!(!pages.0.as_ptr_range().contains(&(sealed.text().start as *const u8)));
    assert_eq!(call(&sealed), 42);
}

#[cfg(feature = "signatures")]
mod signatures {
    use precast_artifact::container::{Container, MAX_SIGNATURES, SecretKey, SignatureError};

    use super::*;

    fn key(number: u8) -> SecretKey {
        SecretKey::from_bytes(&[number; 32])
    }

    fn load(bytes: &[u8], trusted: &[u8]) -> Result<Mapped<precast_loader::Writable>, LoadError> {
        let keys: Vec<_> = trusted.iter().map(|&number| key(number).public()).collect();
        let from_bytes = Mapped::from_signed_bytes(bytes, &keys);
        let from_file = Mapped::from_signed_file(&file_of(&[bytes]), &keys);
        assert_eq!(
            from_bytes.as_ref().err().map(ToString::to_string),
            from_file.as_ref().err().map(ToString::to_string)
        );
        from_file
    }

    #[test]
    fn what_a_trusted_key_signed_is_loaded() {
        let mut bytes = fat();
        Container::sign(&mut bytes, &key(1)).unwrap();
        Container::sign(&mut bytes, &key(2)).unwrap();
        Container::sign(&mut bytes, &key(1)).unwrap();
        for trusted in [&[1][..], &[2], &[3, 2, 1]] {
            let sealed = load(&bytes, trusted).unwrap().relocate(|_| 0).unwrap().seal().unwrap();
            assert_eq!(call(&sealed), 1);
            assert!(sealed.image_source().is_some());
        }
    }

    #[test]
    fn what_nobody_trusted_signed_is_refused() {
        let bytes = fat();
        let missing = |error| matches!(error, LoadError::Signature(SignatureError::Missing));
        assert!(missing(load(&bytes, &[1]).unwrap_err()));
        assert!(missing(load(&relocated(), &[1]).unwrap_err()));
        assert!(matches!(load(b"\0asm", &[1]).unwrap_err(), LoadError::Image(_)));
        let mut signed = bytes.clone();
        Container::sign(&mut signed, &key(1)).unwrap();
        for trusted in [&[][..], &[2]] {
            let error = load(&signed, trusted).unwrap_err();
            let LoadError::Signature(SignatureError::Untrusted(by)) = error else {
                panic!("{error}")
            };
            assert_eq!(by, [key(1).public().to_string()]);
        }
        // The signature of other contents.
        let artifact = artifact(&description(), &[0xc3], Vec::new());
        let mut other = container::write(&[Part { cpu: "now", artifact: &artifact }]).unwrap();
        let signatures = 64..64 + 96 * MAX_SIGNATURES;
        other[12..16].copy_from_slice(&signed[12..16]);
        other[signatures.clone()].copy_from_slice(&signed[signatures]);
        let error = load(&other, &[1]).unwrap_err();
        assert!(matches!(error, LoadError::Signature(SignatureError::Invalid(_))), "{error}");
    }

    /// Bits that belong to nothing: the zeros around parts, and the other parts.
    #[test]
    fn every_flipped_bit_of_what_is_loaded_is_found() {
        let artifact = artifact(&description(), &[0xc3], Vec::new());
        let mut bytes = container::write(&[Part { cpu: "", artifact: &artifact }]).unwrap();
        let index_end = 64
            + 96 * MAX_SIGNATURES
            + u64::from_le_bytes(bytes[16..24].try_into().unwrap()) as usize;
        Container::sign(&mut bytes, &key(1)).unwrap();
        let trusted = [key(1).public()];
        Mapped::from_signed_bytes(&bytes, &trusted).unwrap();
        for at in (0..index_end).chain((HEAD_LEN..bytes.len()).step_by(5)) {
            bytes[at] ^= 1 << (at % 8);
            assert!(Mapped::from_signed_bytes(&bytes, &trusted).is_err(), "flip at {at}");
            bytes[at] ^= 1 << (at % 8);
        }
    }
}
