// The limits of stream → decode → match: every row of a stream's tables stepped over and its event parsed, either whole
// (simdjson's DOM) or on demand, only far enough to know its attributes.
//
//   raw-sqlite-scan STREAM whole|attributes
#include "rows.h"
#include <simdjson.h>
#include <vector>

using namespace simdjson;

struct Sums { int64_t rows = 0, bytes = 0, seen = 0, broken = 0; };

static void parse(dom::parser &parser, const void *event, size_t size, Sums &sums) {
    dom::element document;
    auto code = parser.parse(static_cast<const char *>(event), size).get(document);
    if (code || !document.is_object()) sums.broken++;
    else sums.seen += document.get_object().value().size();
}

static void parse(ondemand::parser &parser, std::vector<char> &padded, const void *event, size_t size, Sums &sums) {
    if (padded.size() < size + SIMDJSON_PADDING) padded.resize(2 * size + SIMDJSON_PADDING);
    memcpy(padded.data(), event, size);
    ondemand::document document;
    auto code = parser.iterate(padded.data(), size, padded.size()).get(document);
    for (const char *name : {"id", "source", "type", "subject", "time", "workspace"}) {
        std::string_view value;
        if (!code) code = document.find_field_unordered(name).get_string().get(value);
        if (!code) sums.seen += value.size();
    }
    ondemand::object data;
    if (!code) code = document.find_field_unordered("data").get_object().get(data);
    if (code) sums.broken++;
}

static void scan(sqlite3 *db, int partition, bool whole, dom::parser &dom, ondemand::parser &parser, Sums &sums) {
    std::string sql = "SELECT offset, appended, workspace, type, event FROM record_" + std::to_string(partition) +
        " WHERE offset >= 0 ORDER BY offset";
    sqlite3_stmt *select;
    CHECK(db, sqlite3_prepare_v2(db, sql.c_str(), -1, &select, nullptr));
    std::vector<char> padded(4096);
    while (sqlite3_step(select) == SQLITE_ROW) {
        sums.seen += sqlite3_column_int64(select, 0) + sqlite3_column_bytes(select, 2) + sqlite3_column_bytes(select, 3);
        size_t size = sqlite3_column_bytes(select, 4);
        const void *event = sqlite3_column_blob(select, 4);
        if (whole) parse(dom, event, size, sums);
        else parse(parser, padded, event, size, sums);
        sums.rows++;
        sums.bytes += size;
    }
    sqlite3_finalize(select);
}

int main(int argc, char **argv) {
    if (argc != 3) DIE("usage: raw-sqlite-scan STREAM whole|attributes");
    bool whole = strcmp(argv[2], "whole") == 0;
    sqlite3 *db;
    CHECK(db, sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr));
    sqlite3_stmt *partitions;
    CHECK(db, sqlite3_prepare_v2(db, "SELECT id FROM partition ORDER BY id", -1, &partitions, nullptr));
    dom::parser dom;
    ondemand::parser parser;
    Sums sums;
    int64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = cpu_ns();
    while (sqlite3_step(partitions) == SQLITE_ROW) scan(db, sqlite3_column_int(partitions, 0), whole, dom, parser, sums);
    cpu = cpu_ns() - cpu;
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    double rows = sums.rows ? sums.rows : 1;
    printf("{\"rows\":%lld,\"broken\":%lld,\"cpu_us_per_row\":%.3f,\"wall_us_per_row\":%.3f,\"bytes_per_row\":%.0f,\"seen\":%lld}\n",
        (long long)sums.rows, (long long)sums.broken, cpu / 1e3 / rows, wall / 1e3 / rows, sums.bytes / rows,
        (long long)sums.seen);
    return 0;
}
