//! The table of functions, from which the linker and the tests derive theirs.

/// Calls the macro `$table` with a row for every function of
/// `wasi_snapshot_preview1`: how it ends, its name, its parameters and, in brackets,
/// the editions of which it is the same function.
///
/// A function ends with an errno, or `exit`s and never returns. Parameters of 32 bits
/// are `u32`; those of 64 bits are `u64` or `i64`.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_function {
    ($table:ident $(, $argument:tt)*) => {
        $table! {
            $($argument,)*
            errno args_get(pointers: u32, bytes: u32) [preview1 unstable];
            errno args_sizes_get(count: u32, size: u32) [preview1 unstable];
            errno environ_get(pointers: u32, bytes: u32) [preview1 unstable];
            errno environ_sizes_get(count: u32, size: u32) [preview1 unstable];
            errno clock_res_get(id: u32, resolution: u32) [preview1 unstable];
            errno clock_time_get(id: u32, precision: u64, time: u32) [preview1 unstable];
            errno fd_advise(fd: u32, offset: u64, len: u64, advice: u32) [preview1 unstable];
            errno fd_allocate(fd: u32, offset: u64, len: u64) [preview1 unstable];
            errno fd_close(fd: u32) [preview1 unstable];
            errno fd_datasync(fd: u32) [preview1 unstable];
            errno fd_fdstat_get(fd: u32, stat: u32) [preview1 unstable];
            errno fd_fdstat_set_flags(fd: u32, flags: u32) [preview1 unstable];
            errno fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) [preview1 unstable];
            errno fd_filestat_get(fd: u32, stat: u32) [preview1];
            errno fd_filestat_set_size(fd: u32, size: u64) [preview1 unstable];
            errno fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, times: u32)
                [preview1 unstable];
            errno fd_pread(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nread: u32)
                [preview1 unstable];
            errno fd_prestat_get(fd: u32, prestat: u32) [preview1 unstable];
            errno fd_prestat_dir_name(fd: u32, path: u32, path_len: u32) [preview1 unstable];
            errno fd_pwrite(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nwritten: u32)
                [preview1 unstable];
            errno fd_read(fd: u32, iovs: u32, iovs_len: u32, nread: u32) [preview1 unstable];
            errno fd_readdir(fd: u32, buffer: u32, buffer_len: u32, cookie: u64, used: u32)
                [preview1 unstable];
            errno fd_renumber(fd: u32, to: u32) [preview1 unstable];
            errno fd_seek(fd: u32, offset: i64, whence: u32, position: u32) [preview1];
            errno fd_sync(fd: u32) [preview1 unstable];
            errno fd_tell(fd: u32, position: u32) [preview1 unstable];
            errno fd_write(fd: u32, iovs: u32, iovs_len: u32, nwritten: u32) [preview1 unstable];
            errno path_create_directory(fd: u32, path: u32, path_len: u32) [preview1 unstable];
            errno path_filestat_get(fd: u32, flags: u32, path: u32, path_len: u32, stat: u32)
                [preview1];
            errno path_filestat_set_times(
                fd: u32, flags: u32, path: u32, path_len: u32, atim: u64, mtim: u64, times: u32
            ) [preview1 unstable];
            errno path_link(
                old_fd: u32, old_flags: u32, old_path: u32, old_path_len: u32,
                new_fd: u32, new_path: u32, new_path_len: u32
            ) [preview1 unstable];
            errno path_open(
                fd: u32, dirflags: u32, path: u32, path_len: u32, oflags: u32,
                rights_base: u64, rights_inheriting: u64, fdflags: u32, opened: u32
            ) [preview1 unstable];
            errno path_readlink(
                fd: u32, path: u32, path_len: u32, buffer: u32, buffer_len: u32, used: u32
            ) [preview1 unstable];
            errno path_remove_directory(fd: u32, path: u32, path_len: u32) [preview1 unstable];
            errno path_rename(
                old_fd: u32, old_path: u32, old_path_len: u32,
                new_fd: u32, new_path: u32, new_path_len: u32
            ) [preview1 unstable];
            errno path_symlink(
                old_path: u32, old_path_len: u32, fd: u32, new_path: u32, new_path_len: u32
            ) [preview1 unstable];
            errno path_unlink_file(fd: u32, path: u32, path_len: u32) [preview1 unstable];
            errno poll_oneoff(subscriptions: u32, events: u32, count: u32, happened: u32)
                [preview1];
            exit proc_exit(code: u32) [preview1 unstable];
            errno proc_raise(signal: u32) [preview1 unstable];
            errno sched_yield() [preview1 unstable];
            errno random_get(buffer: u32, buffer_len: u32) [preview1 unstable];
            errno sock_accept(fd: u32, flags: u32, accepted: u32) [preview1];
            errno sock_recv(
                fd: u32, iovs: u32, iovs_len: u32, flags: u32, nread: u32, out_flags: u32
            ) [preview1 unstable];
            errno sock_send(fd: u32, iovs: u32, iovs_len: u32, flags: u32, nwritten: u32)
                [preview1 unstable];
            errno sock_shutdown(fd: u32, how: u32) [preview1 unstable];
        }
    };
}
