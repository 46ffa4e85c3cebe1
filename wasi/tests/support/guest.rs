//! What a guest's C library would do: places in memory, structures, short calls.

use super::{Host, Ours, Outcome};
use precast_wasi::WasiCtx;

pub const MEMORY_SIZE: usize = 1 << 16;
/// Where results go.
pub const RESULT: u32 = 64;
/// Where the buffer lists are.
pub const LIST: u32 = 256;
/// Where paths are.
pub const PATH: u32 = 0x1000;
pub const OTHER_PATH: u32 = 0x3000;
/// Where contents are.
pub const DATA: u32 = 0x8000;

pub const ALL_RIGHTS: u64 = (1 << 30) - 1;
pub const FD_READ: u64 = 1 << 1;
pub const FD_WRITE: u64 = 1 << 6;
pub const FOLLOW: u64 = 1;
pub const CREAT: u64 = 1;
pub const DIRECTORY: u64 = 2;
pub const EXCL: u64 = 4;
pub const TRUNC: u64 = 8;

impl Ours {
    pub fn new(ctx: WasiCtx) -> Ours {
        Ours { ctx, memory: vec![0; MEMORY_SIZE] }
    }
}

pub fn put(host: &mut impl Host, at: u32, bytes: &[u8]) -> [u64; 2] {
    host.memory()[at as usize..][..bytes.len()].copy_from_slice(bytes);
    [at.into(), bytes.len() as u64]
}

pub fn get_u32(host: &mut impl Host, at: u32) -> u32 {
    u32::from_le_bytes(host.memory()[at as usize..][..4].try_into().unwrap())
}

pub fn get_u64(host: &mut impl Host, at: u32) -> u64 {
    u64::from_le_bytes(host.memory()[at as usize..][..8].try_into().unwrap())
}

/// Lists buffers of these lengths, one after the other at `DATA`.
pub fn put_list(host: &mut impl Host, lens: &[u32]) -> [u64; 2] {
    let mut at = DATA;
    for (index, len) in lens.iter().enumerate() {
        put(host, LIST + index as u32 * 8, &at.to_le_bytes());
        put(host, LIST + index as u32 * 8 + 4, &len.to_le_bytes());
        at += len;
    }
    [LIST.into(), lens.len() as u64]
}

/// Opens with all rights and says which descriptor, or the errno. Directories cannot
/// be opened for writing.
pub fn open(host: &mut impl Host, dir: u32, path: &str, oflags: u64) -> Result<u32, u16> {
    let without = if oflags & DIRECTORY != 0 { FD_WRITE } else { 0 };
    open_with(host, dir, path, FOLLOW, oflags, ALL_RIGHTS & !without)
}

pub fn open_with(
    host: &mut impl Host,
    dir: u32,
    path: &str,
    follow: u64,
    oflags: u64,
    rights: u64,
) -> Result<u32, u16> {
    let [path, len] = put(host, PATH, path.as_bytes());
    let arguments = [dir.into(), follow, path, len, oflags, rights, ALL_RIGHTS, 0, RESULT.into()];
    match host.call("path_open", &arguments) {
        Outcome::Errno(0) => Ok(get_u32(host, RESULT)),
        Outcome::Errno(errno) => Err(errno),
        other => panic!("{other:?}"),
    }
}

/// Calls a function whose only path comes after a descriptor.
pub fn with_path(host: &mut impl Host, name: &str, dir: u32, path: &str) -> Outcome {
    let [path, len] = put(host, PATH, path.as_bytes());
    host.call(name, &[dir.into(), path, len])
}

/// Calls a function from one path to another.
pub fn with_paths(
    host: &mut impl Host,
    name: &str,
    (dir, path): (u32, &str),
    (other_dir, other): (u32, &str),
) -> Outcome {
    let [path, len] = put(host, PATH, path.as_bytes());
    let [other, other_len] = put(host, OTHER_PATH, other.as_bytes());
    let dir = u64::from(dir);
    let other_dir = u64::from(other_dir);
    match name {
        "path_link" => host.call(name, &[dir, 0, path, len, other_dir, other, other_len]),
        "path_symlink" => host.call(name, &[path, len, other_dir, other, other_len]),
        _ => host.call(name, &[dir, path, len, other_dir, other, other_len]),
    }
}

pub fn write(host: &mut impl Host, fd: u32, bytes: &[u8]) -> Outcome {
    put(host, DATA, bytes);
    let [list, count] = put_list(host, &[bytes.len() as u32]);
    host.call("fd_write", &[fd.into(), list, count, RESULT.into()])
}

pub fn read(host: &mut impl Host, fd: u32, len: u32) -> Result<Vec<u8>, u16> {
    let [list, count] = put_list(host, &[len]);
    match host.call("fd_read", &[fd.into(), list, count, RESULT.into()]) {
        Outcome::Errno(0) => {
            let len = get_u32(host, RESULT) as usize;
            Ok(host.memory()[DATA as usize..][..len].to_vec())
        }
        Outcome::Errno(errno) => Err(errno),
        other => panic!("{other:?}"),
    }
}

/// All entries of a directory, as name and type, sorted, through a buffer of `size`.
pub fn list(host: &mut impl Host, fd: u32, size: u32) -> Result<Vec<(String, u8)>, u16> {
    let mut found = Vec::new();
    let mut cookie = 0;
    loop {
        let arguments = [fd.into(), DATA.into(), size.into(), cookie, RESULT.into()];
        match host.call("fd_readdir", &arguments) {
            Outcome::Errno(0) => {}
            Outcome::Errno(errno) => return Err(errno),
            other => panic!("{other:?}"),
        }
        let used = get_u32(host, RESULT);
        let bytes = host.memory()[DATA as usize..][..used as usize].to_vec();
        let mut rest = &bytes[..];
        while rest.len() >= 24 {
            let len = u32::from_le_bytes(rest[16..20].try_into().unwrap()) as usize;
            let Some(name) = rest[24..].get(..len) else { break };
            found.push((String::from_utf8(name.to_vec()).unwrap(), rest[20]));
            cookie = u64::from_le_bytes(rest[0..8].try_into().unwrap());
            rest = &rest[24 + len..];
        }
        if used < size {
            found.sort();
            return Ok(found);
        }
    }
}
