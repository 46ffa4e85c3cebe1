//! `path_open`.

use precast_runtime::MemoryView;
use rustix::fs::OFlags;

use crate::abi::{FdFlags, FileType, LookupFlags, OpenFlags};
use crate::object::{Directory, HostFile, Object};
use crate::path::GuestPath;
use crate::sys;
use crate::table::Descriptor;
use crate::{Errno, Rights, WasiCtx};

impl WasiCtx {
    /// Opens a file or directory and stores the new descriptor at `opened`.
    ///
    /// The descriptor has those of the rights asked for that its directory hands
    /// down and that apply to what it is.
    ///
    /// # Errors
    ///
    /// [`Errno::Notcapable`] when reading, writing, creating or truncating is asked for
    /// and the directory does not hand that right down; what the path look-up or
    /// the system answers.
    #[expect(clippy::too_many_arguments, reason = "the interface has them")]
    pub fn path_open(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        dirflags: u32,
        path: u32,
        path_len: u32,
        oflags: u32,
        rights_base: u64,
        rights_inheriting: u64,
        fdflags: u32,
        opened: u32,
    ) -> Result<(), Errno> {
        let lookup = LookupFlags::parse(dirflags)?;
        let open = OpenFlags::parse(oflags)?;
        let base = Rights::parse(rights_base)?;
        let inheriting = Rights::parse(rights_inheriting)?;
        let fdflags = FdFlags::parse(fdflags)?;
        memory.range(u64::from(opened), 4)?;

        let parent = self.table.get(fd)?;
        let Object::Directory(directory) = &*parent.object else { return Err(Errno::Notdir) };
        let path = GuestPath::read(memory, path, path_len)?;
        parent.require(required(open))?;
        let data = Rights::FD_READ | Rights::FD_WRITE;
        if !parent.inheriting.contains(base & data) {
            return Err(Errno::Notcapable);
        }

        let flags = host_flags(open, base, fdflags)? | lookup.to_host();
        let host = sys::open_beneath(&directory.dir, path.as_c_str(), flags)?;
        let file = HostFile::opened(host, flags)?;
        let base = base & parent.inheriting;
        let inheriting = inheriting & parent.inheriting;
        let descriptor = if file.filetype == FileType::Directory {
            Descriptor {
                base: base & Rights::DIRECTORY,
                inheriting,
                ..Descriptor::new(Object::Directory(Directory::new(file.fd, None)), Rights::empty())
            }
        } else {
            if open.contains(OpenFlags::DIRECTORY) {
                return Err(Errno::Notdir);
            }
            Descriptor::new(Object::File(file), base & Rights::FILE)
        };
        let new = self.table.push(descriptor)?;
        Ok(memory.write(u64::from(opened), &new.to_le_bytes())?)
    }
}

/// The rights over a directory that opening something in it takes.
fn required(open: OpenFlags) -> Rights {
    let mut rights = Rights::PATH_OPEN;
    rights.set(Rights::PATH_CREATE_FILE, open.contains(OpenFlags::CREAT));
    rights.set(Rights::PATH_FILESTAT_SET_SIZE, open.contains(OpenFlags::TRUNC));
    rights
}

fn host_flags(open: OpenFlags, base: Rights, fdflags: FdFlags) -> Result<OFlags, Errno> {
    if fdflags.intersects(FdFlags::DSYNC | FdFlags::RSYNC | FdFlags::SYNC) {
        return Err(Errno::Notsup);
    }
    let create = open.contains(OpenFlags::CREAT);
    if open.contains(OpenFlags::DIRECTORY)
        && open.intersects(OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::TRUNC)
    {
        return Err(Errno::Inval);
    }
    let append = fdflags.contains(FdFlags::APPEND);
    // The system opens nothing without a mode. What the guest may then do is
    // decided by its rights.
    let write = base.contains(Rights::FD_WRITE) || append || create;
    let read = base.contains(Rights::FD_READ) || !base.contains(Rights::FD_WRITE);
    if open.contains(OpenFlags::TRUNC) && !write {
        return Err(Errno::Inval);
    }
    let mut flags = match (read, write) {
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
        (_, false) => OFlags::RDONLY,
    };
    flags.set(OFlags::CREATE, create);
    flags.set(OFlags::EXCL, create && open.contains(OpenFlags::EXCL));
    flags.set(OFlags::TRUNC, open.contains(OpenFlags::TRUNC));
    flags.set(OFlags::APPEND, append);
    flags.set(OFlags::NONBLOCK, fdflags.contains(FdFlags::NONBLOCK));
    flags.set(OFlags::DIRECTORY, open.contains(OpenFlags::DIRECTORY));
    Ok(flags)
}
