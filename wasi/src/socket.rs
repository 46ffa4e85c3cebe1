//! Sockets that the host hands over.

use std::os::fd::OwnedFd;

use precast_runtime::MemoryView;
use rustix::net::{Shutdown, SocketFlags};

use crate::abi::{FdFlags, ReceiveFlags, ShutdownFlags};
use crate::object::Object;
use crate::sys::IoVecs;
use crate::table::Descriptor;
use crate::{Errno, Rights, WasiCtx};

/// A socket for a guest: a listener or a connection, over TCP or of the Unix domain.
#[derive(Debug)]
pub struct Socket(Kind);

#[derive(Debug)]
enum Kind {
    Listener(OwnedFd),
    Connection(OwnedFd),
}

macro_rules! sockets {
    ($($kind:ident from $host:ty;)*) => {$(
        impl From<$host> for Socket {
            fn from(socket: $host) -> Socket {
                Socket(Kind::$kind(socket.into()))
            }
        }
    )*};
}

sockets! {
    Listener from std::net::TcpListener;
    Listener from std::os::unix::net::UnixListener;
    Connection from std::net::TcpStream;
    Connection from std::os::unix::net::UnixStream;
}

impl Socket {
    pub(crate) fn into_descriptor(self) -> Descriptor {
        match self.0 {
            Kind::Listener(fd) => Descriptor::new(Object::Listener(fd), Rights::LISTENER),
            Kind::Connection(fd) => Descriptor::new(Object::Connection(fd), Rights::CONNECTION),
        }
    }
}

impl WasiCtx {
    /// Accepts a connection and stores its descriptor at `accepted`.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] for what does not listen; [`Errno::Inval`] for flags other than
    /// not to block; what the system answers.
    pub fn sock_accept(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        flags: u32,
        accepted: u32,
    ) -> Result<(), Errno> {
        let flags = FdFlags::parse(flags)?;
        let descriptor = self.table.get(fd)?;
        let Object::Listener(listener) = &*descriptor.object else { return Err(Errno::Badf) };
        descriptor.require(Rights::SOCK_ACCEPT)?;
        memory.range(u64::from(accepted), 4)?;
        if !FdFlags::NONBLOCK.contains(flags) {
            return Err(Errno::Inval);
        }
        let mut host = SocketFlags::CLOEXEC;
        host.set(SocketFlags::NONBLOCK, flags.contains(FdFlags::NONBLOCK));
        let connection = rustix::net::accept_with(listener, host)?;
        let descriptor = Descriptor::new(Object::Connection(connection), Rights::CONNECTION);
        let new = self.table.push(descriptor)?;
        Ok(memory.write(u64::from(accepted), &new.to_le_bytes())?)
    }

    /// Receives into the buffers listed at `iovs`; stores the count at `nread` and
    /// flags, whether a message was cut short, at `out_flags`.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] for what is no connection; what the system answers.
    #[expect(clippy::too_many_arguments, reason = "the interface has them")]
    pub fn sock_recv(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        flags: u32,
        nread: u32,
        out_flags: u32,
    ) -> Result<(), Errno> {
        let flags = ReceiveFlags::parse(flags)?;
        let descriptor = self.table.get(fd)?;
        let socket = descriptor.connection(Rights::FD_READ)?;
        memory.range(u64::from(nread), 4)?;
        memory.range(u64::from(out_flags), 2)?;
        let buffers = IoVecs::parse(memory, iovs, iovs_len)?;
        let mut host = 0;
        if flags.contains(ReceiveFlags::PEEK) {
            host |= libc::MSG_PEEK;
        }
        if flags.contains(ReceiveFlags::WAITALL) {
            host |= libc::MSG_WAITALL;
        }
        let (count, cut) = buffers.receive(socket, host)?;
        memory.write(u64::from(nread), &count.to_le_bytes())?;
        Ok(memory.write(u64::from(out_flags), &u16::from(cut).to_le_bytes())?)
    }

    /// Sends the buffers listed at `iovs` and stores the count at `nwritten`.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] for what is no connection; [`Errno::Inval`] for flags, of which
    /// there are none; what the system answers.
    pub fn sock_send(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        flags: u32,
        nwritten: u32,
    ) -> Result<(), Errno> {
        if flags != 0 {
            return Err(Errno::Inval);
        }
        let descriptor = self.table.get(fd)?;
        let socket = descriptor.connection(Rights::FD_WRITE)?;
        memory.range(u64::from(nwritten), 4)?;
        let count = IoVecs::parse(memory, iovs, iovs_len)?.send(socket)?;
        Ok(memory.write(u64::from(nwritten), &count.to_le_bytes())?)
    }

    /// Ends one or both directions of a connection.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] for what is no connection; [`Errno::Inval`] for no direction;
    /// what the system answers.
    pub fn sock_shutdown(
        &mut self,
        _memory: MemoryView<'_>,
        fd: u32,
        how: u32,
    ) -> Result<(), Errno> {
        let how = ShutdownFlags::parse(how)?;
        let descriptor = self.table.get(fd)?;
        let socket = descriptor.connection(Rights::SOCK_SHUTDOWN)?;
        let how = match (how.contains(ShutdownFlags::RD), how.contains(ShutdownFlags::WR)) {
            (true, true) => Shutdown::Both,
            (true, false) => Shutdown::Read,
            (false, true) => Shutdown::Write,
            (false, false) => return Err(Errno::Inval),
        };
        Ok(rustix::net::shutdown(socket, how)?)
    }
}
