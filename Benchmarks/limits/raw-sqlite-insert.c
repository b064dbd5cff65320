// The limit of a durable publish: the same rows into the same tables, group commit, an fsync each.
//
//   raw-sqlite-insert DATABASE EVENTS [ROWS-PER-TRANSACTION]
#define _GNU_SOURCE
#include "rows.h"

int main(int argc, char **argv) {
    if (argc < 3) DIE("usage: raw-sqlite-insert DATABASE EVENTS [ROWS-PER-TRANSACTION]");
    size_t batch = argc > 3 ? strtoul(argv[3], NULL, 10) : 500, count;
    if (!batch) DIE("a transaction has at least one row");
    struct row *rows = read_rows(argv[2], &count);
    sqlite3 *db = open_durable(argv[1]);
    sqlite3_stmt *inserts[PARTITIONS];
    make_tables(db, inserts);
    int64_t offsets[PARTITIONS] = {0};

    int64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = cpu_ns();
    for (size_t at = 0; at < count;) {
        int64_t now = clock_ns(CLOCK_REALTIME) / 1000000;
        CHECK(db, sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
        for (size_t end = at + batch < count ? at + batch : count; at < end; at++)
            insert_row(db, inserts[rows[at].partition], offsets[rows[at].partition]++, now, &rows[at]);
        CHECK(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
    }
    cpu = cpu_ns() - cpu;
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    printf("{\"rows\":%zu,\"rows_per_transaction\":%zu,\"cpu_us_per_row\":%.3f,\"wall_us_per_row\":%.3f}\n",
        count, batch, cpu / 1e3 / count, wall / 1e3 / count);
    return 0;
}
