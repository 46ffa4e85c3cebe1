//! Containers round-trip, and damage to them is found.

use precast_artifact::container::{self, Container, ContainerError, HEAD_LEN, Part};
use precast_artifact::description::{BuildDescription, Collector, Target};
use precast_artifact::image::{ImageParts, write};
use precast_artifact::module::Module;
use precast_artifact::section::exceptions::ExceptionTableBuilder;
use precast_artifact::section::stack_maps::StackMapsBuilder;
use proptest::prelude::*;

fn artifact(feature: &str) -> Vec<u8> {
    let description = BuildDescription {
        compiler: "0.1.0".into(),
        target: Target {
            triple: "x86_64-unknown-linux-gnu".into(),
            architecture: "x86_64".into(),
            system: "linux".into(),
        },
        cpu_features: vec![feature.into()],
        wasm_features: Vec::new(),
        settings: Vec::new(),
        collector: Some(Collector::Null),
        wasm_sha256: [5; 32],
    };
    write(ImageParts {
        description: &description,
        module: &Module::default(),
        text: vec![0xc3; 5000],
        functions: Vec::new(),
        function_names: Vec::new(),
        trampolines: Vec::new(),
        sites: Vec::new(),
        inline_frames: Vec::new(),
        exceptions: ExceptionTableBuilder::default(),
        stack_maps: StackMapsBuilder::default(),
        elements: Vec::new(),
        data: Vec::new(),
        images: Vec::new(),
        relocations: Vec::new(),
    })
}

fn parse(bytes: &[u8]) -> Result<Container, ContainerError> {
    Container::parse(bytes, bytes.len() as u64)
}

#[test]
fn artifacts_are_found_again_where_they_can_be_mapped() {
    let artifacts = [artifact("sse3"), artifact("avx"), artifact("avx2")];
    let parts = artifacts.each_ref().map(|artifact| Part { cpu: "a name", artifact });
    let bytes = container::write(&parts).unwrap();
    assert!(Container::looks_like_container(&bytes));
    let container = parse(&bytes).unwrap();
    assert_eq!(container.images().len(), 3);
    for (image, artifact) in container.images().iter().zip(&artifacts) {
        assert_eq!(image.offset % (64 << 10), 0);
        let (start, len) = (image.offset as usize, image.len as usize);
        assert!(bytes[start..start + len] == *artifact);
        assert_eq!(image.to_string(), "x86_64-unknown-linux-gnu a name");
    }
    assert_eq!(bytes, container::write(&parts).unwrap(), "the same parts give the same bytes");
}

#[test]
fn what_makes_no_container_is_refused() {
    let bytes = artifact("sse3");
    let part = Part { cpu: "", artifact: &bytes };
    assert!(matches!(container::write(&[part, part]), Err(ContainerError::Duplicate { .. })));
    assert!(matches!(container::write(&[]), Err(ContainerError::Index(_))));
    let wasm = Part { cpu: "", artifact: b"\0asm\x01\0\0\0" };
    assert!(matches!(container::write(&[wasm]), Err(ContainerError::Image(_))));
    let names: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let artifacts: Vec<_> = names.iter().map(|name| artifact(name)).collect();
    let parts: Vec<_> = artifacts.iter().map(|artifact| Part { cpu: "", artifact }).collect();
    assert_eq!(container::write(&parts), Err(ContainerError::Full("artifacts")));
    assert_eq!(parse(&bytes).unwrap_err(), ContainerError::NotAContainer);
}

#[test]
fn every_truncation_and_every_flipped_bit_of_the_head_is_found() {
    let artifact = artifact("sse3");
    let mut bytes = container::write(&[Part { cpu: "", artifact: &artifact }]).unwrap();
    for len in (0..1100).chain((1100..bytes.len()).step_by(509)) {
        assert!(parse(&bytes[..len]).is_err(), "cut to {len} bytes");
    }
    let index_end = 832 + u64::from_le_bytes(bytes[16..24].try_into().unwrap()) as usize;
    for at in 0..index_end {
        bytes[at] ^= 0x10;
        assert!(parse(&bytes).is_err(), "flip at {at}");
        bytes[at] ^= 0x10;
    }
    bytes.push(0);
    assert!(matches!(parse(&bytes), Err(ContainerError::Length { .. })));
}

proptest! {
    /// Whatever an index with a right digest says, what is accepted lies in the file.
    #[test]
    fn any_index_can_be_read(index in prop::collection::vec(any::<u8>(), 0..300), len in 0u64..1 << 20) {
        use sha2::Digest as _;
        let mut bytes = vec![0; HEAD_LEN];
        bytes[..8].copy_from_slice(b"precast+");
        bytes[8] = 1;
        bytes[16..24].copy_from_slice(&(index.len() as u64).to_le_bytes());
        bytes[24..32].copy_from_slice(&len.to_le_bytes());
        bytes[32..64].copy_from_slice(&sha2::Sha256::digest(&index));
        bytes[832..832 + index.len()].copy_from_slice(&index);
        if let Ok(container) = Container::parse(&bytes, len) {
            for image in container.images() {
                prop_assert!(image.offset >= HEAD_LEN as u64 && image.offset + image.len <= len);
            }
        }
    }
}
