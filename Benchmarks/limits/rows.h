// The rows of Carillon's embedded stream, as its tables hold them: a table a partition, keyed by the offset.
#ifndef CARILLON_ROWS_H
#define CARILLON_ROWS_H
#include "limits.h"
#include <sqlite3.h>

#define PARTITIONS 8
#define CHECK(db, call) do { int code_ = (call); \
    if (code_ != SQLITE_OK && code_ != SQLITE_DONE) DIE("%s: %s", #call, sqlite3_errmsg(db)); } while (0)

struct row { struct text event, workspace, type; int partition; };

// The text of the first member called so: good enough for the files of carillon-bench, which never nest these names before.
static inline struct text member(struct text event, const char *name) {
    const char *at = (const char *)memmem(event.at, event.end - event.at, name, strlen(name));
    if (!at) DIE("an event has no %s", name);
    at += strlen(name);
    return (struct text){at, (const char *)memchr(at, '"', event.end - at)};
}

// Murmur2 as Kafka's clients have it.
static inline uint32_t murmur2(struct text key) {
    const uint32_t m = 0x5bd1e995;
    uint32_t length = key.end - key.at, h = 0x9747b28c ^ length;
    const unsigned char *p = (const unsigned char *)key.at;
    for (; length >= 4; length -= 4, p += 4) {
        uint32_t k = p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
        k *= m;
        k ^= k >> 24;
        h = h * m ^ k * m;
    }
    if (length == 3) h ^= p[2] << 16;
    if (length >= 2) h ^= p[1] << 8;
    if (length >= 1) h = (h ^ p[0]) * m;
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}

static inline struct row *read_rows(const char *path, size_t *count) {
    struct text rest = map_file(path), line;
    size_t capacity = 1024;
    struct row *rows = (struct row *)malloc(capacity * sizeof *rows);
    for (*count = 0; (line = next_line(&rest)).at; ++*count) {
        if (*count == capacity) rows = (struct row *)realloc(rows, (capacity *= 2) * sizeof *rows);
        if (!rows) DIE("out of memory");
        struct row *r = &rows[*count];
        r->event = line;
        r->workspace = member(line, "\"workspace\":\"");
        r->type = member(line, "\"type\":\"");
        r->partition = (murmur2(r->workspace) & 0x7fffffff) % PARTITIONS;
    }
    return rows;
}

// WAL, an fsync a commit, and a WAL that may grow to the 16 MiB Carillon allows.
static inline sqlite3 *open_durable(const char *path) {
    sqlite3 *db;
    CHECK(db, sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
    CHECK(db, sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4096",
        NULL, NULL, NULL));
    return db;
}

static inline void make_tables(sqlite3 *db, sqlite3_stmt *inserts[PARTITIONS]) {
    for (int i = 0; i < PARTITIONS; i++) {
        char sql[300];
        snprintf(sql, sizeof sql, "CREATE TABLE record_%d (offset INTEGER PRIMARY KEY, appended INTEGER NOT NULL, "
            "workspace TEXT NOT NULL, type TEXT NOT NULL, event BLOB NOT NULL)", i);
        CHECK(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
        snprintf(sql, sizeof sql, "INSERT INTO record_%d (offset, appended, workspace, type, event) VALUES (?,?,?,?,?)", i);
        CHECK(db, sqlite3_prepare_v2(db, sql, -1, &inserts[i], NULL));
    }
}

static inline void insert_row(sqlite3 *db, sqlite3_stmt *insert, int64_t offset, int64_t appended, const struct row *r) {
    sqlite3_bind_int64(insert, 1, offset);
    sqlite3_bind_int64(insert, 2, appended);
    sqlite3_bind_text(insert, 3, r->workspace.at, r->workspace.end - r->workspace.at, SQLITE_STATIC);
    sqlite3_bind_text(insert, 4, r->type.at, r->type.end - r->type.at, SQLITE_STATIC);
    sqlite3_bind_blob(insert, 5, r->event.at, r->event.end - r->event.at, SQLITE_STATIC);
    CHECK(db, sqlite3_step(insert));
    sqlite3_reset(insert);
}
#endif
