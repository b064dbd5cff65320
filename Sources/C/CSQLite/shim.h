#ifndef CARILLON_CSQLITE_H
#define CARILLON_CSQLITE_H
#include <sqlite3.h>

// SQLITE_TRANSIENT and SQLITE_STATIC are casts, which Swift cannot import.
static inline int carillon_bind_blob(sqlite3_stmt *s, int i, const void *p, int n) {
    return sqlite3_bind_blob(s, i, n ? p : "", n, SQLITE_TRANSIENT);
}
static inline int carillon_bind_blob_static(sqlite3_stmt *s, int i, const void *p, int n) {
    return sqlite3_bind_blob(s, i, n ? p : "", n, SQLITE_STATIC);
}
static inline int carillon_bind_text(sqlite3_stmt *s, int i, const char *p, int n) {
    return sqlite3_bind_text(s, i, n ? p : "", n, SQLITE_TRANSIENT);
}
static inline int carillon_bind_text_static(sqlite3_stmt *s, int i, const char *p, int n) {
    return sqlite3_bind_text(s, i, n ? p : "", n, SQLITE_STATIC);
}
// Closing the last connection would checkpoint outside the database's lock; variadic, so not importable.
static inline int carillon_no_checkpoint_on_close(sqlite3 *db) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}
#endif
