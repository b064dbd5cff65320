// The limit of a matcher: simdjson parses the events of a folder that `carillon-bench match --write` made, and nothing is
// looked at. Prints one JSON line.
//
//   simdjson-parse FOLDER SECONDS       warms up for SECONDS, then as long again; the best pass counts
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <limits>
#include <simdjson.h>
#include <string>
#include <vector>

static double seconds_of(clockid_t clock) {
    timespec time;
    clock_gettime(clock, &time);
    return double(time.tv_sec) + double(time.tv_nsec) / 1e9;
}

// Microseconds an event, of the best pass.
static double best(simdjson::dom::parser &parser, const std::vector<simdjson::padded_string> &events, double seconds) {
    double least = std::numeric_limits<double>::infinity(), end = seconds_of(CLOCK_MONOTONIC) + seconds;
    do {
        double began = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        for (const auto &event : events) {
            if (parser.parse(event).error()) {
                fprintf(stderr, "simdjson-parse could not parse %s\n", event.data());
                exit(1);
            }
        }
        least = std::min(least, (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - began) * 1e6 / double(events.size()));
    } while (seconds_of(CLOCK_MONOTONIC) < end);
    return least;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: simdjson-parse FOLDER SECONDS\n");
        return 2;
    }
    std::ifstream file(std::string(argv[1]) + "/events.jsonl");
    std::vector<simdjson::padded_string> events;
    for (std::string line; std::getline(file, line);) events.emplace_back(line);
    if (events.empty()) {
        fprintf(stderr, "simdjson-parse found no events in %s\n", argv[1]);
        return 1;
    }
    simdjson::dom::parser parser;
    best(parser, events, atof(argv[2]));
    printf("{\"cpu_us_per_event\":%.3f,\"events\":%zu}\n", best(parser, events, atof(argv[2])), events.size());
    return 0;
}
