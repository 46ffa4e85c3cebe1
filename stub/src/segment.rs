//! Where the system has put the program's segment.
#![allow(unsafe_code)] // Memory that the system mapped, and a mark for the linker.

use std::ffi::{c_int, c_void};
use std::ptr;

use libc::{PF_R, PT_LOAD, dl_iterate_phdr, dl_phdr_info};
use precast_artifact::program::{Program, STUB_MARK};
use precast_runtime::StaticArtifact;

/// What `precast compile --emit exe` knows a stub by.
// SAFETY: a section with a name of its own, which nothing else looks at.
#[used]
#[unsafe(link_section = ".precast.stub")]
static MARK: [u8; 16] = STUB_MARK;

/// The segment; `None` when the program is only the stub.
pub(crate) fn find() -> Option<&'static [u8]> {
    let mut found: Option<&'static [u8]> = None;
    // SAFETY: the callback keeps to what it is given, and `found` outlives the call.
    unsafe { dl_iterate_phdr(Some(visit), ptr::from_mut(&mut found).cast()) };
    found
}

/// Looks at the first object, which is the program itself.
extern "C" fn visit(info: *mut dl_phdr_info, _: usize, found: *mut c_void) -> c_int {
    // SAFETY: the C library gives a description of the program, whose headers stay as long as that
    // runs; `found` is what `find` handed over.
    let (info, found) = unsafe { (&*info, &mut *found.cast::<Option<&'static [u8]>>()) };
    // SAFETY: as above.
    let headers =
        unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    *found = headers
        .iter()
        .rev()
        .filter(|header| header.p_type == PT_LOAD && header.p_flags == PF_R)
        .map(|header| {
            let start = info.dlpi_addr.wrapping_add(header.p_vaddr) as usize;
            // SAFETY: the system has mapped the segment there, read-only, for as long as the
            // program runs.
            unsafe {
                std::slice::from_raw_parts(
                    ptr::with_exposed_provenance(start),
                    header.p_memsz as usize,
                )
            }
        })
        .find(|segment| Program::looks_like_program(segment));
    1
}

/// A part of the segment as an artifact.
pub(crate) fn artifact(bytes: &'static [u8]) -> StaticArtifact {
    // SAFETY: the artifact begins at a page of the segment and reaches to its end, behind which
    // nothing is on the last page; nobody writes there, and it stays mapped.
    unsafe { StaticArtifact::from_pages(bytes) }
}
