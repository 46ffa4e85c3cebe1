//! The programs that are compiled and run.

/// A program with a run of about half a second.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name in the tables and for `--program`.
    pub name: &'static str,
    /// The module's name, and that of its native build.
    pub module: &'static str,
    /// Its arguments.
    pub arguments: &'static [&'static str],
    /// The folder in which it runs.
    pub folder: Folder,
}

/// The folder that a program gets as `.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// None.
    None,
    /// The one with the suite's files.
    Suite,
    /// One in memory, new for each run.
    Scratch,
}

/// The programs that run, in the order of the tables.
pub const PROGRAMS: &[Program] = &[
    program("list-crc-matrix", "list-crc-matrix", &[]),
    program("gemm", "kernels", &["gemm"]),
    program("jacobi", "kernels", &["jacobi"]),
    program("seidel", "kernels", &["seidel"]),
    program("floyd-warshall", "kernels", &["floyd-warshall"]),
    program("lu", "kernels", &["lu"]),
    Program { folder: Folder::Suite, ..program("lua", "lua", &["script.lua"]) },
    program("sqlite-memory", "speedtest1", &["--memdb", "--size", "15"]),
    Program {
        folder: Folder::Scratch,
        ..program("sqlite-file", "speedtest1", &["--size", "15", "test.db"])
    },
    program("zstd", "zstd", &[]),
    program("bzip2", "bzip2", &[]),
    program("regex", "regex", &[]),
    program("virtual", "virtual", &[]),
    program("simd", "simd", &[]),
];

/// The modules that are only compiled: their size is the point.
pub const LARGE: &[&str] = &["resvg", "esbuild", "ruby", "yosys"];

const fn program(
    name: &'static str,
    module: &'static str,
    arguments: &'static [&'static str],
) -> Program {
    Program { name, module, arguments, folder: Folder::None }
}
