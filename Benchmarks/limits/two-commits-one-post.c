// The limit of latency: an event is made durable, what follows from it is made durable, one POST says so. In order, in
// one process, at a steady rate. The sink measures from before the first commit to the request's arrival ("sentNs").
//
//   two-commits-one-post FOLDER EVENTS URL [PER-SECOND [COUNT]]
#define _GNU_SOURCE
#include "rows.h"
#include <curl/curl.h>

static size_t ignore(char *bytes, size_t size, size_t count, void *context) {
    (void)bytes, (void)context;
    return size * count;
}

static sqlite3_stmt *make_ledger(sqlite3 *db) {
    sqlite3_stmt *insert;
    CHECK(db, sqlite3_exec(db, "CREATE TABLE delivery (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, rule TEXT NOT NULL, "
        "target TEXT NOT NULL, state INTEGER NOT NULL, event BLOB NOT NULL)", NULL, NULL, NULL));
    CHECK(db, sqlite3_prepare_v2(db, "INSERT INTO delivery (key, rule, target, state, event) VALUES (?,'all','hook',1,?)", -1,
        &insert, NULL));
    return insert;
}

static CURL *make_request(const char *url) {
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "content-type: application/json");
    headers = curl_slist_append(headers, "webhook-id: 0123456789abcdef0123456789abcdef");
    headers = curl_slist_append(headers, "webhook-timestamp: 1767600000");
    headers = curl_slist_append(headers, "webhook-signature: v1,0123456789abcdef0123456789abcdef0123456789ab");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    return curl;
}

int main(int argc, char **argv) {
    if (argc < 4) DIE("usage: two-commits-one-post FOLDER EVENTS URL [PER-SECOND [COUNT]]");
    size_t rate = argc > 4 ? strtoul(argv[4], NULL, 10) : 100, count;
    struct row *rows = read_rows(argv[2], &count);
    if (argc > 5 && strtoul(argv[5], NULL, 10) < count) count = strtoul(argv[5], NULL, 10);
    char path[4096];
    snprintf(path, sizeof path, "%s/limit-stream.db", argv[1]);
    sqlite3 *stream = open_durable(path);
    sqlite3_stmt *inserts[PARTITIONS];
    make_tables(stream, inserts);
    snprintf(path, sizeof path, "%s/limit-ledger.db", argv[1]);
    sqlite3 *ledger = open_durable(path);
    sqlite3_stmt *decide = make_ledger(ledger);
    CURL *curl = make_request(argv[3]);
    int64_t *took = malloc((count + 1) * sizeof *took), due = clock_ns(CLOCK_MONOTONIC), cpu = cpu_ns();
    static char body[1 << 20];

    for (size_t i = 0; i < count; i++, due += 1000000000 / rate) {
        struct timespec wake = {due / 1000000000, due % 1000000000};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL) == EINTR) {}
        int64_t begun = clock_ns(CLOCK_REALTIME), key[2] = {begun, (int64_t)i};
        insert_row(stream, inserts[rows[i].partition], i, begun / 1000000, &rows[i]);
        sqlite3_bind_blob(decide, 1, key, sizeof key, SQLITE_STATIC);
        sqlite3_bind_blob(decide, 2, rows[i].event.at, rows[i].event.end - rows[i].event.at, SQLITE_STATIC);
        CHECK(ledger, sqlite3_step(decide));
        sqlite3_reset(decide);
        long size = snprintf(body, sizeof body, "{\"type\":\"job.failed\",\"data\":{\"sentNs\":%lld,\"event\":%.*s}}",
            (long long)begun, (int)(rows[i].event.end - rows[i].event.at), rows[i].event.at);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, size);
        CURLcode code = curl_easy_perform(curl);
        if (code) DIE("POST %s: %s", argv[3], curl_easy_strerror(code));
        took[i] = clock_ns(CLOCK_REALTIME) - begun;
    }
    cpu = cpu_ns() - cpu;
    if (!count) DIE("no events");
    qsort(took, count, sizeof *took, compare_int64);
    printf("{\"count\":%zu,\"cpu_us_each\":%.1f,\"with_answer_us\":{\"p50\":%.1f,\"p99\":%.1f}}\n", count,
        cpu / 1e3 / count, took[count / 2] / 1e3, took[(size_t)(count * 0.99)] / 1e3);
    return 0;
}
