/* A VFS of SQLite that writes the write-ahead log in large pieces. SQLite writes each page of it with two
 * system calls; here what follows on is gathered, and written at once before anything could tell the
 * difference: before the log is synced, read, measured, cut off or closed. All else goes to the VFS below
 * (the default one) as it is.
 *
 * Who else reads the log sees what it saw before: SQLite publishes frames in the log's index only after
 * the sync. A failed write is told by the operation that caused it, at the latest by the sync, so that the
 * transaction fails as it would have. */
#ifndef PLATFORM_LOCAL_SQLITE_GATHER_H
#define PLATFORM_LOCAL_SQLITE_GATHER_H

/* Makes it known to SQLite, on top of what is the default VFS then, and gives its name for sqlite3_open_v2.
 * Called before each opening (the default may have changed), from one thread at a time. */
const char *sqlite_gather_register(void);

#endif
