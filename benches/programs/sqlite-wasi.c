/* SQLite's WASI build leaves out fchmod but calls it for temporary files: gives it one that does nothing. */
#include "sqlite3.h"

static int no_mode(int file, unsigned mode) {
    (void)file;
    (void)mode;
    return 0;
}

/* Called at the end of sqlite3_initialize: the macro SQLITE_EXTRA_INIT names it. */
int sqlite_wasi_init(const char *unused) {
    (void)unused;
    sqlite3_vfs *vfs = sqlite3_vfs_find(0);
    return vfs->xSetSystemCall(vfs, "fchmod", (sqlite3_syscall_ptr)no_mode);
}
