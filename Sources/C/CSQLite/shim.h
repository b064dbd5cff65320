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
#endif
