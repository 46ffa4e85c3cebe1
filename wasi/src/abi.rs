//! Numbers and layouts of the WASI preview 1 interface, from its witx files.
//!
//! Structures are written field by field into byte arrays, so that neither the
//! alignment nor the byte order of the host matters.

use crate::Errno;

/// Declares a flag type whose unknown bits are refused with [`Errno::Inval`].
macro_rules! flags {
    ($(#[$meta:meta])* $vis:vis struct $name:ident: $repr:ty { $($(#[$doc:ident $($text:tt)*])* const $flag:ident = $bit:literal;)* }) => {
        bitflags::bitflags! {
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            $vis struct $name: $repr { $($(#[$doc $($text)*])* const $flag = 1 << $bit;)* }
        }

        impl $name {
            #[allow(dead_code, clippy::allow_attributes)] // Not every flag type comes from the guest.
            pub(crate) fn parse<N: TryInto<$repr>>(bits: N) -> Result<Self, Errno> {
                bits.try_into().ok().and_then(Self::from_bits).ok_or(Errno::Inval)
            }
        }
    };
}

/// Declares an enumeration whose unknown values are refused with [`Errno::Inval`].
macro_rules! enumeration {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $value:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name { $($(#[$doc])* $variant = $value,)* }

        impl $name {
            #[allow(dead_code, clippy::allow_attributes)] // Some only go to the guest.
            pub(crate) fn parse(value: u32) -> Result<Self, Errno> {
                match value {
                    $($value => Ok($name::$variant),)*
                    _ => Err(Errno::Inval),
                }
            }
        }
    };
}

flags! {
    /// What a descriptor may be used for.
    pub struct Rights: u64 {
        /// `fd_datasync`.
        const FD_DATASYNC = 0;
        /// `fd_read`, `sock_recv`, and with `FD_SEEK` also `fd_pread`.
        const FD_READ = 1;
        /// `fd_seek`; implies `FD_TELL`.
        const FD_SEEK = 2;
        /// `fd_fdstat_set_flags`.
        const FD_FDSTAT_SET_FLAGS = 3;
        /// `fd_sync`.
        const FD_SYNC = 4;
        /// `fd_tell`, and `fd_seek` where it does not move.
        const FD_TELL = 5;
        /// `fd_write`, `sock_send`, and with `FD_SEEK` also `fd_pwrite`.
        const FD_WRITE = 6;
        /// `fd_advise`.
        const FD_ADVISE = 7;
        /// `fd_allocate`.
        const FD_ALLOCATE = 8;
        /// `path_create_directory`.
        const PATH_CREATE_DIRECTORY = 9;
        /// `path_open` with the flag that creates files.
        const PATH_CREATE_FILE = 10;
        /// `path_link` from this directory.
        const PATH_LINK_SOURCE = 11;
        /// `path_link` to this directory.
        const PATH_LINK_TARGET = 12;
        /// `path_open`.
        const PATH_OPEN = 13;
        /// `fd_readdir`.
        const FD_READDIR = 14;
        /// `path_readlink`.
        const PATH_READLINK = 15;
        /// `path_rename` from this directory.
        const PATH_RENAME_SOURCE = 16;
        /// `path_rename` to this directory.
        const PATH_RENAME_TARGET = 17;
        /// `path_filestat_get`.
        const PATH_FILESTAT_GET = 18;
        /// `path_open` with the flag that truncates files.
        const PATH_FILESTAT_SET_SIZE = 19;
        /// `path_filestat_set_times`.
        const PATH_FILESTAT_SET_TIMES = 20;
        /// `fd_filestat_get`.
        const FD_FILESTAT_GET = 21;
        /// `fd_filestat_set_size`.
        const FD_FILESTAT_SET_SIZE = 22;
        /// `fd_filestat_set_times`.
        const FD_FILESTAT_SET_TIMES = 23;
        /// `path_symlink`.
        const PATH_SYMLINK = 24;
        /// `path_remove_directory`.
        const PATH_REMOVE_DIRECTORY = 25;
        /// `path_unlink_file`.
        const PATH_UNLINK_FILE = 26;
        /// Subscriptions to this descriptor in `poll_oneoff`.
        const POLL_FD_READWRITE = 27;
        /// `sock_shutdown`.
        const SOCK_SHUTDOWN = 28;
        /// `sock_accept`.
        const SOCK_ACCEPT = 29;
    }
}

flags! {
    /// Flags of an open descriptor.
    pub(crate) struct FdFlags: u16 {
        const APPEND = 0;
        const DSYNC = 1;
        const NONBLOCK = 2;
        const RSYNC = 3;
        const SYNC = 4;
    }
}

flags! {
    /// How `path_open` opens.
    pub(crate) struct OpenFlags: u16 {
        const CREAT = 0;
        const DIRECTORY = 1;
        const EXCL = 2;
        const TRUNC = 3;
    }
}

flags! {
    /// How paths are looked up.
    pub(crate) struct LookupFlags: u32 {
        const SYMLINK_FOLLOW = 0;
    }
}

flags! {
    /// Which times a call sets.
    pub(crate) struct TimeFlags: u16 {
        const ATIM = 0;
        const ATIM_NOW = 1;
        const MTIM = 2;
        const MTIM_NOW = 3;
    }
}

flags! {
    /// How `sock_recv` receives.
    pub(crate) struct ReceiveFlags: u16 {
        const PEEK = 0;
        const WAITALL = 1;
    }
}

flags! {
    /// Which directions `sock_shutdown` ends.
    pub(crate) struct ShutdownFlags: u8 {
        const RD = 0;
        const WR = 1;
    }
}

enumeration! {
    /// What a descriptor or directory entry is.
    pub(crate) enum FileType {
        Unknown = 0,
        BlockDevice = 1,
        CharacterDevice = 2,
        Directory = 3,
        RegularFile = 4,
        SocketDgram = 5,
        SocketStream = 6,
        SymbolicLink = 7,
    }
}

enumeration! {
    /// What `fd_seek` counts from.
    pub(crate) enum Whence {
        Set = 0,
        Current = 1,
        End = 2,
    }
}

enumeration! {
    /// The access pattern that `fd_advise` announces.
    pub(crate) enum Advice {
        Normal = 0,
        Sequential = 1,
        Random = 2,
        WillNeed = 3,
        DontNeed = 4,
        NoReuse = 5,
    }
}

enumeration! {
    /// The clocks.
    pub(crate) enum ClockId {
        Realtime = 0,
        Monotonic = 1,
        ProcessCpuTime = 2,
        ThreadCpuTime = 3,
    }
}

/// Which edition of the interface a call came through: three structures differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edition {
    /// `wasi_unstable`.
    Unstable,
    /// `wasi_snapshot_preview1`.
    Preview1,
}

impl From<rustix::fs::FileType> for FileType {
    fn from(host: rustix::fs::FileType) -> FileType {
        use rustix::fs::FileType as Host;
        match host {
            Host::RegularFile => FileType::RegularFile,
            Host::Directory => FileType::Directory,
            Host::Symlink => FileType::SymbolicLink,
            Host::BlockDevice => FileType::BlockDevice,
            Host::CharacterDevice => FileType::CharacterDevice,
            Host::Socket => FileType::SocketStream,
            Host::Fifo | Host::Unknown => FileType::Unknown,
        }
    }
}

/// The attributes of a descriptor, `fdstat`.
pub(crate) struct FdStat {
    pub(crate) filetype: FileType,
    pub(crate) flags: FdFlags,
    pub(crate) base: Rights,
    pub(crate) inheriting: Rights,
}

impl FdStat {
    pub(crate) const SIZE: usize = 24;

    pub(crate) fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[0] = self.filetype as u8;
        bytes[2..4].copy_from_slice(&self.flags.bits().to_le_bytes());
        bytes[8..16].copy_from_slice(&self.base.bits().to_le_bytes());
        bytes[16..24].copy_from_slice(&self.inheriting.bits().to_le_bytes());
        bytes
    }
}

/// The attributes of a file, `filestat`. Times are nanoseconds since 1970.
pub(crate) struct FileStat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) filetype: FileType,
    pub(crate) nlink: u64,
    pub(crate) size: u64,
    pub(crate) atim: u64,
    pub(crate) mtim: u64,
    pub(crate) ctim: u64,
}

impl FileStat {
    /// What is told about something that is no file, such as a pipe.
    pub(crate) fn of_type(filetype: FileType) -> FileStat {
        FileStat { dev: 0, ino: 0, filetype, nlink: 0, size: 0, atim: 0, mtim: 0, ctim: 0 }
    }

    /// How many bytes [`to_bytes`](Self::to_bytes) fills.
    pub(crate) fn size_in(edition: Edition) -> usize {
        match edition {
            Edition::Unstable => 56,
            Edition::Preview1 => 64,
        }
    }

    pub(crate) fn to_bytes(&self, edition: Edition) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0..8].copy_from_slice(&self.dev.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.ino.to_le_bytes());
        bytes[16] = self.filetype as u8;
        let rest = match edition {
            Edition::Unstable => {
                let nlink = u32::try_from(self.nlink).unwrap_or(u32::MAX);
                bytes[20..24].copy_from_slice(&nlink.to_le_bytes());
                24
            }
            Edition::Preview1 => {
                bytes[24..32].copy_from_slice(&self.nlink.to_le_bytes());
                32
            }
        };
        for (index, field) in [self.size, self.atim, self.mtim, self.ctim].into_iter().enumerate() {
            let at = rest + index * 8;
            bytes[at..at + 8].copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }
}

impl From<&rustix::fs::Stat> for FileStat {
    fn from(stat: &rustix::fs::Stat) -> FileStat {
        // The interface cannot express times before 1970.
        fn nanoseconds(seconds: i64, nanoseconds: u64) -> u64 {
            u64::try_from(seconds)
                .unwrap_or(0)
                .saturating_mul(1_000_000_000)
                .saturating_add(nanoseconds)
        }
        FileStat {
            dev: stat.st_dev,
            ino: stat.st_ino,
            filetype: rustix::fs::FileType::from_raw_mode(stat.st_mode).into(),
            #[allow(clippy::useless_conversion, clippy::allow_attributes)] // 32 bits on some CPUs.
            nlink: stat.st_nlink.into(),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            atim: nanoseconds(stat.st_atime, stat.st_atime_nsec),
            mtim: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            ctim: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}
