// What the limit programs share: clocks, failing loudly, and a file of lines in memory.
#ifndef CARILLON_LIMITS_H
#define CARILLON_LIMITS_H
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIE(...) do { fprintf(stderr, __VA_ARGS__); fputc('\n', stderr); exit(1); } while (0)

static inline int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// CPU of the whole process, user and system, in nanoseconds.
static inline int64_t cpu_ns(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return ((int64_t)u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 +
           ((int64_t)u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

struct text { const char *at, *end; };

// The whole file, its pages read in, so that the disk is not measured.
static inline struct text map_file(const char *path) {
    int fd = open(path, O_RDONLY);
    struct stat s;
    if (fd < 0 || fstat(fd, &s)) DIE("could not open %s: %s", path, strerror(errno));
    if (s.st_size == 0) DIE("%s is empty", path);
    void *p = mmap(NULL, s.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (p == MAP_FAILED) DIE("could not map %s: %s", path, strerror(errno));
    close(fd);
    return (struct text){(const char *)p, (const char *)p + s.st_size};
}

// The next line without its end; its `at` is NULL behind the last.
static inline struct text next_line(struct text *rest) {
    while (rest->at < rest->end) {
        const char *start = rest->at;
        const char *newline = (const char *)memchr(start, '\n', rest->end - start);
        const char *end = newline ? newline : rest->end;
        rest->at = newline ? newline + 1 : rest->end;
        if (end > start) return (struct text){start, end};
    }
    return (struct text){NULL, NULL};
}

static inline int compare_int64(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}
#endif
