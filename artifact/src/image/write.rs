//! Lays out the ELF file of an artifact.

use object::Endianness;
use object::elf;
use object::write::StringId;
use object::write::elf::{FileHeader, ProgramHeader, SectionHeader, SectionIndex, Sym, Writer};
use sha2::{Digest, Sha256};

use super::header::{FORMAT_VERSION, Header};
use crate::description::BuildDescription;
use crate::index::FuncIndex;
use crate::module::Module;
use crate::section::exceptions::ExceptionTableBuilder;
use crate::section::functions::FunctionEntry;
use crate::section::inline_frames::InlineFrame;
use crate::section::relocations::Relocation;
use crate::section::sites::{self, Site};
use crate::section::stack_maps::StackMapsBuilder;
use crate::section::{elements, functions, inline_frames, name, relocations};

/// Everything that goes into an artifact.
#[derive(Debug)]
pub struct ImageParts<'a> {
    /// How the artifact says what it is.
    pub description: &'a BuildDescription,
    /// The decoded part.
    pub module: &'a Module,
    /// Linked machine code of all functions and trampolines.
    pub text: Vec<u8>,
    /// The defined functions, in index order; the code of those that have their own ascends.
    pub functions: Vec<FunctionEntry>,
    /// The name of each defined function that has one, in the same order; or none at all, and no
    /// trampolines either, which leaves symbols out.
    pub function_names: Vec<Option<&'a str>>,
    /// The other pieces of code.
    pub trampolines: Vec<Trampoline>,
    /// The instructions that can trap and the calls, ascending.
    pub sites: Vec<Site>,
    /// The calls whose callee became a part of the caller's code; their ranges ascend.
    pub inline_frames: Vec<InlineFrame>,
    /// The exception handlers of calls.
    pub exceptions: ExceptionTableBuilder,
    /// Where frames hold references during calls.
    pub stack_maps: StackMapsBuilder,
    /// The functions of element segments and table images.
    pub elements: Vec<Option<FuncIndex>>,
    /// The bytes of data segments.
    pub data: Vec<u8>,
    /// Pages of memory images.
    pub images: Vec<u8>,
    /// What the loader must patch.
    pub relocations: Vec<Relocation>,
}

/// A piece of code that is no function of the module.
#[derive(Clone, Debug)]
pub struct Trampoline {
    /// Its symbol.
    pub name: String,
    /// Where it begins in the text section, in bytes.
    pub start: u32,
    /// Its length, in bytes.
    pub len: u32,
}

/// A section of the body, and the part of it that ELF wants to know.
struct Section {
    name: &'static str,
    bytes: Vec<u8>,
    align: u64,
    flags: u32,
}

/// Writes an artifact. The same parts give the same bytes.
pub fn write(parts: ImageParts<'_>) -> Vec<u8> {
    let description = postcard::to_allocvec(parts.description)
        .expect("a description of strings and numbers can be encoded");
    let module = postcard::to_allocvec(parts.module)
        .expect("a module of strings and numbers can be encoded");
    let architecture = &parts.description.target.architecture;
    let page = super::page_size(architecture);

    let mut header = Header {
        version: FORMAT_VERSION,
        description_len: u32::try_from(description.len()).expect("a short description"),
        prefix_len: 0,
        file_len: 0,
        body_digest: [0; 32],
        prefix_digest: [0; 32],
    };
    let table = |name, bytes| Section { name, bytes, align: 8, flags: elf::SHF_ALLOC };
    let code_flags = elf::SHF_ALLOC | elf::SHF_EXECINSTR;
    let tables = [
        table(name::FUNCTIONS, functions::encode(&parts.functions)),
        table(name::ELEMENTS, elements::encode(&parts.elements)),
        table(name::RELOCATIONS, relocations::encode(&parts.relocations)),
        table(name::SITES, sites::encode(&parts.sites)),
        table(name::INLINE_FRAMES, inline_frames::encode(&parts.inline_frames)),
        table(name::EXCEPTIONS, parts.exceptions.finish()),
        table(name::STACK_MAPS, parts.stack_maps.finish()),
    ];
    let paged = [
        table(name::DATA, parts.data),
        Section { name: name::TEXT, bytes: parts.text, align: page, flags: code_flags },
        Section { name: name::IMAGES, bytes: parts.images, align: page, flags: elf::SHF_ALLOC },
    ];

    // First pass: reserve, in file order.
    let mut file = Vec::new();
    let mut writer = Writer::new(Endianness::Little, true, &mut file);
    writer.reserve_file_header();
    writer.reserve_program_headers(3);
    let header_name = reserve_section(&mut writer, name::HEADER);
    let module_name = reserve_section(&mut writer, name::MODULE);
    let table_names = tables.each_ref().map(|s| reserve_section(&mut writer, s.name).0);
    writer.reserve_symtab_section_index();
    writer.reserve_strtab_section_index();
    let paged_names = paged.each_ref().map(|s| reserve_section(&mut writer, s.name));
    let text_index = paged_names[1].1;
    writer.reserve_shstrtab_section_index();
    writer.reserve_section_headers();
    writer.reserve_shstrtab();
    let header_at = writer.reserve(Header::SIZE + description.len(), 8);
    let module_at = writer.reserve(module.len(), 8);
    header.prefix_len = writer.reserved_len() as u64;
    let table_at = tables.each_ref().map(|s| writer.reserve(s.bytes.len(), s.align as usize));
    writer.reserve_null_symbol_index();
    let trampoline_names =
        parts.trampolines.iter().map(|trampoline| Some(trampoline.name.as_str()));
    let names = parts.function_names.iter().copied().chain(trampoline_names);
    let symbols: Vec<Option<StringId>> = names
        .map(|name| {
            writer.reserve_symbol_index(Some(text_index));
            name.map(|name| writer.add_string(name.as_bytes()))
        })
        .collect();
    writer.reserve_symtab();
    writer.reserve_strtab();
    let paged_at = paged.each_ref().map(|s| writer.reserve(s.bytes.len(), s.align as usize));
    header.file_len = writer.reserved_len() as u64;
    let (text_at, text_len) = (paged_at[1] as u64, paged[1].bytes.len() as u64);
    let (images_at, images_len) = (paged_at[2] as u64, paged[2].bytes.len() as u64);

    // Second pass: write, in the same order. Addresses are file offsets.
    let file_header = FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_DYN,
        e_machine: machine(architecture),
        e_entry: 0,
        e_flags: 0,
    };
    writer.write_file_header(&file_header).expect("few sections");
    writer.write_align_program_headers();
    for (start, len, flags) in [
        (0, text_at, elf::PF_R),
        (text_at, text_len, elf::PF_R | elf::PF_X),
        (images_at, images_len, elf::PF_R),
    ] {
        writer.write_program_header(&ProgramHeader {
            p_type: elf::PT_LOAD,
            p_flags: flags,
            p_offset: start,
            p_vaddr: start,
            p_paddr: start,
            p_filesz: len,
            p_memsz: len,
            p_align: page,
        });
    }
    writer.write_null_section_header();
    let section_header = |writer: &mut Writer<'_>, name, at: usize, len, align, flags: u32| {
        writer.write_section_header(&SectionHeader {
            name: Some(name),
            sh_type: elf::SHT_PROGBITS,
            sh_flags: flags.into(),
            sh_addr: at as u64,
            sh_offset: at as u64,
            sh_size: len as u64,
            sh_link: 0,
            sh_info: 0,
            sh_addralign: align,
            sh_entsize: 0,
        });
    };
    let header_len = Header::SIZE + description.len();
    section_header(&mut writer, header_name.0, header_at, header_len, 8, elf::SHF_ALLOC);
    section_header(&mut writer, module_name.0, module_at, module.len(), 8, elf::SHF_ALLOC);
    for ((section, name), at) in tables.iter().zip(table_names).zip(table_at) {
        section_header(&mut writer, name, at, section.bytes.len(), section.align, section.flags);
    }
    writer.write_symtab_section_header(symbols.len() as u32 + 1);
    writer.write_strtab_section_header();
    for ((section, (name, _)), at) in paged.iter().zip(paged_names).zip(paged_at) {
        section_header(&mut writer, name, at, section.bytes.len(), section.align, section.flags);
    }
    writer.write_shstrtab_section_header();
    writer.write_shstrtab();
    writer.write_align(8);
    writer.write(&header.encode());
    writer.write(&description);
    writer.write_align(8);
    writer.write(&module);
    for section in &tables {
        writer.write_align(section.align as usize);
        writer.write(&section.bytes);
    }
    writer.write_null_symbol();
    let function_code = parts.functions.iter().map(|entry| (entry.start, entry.len));
    let trampoline_code = parts.trampolines.iter().map(|piece| (piece.start, piece.len));
    for (name, (start, len)) in symbols.into_iter().zip(function_code.chain(trampoline_code)) {
        // A function without code is only a name.
        let is_defined = len != 0;
        writer.write_symbol(&Sym {
            name,
            section: is_defined.then_some(text_index),
            st_info: (elf::STB_LOCAL << 4) | elf::STT_FUNC,
            st_other: 0,
            st_shndx: elf::SHN_UNDEF,
            st_value: if is_defined { text_at + u64::from(start) } else { 0 },
            st_size: len.into(),
        });
    }
    writer.write_strtab();
    for section in &paged {
        writer.write_align(section.align as usize);
        writer.write(&section.bytes);
    }
    drop(paged);
    seal(&mut file, header_at, header);
    file
}

/// Fills in the digests.
fn seal(file: &mut [u8], header_at: usize, mut header: Header) {
    let body = &file[header.prefix_len as usize..];
    header.body_digest = Sha256::digest(body).into();
    file[header_at..header_at + Header::SIZE].copy_from_slice(&header.encode());
    let prefix = &file[..header.prefix_len as usize];
    header.prefix_digest =
        Header::digest_prefix(prefix, header_at).expect("the header lies in the prefix");
    file[header_at..header_at + Header::SIZE].copy_from_slice(&header.encode());
}

fn reserve_section(writer: &mut Writer<'_>, name: &'static str) -> (StringId, SectionIndex) {
    (writer.add_section_name(name.as_bytes()), writer.reserve_section_index())
}

/// The number that ELF has for an architecture.
pub(crate) fn machine(architecture: &str) -> u16 {
    match architecture {
        "x86_64" => elf::EM_X86_64,
        "aarch64" => elf::EM_AARCH64,
        "riscv64" => elf::EM_RISCV,
        _ => elf::EM_NONE,
    }
}
