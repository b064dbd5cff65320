// The receiver: answers every POST with an empty 200, over keep-alive connections, as cheaply as one epoll loop can.
// It counts, and for bodies that carry "sentNs":N (wall clock, nanoseconds) it measures N to here.
//
//   sink [--port P] [--delay MS] [--log FILE]
//
// GET /stats   {"requests":…,"latency_us":{"count":…,"p50":…,"p99":…,"max":…}}
// GET /reset   forgets what was counted
// GET /trouble from now on the paths below behave badly; GET /calm ends that
//   /hang      takes a request and says nothing for 30 s
//   /trickle   answers one byte a second
//   /flap      answers every other request with 503, by chance
// --log        a line per request: arrival in nanoseconds since 1970, webhook-id, subject, "seq" of the event's data
#define _GNU_SOURCE
#include "limits.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { BUFFER = 1 << 19, MAX_CONNECTIONS = 16384, MAX_LATENCIES = 1 << 20 };

struct connection {
    int fd;
    size_t used;
    char *buffer;
};
struct late { int fd; uint32_t generation; int64_t due; };
// Answers that come byte by byte; few at a time, so they are looked through.
struct trickle { int fd; uint32_t generation; size_t sent; };

static struct connection *connections[MAX_CONNECTIONS];
static uint32_t generations[MAX_CONNECTIONS];
static int64_t delay_ns, requests, latencies[MAX_LATENCIES];
static size_t latency_count;
static FILE *request_log;
static struct late *late_answers;
static size_t late_first, late_end, late_capacity;
static struct trickle trickles[MAX_CONNECTIONS];
static size_t trickle_count;
static int64_t next_drop;
static int in_trouble;
static uint64_t chance = 0x9E3779B97F4A7C15;
static volatile sig_atomic_t stopped;

static const int64_t HANG = 30000000000, DROP = 1000000000;
static const char OK[] = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
static const char BUSY[] = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

static void stop(int signal) { (void)signal; stopped = 1; }

static void answer(int fd, const char *text, size_t length) {
    // A receiver that does not read its answers loses them; no benchmark pipelines enough to fill a socket.
    if (send(fd, text, length, MSG_NOSIGNAL) != (ssize_t)length && errno != EPIPE && errno != ECONNRESET)
        fprintf(stderr, "sink: an answer was cut short: %s\n", strerror(errno));
}

static void answer_later(int fd, int64_t due) {
    if (late_end == late_capacity) {
        memmove(late_answers, late_answers + late_first, (late_end - late_first) * sizeof *late_answers);
        late_end -= late_first;
        late_first = 0;
        if (late_end * 2 >= late_capacity) {
            late_capacity = late_capacity ? late_capacity * 2 : 1024;
            late_answers = realloc(late_answers, late_capacity * sizeof *late_answers);
            if (!late_answers) DIE("sink: out of memory");
        }
    }
    late_answers[late_end++] = (struct late){fd, generations[fd], due};
}

static int send_due_answers(void) {
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    for (; late_first < late_end && late_answers[late_first].due <= now; late_first++) {
        struct late *l = &late_answers[late_first];
        if (connections[l->fd] && generations[l->fd] == l->generation) answer(l->fd, OK, sizeof OK - 1);
    }
    int64_t due = INT64_MAX;
    if (trickle_count && now >= next_drop) {
        next_drop = now + DROP;
        for (size_t i = 0; i < trickle_count;) {
            struct trickle *t = &trickles[i];
            int gone = !connections[t->fd] || generations[t->fd] != t->generation;
            if (!gone) answer(t->fd, OK + t->sent++, 1);
            if (gone || t->sent == sizeof OK - 1) *t = trickles[--trickle_count];
            else i++;
        }
    }
    if (trickle_count) due = next_drop;
    if (late_first < late_end && late_answers[late_first].due < due) due = late_answers[late_first].due;
    return due == INT64_MAX ? -1 : (int)((due - now + 999999) / 1000000);
}

static void trickle(int fd) {
    if (trickle_count == 0) next_drop = clock_ns(CLOCK_MONOTONIC) + DROP;
    if (trickle_count < MAX_CONNECTIONS) trickles[trickle_count++] = (struct trickle){fd, generations[fd], 0};
}

// How a path behaves in bad times; 0 for as all others do.
static int answer_badly(int fd, const char *head) {
    const char *path = strchr(head, ' ');
    if (!path) return 0;
    if (!strncmp(path, " /hang", 6)) answer_later(fd, clock_ns(CLOCK_MONOTONIC) + HANG);
    else if (!strncmp(path, " /trickle", 9)) trickle(fd);
    else if (!strncmp(path, " /flap", 6)) {
        chance ^= chance << 13, chance ^= chance >> 7, chance ^= chance << 17;
        if (chance & 1) answer(fd, BUSY, sizeof BUSY - 1);
        else answer(fd, OK, sizeof OK - 1);
    } else return 0;
    return 1;
}

static void send_stats(int fd) {
    qsort(latencies, latency_count, sizeof *latencies, compare_int64);
    double p50 = 0, p99 = 0, max = 0;
    if (latency_count) {
        p50 = latencies[latency_count / 2] / 1e3;
        p99 = latencies[(size_t)(latency_count * 0.99)] / 1e3;
        max = latencies[latency_count - 1] / 1e3;
    }
    char body[256], head[400];
    int n = snprintf(body, sizeof body,
        "{\"requests\":%lld,\"latency_us\":{\"count\":%zu,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}}\n",
        (long long)requests, latency_count, p50, p99, max);
    n = snprintf(head, sizeof head,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s", n, body);
    answer(fd, head, n);
}

static const char *find(const char *text, size_t length, const char *word) {
    return memmem(text, length, word, strlen(word));
}

static void count_request(const char *head, size_t head_length, const char *body, size_t body_length) {
    requests++;
    const char *sent = find(body, body_length, "\"sentNs\":");
    if (sent && latency_count < MAX_LATENCIES)
        latencies[latency_count++] = clock_ns(CLOCK_REALTIME) - strtoll(sent + 9, NULL, 10);
    if (!request_log) return;
    const char *id = strcasestr(head, "\nwebhook-id:");
    if (!id || id > head + head_length) return;
    for (id += 12; *id == ' '; id++) {}
    const char *subject = find(body, body_length, "\"subject\":\""), *seq = find(body, body_length, "\"seq\":");
    fprintf(request_log, "%lld %.*s", (long long)clock_ns(CLOCK_REALTIME), (int)strcspn(id, "\r\n"), id);
    if (subject && seq) {
        subject += 11;
        fprintf(request_log, " %.*s %lld", (int)strcspn(subject, "\""), subject, strtoll(seq + 6, NULL, 10));
    }
    fputc('\n', request_log);
}

// Takes one request off the front; 0 when it is not complete yet, -1 when it is not HTTP.
static ssize_t take_request(struct connection *c, size_t from) {
    char *start = c->buffer + from;
    size_t available = c->used - from;
    char *end = memmem(start, available, "\r\n\r\n", 4);
    if (!end) return available >= 65536 ? -1 : 0;
    size_t head_length = end + 4 - start;
    *end = 0; // strcasestr wants a C string; the byte is put back below
    const char *field = strcasestr(start, "\ncontent-length:");
    size_t body_length = field ? strtoul(field + 16, NULL, 10) : 0;
    *end = '\r';
    if (body_length > BUFFER / 2) return -1;
    if (available < head_length + body_length) return 0;
    if (!strncmp(start, "GET /stats", 10)) {
        send_stats(c->fd);
    } else if (!strncmp(start, "GET /reset", 10)) {
        requests = latency_count = 0;
        if (request_log) fflush(request_log);
        answer(c->fd, OK, sizeof OK - 1);
    } else if (!strncmp(start, "GET /trouble", 12) || !strncmp(start, "GET /calm", 9)) {
        in_trouble = start[5] == 't';
        answer(c->fd, OK, sizeof OK - 1);
    } else {
        *end = 0;
        count_request(start, head_length, start + head_length, body_length);
        *end = '\r';
        if (in_trouble && answer_badly(c->fd, start)) return head_length + body_length;
        if (delay_ns) answer_later(c->fd, clock_ns(CLOCK_MONOTONIC) + delay_ns);
        else answer(c->fd, OK, sizeof OK - 1);
    }
    return head_length + body_length;
}

static void drop(struct connection *c) {
    connections[c->fd] = NULL;
    generations[c->fd]++;
    close(c->fd);
    free(c->buffer);
    free(c);
}

static void serve(struct connection *c) {
    ssize_t got = recv(c->fd, c->buffer + c->used, BUFFER - c->used, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return drop(c);
    c->used += got;
    size_t from = 0;
    ssize_t took;
    while (from < c->used && (took = take_request(c, from)) != 0) {
        if (took < 0) return drop(c);
        from += took;
    }
    memmove(c->buffer, c->buffer + from, c->used - from);
    c->used -= from;
}

static void accept_all(int listener, int epoll) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= MAX_CONNECTIONS) { close(fd); continue; }
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct connection *c = calloc(1, sizeof *c);
        if (!c || !(c->buffer = malloc(BUFFER))) DIE("sink: out of memory");
        c->fd = fd;
        connections[fd] = c;
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
    }
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) DIE("sink: port %d: %s", port, strerror(errno));
    socklen_t n = sizeof a;
    getsockname(fd, (struct sockaddr *)&a, &n);
    printf("http://127.0.0.1:%d/\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    int port = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--port")) port = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--delay")) delay_ns = atoll(argv[i + 1]) * 1000000;
        else if (!strcmp(argv[i], "--log")) {
            if (!(request_log = fopen(argv[i + 1], "w"))) DIE("sink: %s: %s", argv[i + 1], strerror(errno));
        } else DIE("usage: sink [--port P] [--delay MS] [--log FILE]");
    }
    struct sigaction on_stop = {.sa_handler = stop};
    sigaction(SIGTERM, &on_stop, NULL);
    sigaction(SIGINT, &on_stop, NULL);
    int listener = listen_on(port), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    while (!stopped) {
        int n = epoll_wait(epoll, events, 256, send_due_answers());
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) accept_all(listener, epoll);
            else if (connections[fd]) serve(connections[fd]);
        }
    }
    if (request_log) fclose(request_log);
    return 0;
}
