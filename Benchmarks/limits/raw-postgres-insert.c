// The limit of admitting over PostgreSQL: the same rows into tables of the same shape and indexes, from binary arrays
// (INSERT … SELECT FROM unnest), a durable commit a batch, one round trip each. It decides nothing and looks nothing up.
//
//   raw-postgres-insert URL SCHEMA EVENTS [ROWS-PER-TRANSACTION]
//
// SCHEMA is one in which a ledger was made; its tables are copied into the schema `raw`.
#define _GNU_SOURCE
#include "limits.h"
#include <arpa/inet.h>
#include <endian.h>
#include <libpq-fe.h>

enum { INT4 = 23, INT8 = 20, TEXT = 25, UUID = 2950, BYTEA = 17 };
enum { INT4S = 1007, INT8S = 1016, TEXTS = 1009, UUIDS = 2951, BYTEAS = 1001 };

struct array { char *bytes; size_t size, capacity; };

static void put(struct array *a, const void *bytes, size_t size) {
    if (a->size + size > a->capacity) {
        a->capacity = 2 * (a->size + size);
        if (!(a->bytes = (char *)realloc(a->bytes, a->capacity))) DIE("out of memory");
    }
    memcpy(a->bytes + a->size, bytes, size);
    a->size += size;
}
static void put4(struct array *a, uint32_t n) { n = htonl(n); put(a, &n, 4); }
static void begin(struct array *a, uint32_t type, uint32_t count) {
    a->size = 0;
    for (uint32_t head[] = {1, 0, type, count, 1}, i = 0; i < 5; i++) put4(a, head[i]);
}
static void put8(struct array *a, int64_t n) { put4(a, 8); uint64_t big = htobe64(n); put(a, &big, 8); }
static void put_text(struct array *a, struct text t) { put4(a, t.end - t.at); put(a, t.at, t.end - t.at); }

static struct text member(struct text event, const char *name) {
    const char *at = (const char *)memmem(event.at, event.end - event.at, name, strlen(name));
    if (!at) return (struct text){"", ""};
    at += strlen(name);
    const char *end = (const char *)memchr(at, '"', event.end - at);
    return end ? (struct text){at, end} : (struct text){"", ""};
}

static void put_key(struct array *a, uint64_t number) {
    // As random as a hash: what a key costs an index is its place.
    uint64_t key[2] = {number * 0x9e3779b97f4a7c15, (number ^ number >> 31) * 0xbf58476d1ce4e5b9};
    key[0] ^= key[0] >> 29;
    put4(a, 16);
    put(a, key, 16);
}

static void must(PGconn *db, PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_PIPELINE_SYNC)
        DIE("%s", PQerrorMessage(db));
    PQclear(result);
}

static void prepare_tables(PGconn *db, const char *schema) {
    char sql[2000];
    snprintf(sql, sizeof sql,
        "SET client_min_messages = warning; DROP SCHEMA IF EXISTS raw CASCADE; CREATE SCHEMA raw;"
        "CREATE TABLE raw.event (LIKE %s.event INCLUDING ALL); CREATE TABLE raw.seen (LIKE %s.seen INCLUDING ALL);"
        "CREATE TABLE raw.delivery (LIKE %s.delivery INCLUDING ALL); SET search_path = raw; SET synchronous_commit = on",
        schema, schema, schema);
    must(db, PQexec(db, sql));
    static const Oid events[] = {INT8S, UUIDS, TEXTS, TEXTS, TEXTS, INT8, BYTEAS}, seen[] = {UUIDS},
                     deliveries[] = {INT8S, UUIDS, INT8S, INT8};
    must(db, PQprepare(db, "event",
        "INSERT INTO event SELECT s, k, w, t, j, $6, $6, 0, s, b FROM unnest($1::int8[], $2::uuid[], $3::text[], "
        "$4::text[], $5::text[], $7::bytea[]) AS u(s, k, w, t, j, b)", 7, events));
    must(db, PQprepare(db, "seen", "INSERT INTO seen SELECT 0, k FROM unnest($1::uuid[]) AS u(k)", 1, seen));
    must(db, PQprepare(db, "delivery",
        "INSERT INTO delivery (event, rule, lane, revision, key, pair, decided, expires, round, epoch, session, due, part, "
        "state) SELECT e, 1, e % 40, 1, k, p, $4, $4, $4, 0, 0, $4, 0, 0 FROM unnest($1::int8[], $2::uuid[], $3::int8[]) "
        "AS u(e, k, p)", 4, deliveries));
}

int main(int argc, char **argv) {
    if (argc < 4) DIE("usage: raw-postgres-insert URL SCHEMA EVENTS [ROWS-PER-TRANSACTION]");
    size_t batch = argc > 4 ? strtoul(argv[4], NULL, 10) : 5000, count = 0;
    if (!batch) DIE("a transaction has at least one row");
    PGconn *db = PQconnectdb(argv[1]);
    if (PQstatus(db) != CONNECTION_OK) DIE("%s", PQerrorMessage(db));
    prepare_tables(db, argv[2]);
    struct text rest = map_file(argv[3]), line = next_line(&rest);
    struct array seqs = {0}, keys = {0}, names = {0}, spaces = {0}, types = {0}, subjects = {0}, pairs = {0}, bytes = {0};
    if (!PQenterPipelineMode(db)) DIE("no pipeline mode");

    int64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = cpu_ns();
    while (line.at) {
        struct text *lines = (struct text *)malloc(batch * sizeof *lines);
        uint32_t n = 0;
        for (; line.at && n < batch; line = next_line(&rest)) lines[n++] = line;
        begin(&seqs, INT8, n), begin(&keys, UUID, n), begin(&names, UUID, n), begin(&spaces, TEXT, n);
        begin(&types, TEXT, n), begin(&subjects, TEXT, n), begin(&pairs, INT8, n), begin(&bytes, BYTEA, n);
        for (uint32_t i = 0; i < n; i++) {
            put8(&seqs, count + i), put_key(&keys, count + i), put_key(&names, ~(uint64_t)(count + i));
            put_text(&spaces, member(lines[i], "\"workspace\":\"")), put_text(&types, member(lines[i], "\"type\":\""));
            struct text subject = member(lines[i], "\"subject\":\"");
            uint64_t pair = 14695981039346656037u;
            for (const char *c = subject.at; c < subject.end; c++) pair = (pair ^ (uint8_t)*c) * 1099511628211u;
            put_text(&subjects, subject), put8(&pairs, (int64_t)pair), put_text(&bytes, lines[i]);
        }
        count += n;
        free(lines);
        uint64_t now = htobe64(clock_ns(CLOCK_REALTIME) / 1000000);
        const int binary[] = {1, 1, 1, 1, 1, 1, 1};
        PQsendQueryParams(db, "BEGIN", 0, NULL, NULL, NULL, NULL, 1);
        PQsendQueryPrepared(db, "event", 7,
            (const char *[]){seqs.bytes, keys.bytes, spaces.bytes, types.bytes, subjects.bytes, (char *)&now, bytes.bytes},
            (int[]){seqs.size, keys.size, spaces.size, types.size, subjects.size, 8, bytes.size}, binary, 1);
        PQsendQueryPrepared(db, "seen", 1, (const char *[]){keys.bytes}, (int[]){keys.size}, binary, 1);
        PQsendQueryPrepared(db, "delivery", 4, (const char *[]){seqs.bytes, names.bytes, pairs.bytes, (char *)&now},
            (int[]){seqs.size, names.size, pairs.size, 8}, binary, 1);
        PQsendQueryParams(db, "COMMIT", 0, NULL, NULL, NULL, NULL, 1);
        if (!PQpipelineSync(db)) DIE("%s", PQerrorMessage(db));
        for (int i = 0; i < 5; i++) {
            must(db, PQgetResult(db));
            if (PQgetResult(db)) DIE("a statement answered twice");
        }
        must(db, PQgetResult(db));
    }
    cpu = cpu_ns() - cpu;
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    printf("{\"rows\":%zu,\"rows_per_transaction\":%zu,\"cpu_us_per_row\":%.3f,\"wall_us_per_row\":%.3f}\n", count, batch,
        cpu / 1e3 / count, wall / 1e3 / count);
    PQfinish(db);
    return 0;
}
