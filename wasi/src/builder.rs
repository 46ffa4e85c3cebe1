//! Putting together what a guest gets.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::fs::{Mode, OFlags};

use crate::abi::FileType;
use crate::clock::monotonic_start;
use crate::ctx::Strings;
use crate::object::{Directory, HostFile, Object};
use crate::table::{Descriptor, Descriptors};
use crate::{DirAccess, MemoryInput, MemoryOutput, Rights, Socket, WasiCtx};

/// Builds a [`WasiCtx`].
///
/// Descriptors are numbered in the order standard input, output and error, preopened
/// directories, sockets: guests look for directories from 3 on, up to the first
/// descriptor that is none.
#[derive(Debug, Default)]
pub struct WasiCtxBuilder {
    arguments: Strings,
    environment: Strings,
    stdin: Option<InputStream>,
    stdout: Option<OutputStream>,
    stderr: Option<OutputStream>,
    directories: Vec<Descriptor>,
    sockets: Vec<Descriptor>,
    interrupted: Option<Arc<AtomicBool>>,
}

/// Where a guest's standard input comes from: bytes in memory or a file.
#[derive(Debug)]
pub struct InputStream(Descriptor);

/// Where a guest's standard output or error goes: memory or a file.
#[derive(Debug)]
pub struct OutputStream(Descriptor);

impl WasiCtxBuilder {
    /// A builder without anything.
    pub fn new() -> WasiCtxBuilder {
        WasiCtxBuilder::default()
    }

    /// Adds an argument. The first one is, by custom, the program's name.
    pub fn arg(&mut self, argument: impl AsRef<str>) -> &mut Self {
        self.arguments.push(&[argument.as_ref()]);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<str>>) -> &mut Self {
        for argument in arguments {
            self.arg(argument);
        }
        self
    }

    /// Adds an environment variable.
    pub fn env(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> &mut Self {
        self.environment.push(&[name.as_ref(), "=", value.as_ref()]);
        self
    }

    /// Adds environment variables.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
    ) -> &mut Self {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Adds the environment of this process, except what is not UTF-8.
    pub fn inherit_env(&mut self) -> &mut Self {
        for (name, value) in std::env::vars_os() {
            if let (Some(name), Some(value)) = (name.to_str(), value.to_str()) {
                self.env(name, value);
            }
        }
        self
    }

    /// Sets the standard input.
    pub fn stdin(&mut self, stream: impl Into<InputStream>) -> &mut Self {
        self.stdin = Some(stream.into());
        self
    }

    /// Sets the standard output.
    pub fn stdout(&mut self, stream: impl Into<OutputStream>) -> &mut Self {
        self.stdout = Some(stream.into());
        self
    }

    /// Sets the standard error.
    pub fn stderr(&mut self, stream: impl Into<OutputStream>) -> &mut Self {
        self.stderr = Some(stream.into());
        self
    }

    /// Lets the guest read the standard input of this process. Bytes that Rust's own
    /// buffer has already taken are not seen.
    pub fn inherit_stdin(&mut self) -> &mut Self {
        let object = Object::Standard(rustix::stdio::stdin());
        self.stdin(InputStream(Descriptor::new(object, INPUT)))
    }

    /// Lets the guest write to the standard output of this process, unbuffered.
    pub fn inherit_stdout(&mut self) -> &mut Self {
        let object = Object::Standard(rustix::stdio::stdout());
        self.stdout(OutputStream(Descriptor::new(object, OUTPUT)))
    }

    /// Lets the guest write to the standard error of this process.
    pub fn inherit_stderr(&mut self) -> &mut Self {
        let object = Object::Standard(rustix::stdio::stderr());
        self.stderr(OutputStream(Descriptor::new(object, OUTPUT)))
    }

    /// Gives the guest all three standard streams of this process.
    pub fn inherit_stdio(&mut self) -> &mut Self {
        self.inherit_stdin().inherit_stdout().inherit_stderr()
    }

    /// Shows the guest the directory `host_path` under the name `guest_path`.
    ///
    /// # Errors
    ///
    /// What the system answers to opening the directory.
    pub fn preopened_dir(
        &mut self,
        host_path: impl AsRef<Path>,
        guest_path: impl Into<String>,
        access: DirAccess,
    ) -> std::io::Result<&mut Self> {
        let path = host_path.as_ref();
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |mode| rustix::fs::open(path, flags | mode, Mode::empty());
        let fd = match open(OFlags::RDONLY) {
            // A directory that may be passed through, though not listed.
            Err(rustix::io::Errno::ACCESS) => open(OFlags::PATH)?,
            other => other?,
        };
        let (base, inheriting) = access.rights();
        let directory = Object::Directory(Directory::new(fd, Some(guest_path.into())));
        self.directories.push(Descriptor { inheriting, ..Descriptor::new(directory, base) });
        Ok(self)
    }

    /// Hands a socket over to the guest. Its descriptor is 3 plus the number of
    /// preopened directories plus that of the sockets before it.
    pub fn socket(&mut self, socket: impl Into<Socket>) -> &mut Self {
        self.sockets.push(socket.into().into_descriptor());
        self
    }

    /// Lets the host end calls that wait: when `flag` is set and a signal interrupts such a call,
    /// the guest traps with [`Trap::Interrupt`](precast_runtime::Trap::Interrupt) instead of
    /// waiting on. The handler of the signal need not do anything, but must have been
    /// installed without `SA_RESTART`.
    pub fn interrupted_by(&mut self, flag: Arc<AtomicBool>) -> &mut Self {
        self.interrupted = Some(flag);
        self
    }

    /// Makes the context, and leaves the builder empty.
    pub fn build(&mut self) -> WasiCtx {
        let built = std::mem::take(self);
        let null = |rights| Descriptor::new(Object::Null, rights);
        let standard = [
            built.stdin.map_or_else(|| null(INPUT), |stream| stream.0),
            built.stdout.map_or_else(|| null(OUTPUT), |stream| stream.0),
            built.stderr.map_or_else(|| null(OUTPUT), |stream| stream.0),
        ];
        let descriptors = standard.into_iter().chain(built.directories).chain(built.sockets);
        WasiCtx {
            table: Descriptors::from_iter(descriptors),
            arguments: built.arguments,
            environment: built.environment,
            monotonic_start: monotonic_start(),
            interrupted: built.interrupted,
        }
    }
}

const INPUT: Rights = Rights::STREAM.difference(Rights::FD_WRITE);
const OUTPUT: Rights = Rights::STREAM.difference(Rights::FD_READ);

impl From<MemoryInput> for InputStream {
    fn from(input: MemoryInput) -> InputStream {
        InputStream(Descriptor::new(Object::Input(input), INPUT))
    }
}

impl From<File> for InputStream {
    fn from(file: File) -> InputStream {
        InputStream(host_stream(file.into(), Rights::FD_WRITE))
    }
}

impl From<MemoryOutput> for OutputStream {
    fn from(output: MemoryOutput) -> OutputStream {
        OutputStream(Descriptor::new(Object::Output(output), OUTPUT))
    }
}

impl From<File> for OutputStream {
    fn from(file: File) -> OutputStream {
        OutputStream(host_stream(file.into(), Rights::FD_READ))
    }
}

/// A stream of the host without the rights of the other direction. Only a regular
/// file has positions; a guest takes what has them for no terminal.
fn host_stream(fd: OwnedFd, without: Rights) -> Descriptor {
    let filetype = rustix::fs::fstat(&fd)
        .map_or(FileType::Unknown, |stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).into());
    let rights = match filetype {
        FileType::RegularFile => Rights::FILE,
        _ => Rights::STREAM,
    };
    Descriptor::new(Object::File(HostFile::given(fd, filetype)), rights.difference(without))
}
