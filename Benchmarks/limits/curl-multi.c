// What libcurl takes to carry a request when nothing else is done: one thread, the multi interface, kept connections.
//
//   curl-multi URL [COUNT [CONNECTIONS]]
#define _GNU_SOURCE
#include "limits.h"
#include <curl/curl.h>

static size_t ignore(char *bytes, size_t size, size_t count, void *context) {
    (void)bytes, (void)context;
    return size * count;
}

static char body[601];

static CURL *make(const char *url, struct curl_slist *headers) {
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 600L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 15000L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L);
    return easy;
}

int main(int argc, char **argv) {
    if (argc < 2) DIE("usage: curl-multi URL [COUNT [CONNECTIONS]]");
    long count = argc > 2 ? atol(argv[2]) : 100000, connections = argc > 3 ? atol(argv[3]) : 64;
    memset(body, 'x', 600);
    struct curl_slist *headers = curl_slist_append(NULL, "content-type: application/json");
    headers = curl_slist_append(headers, "webhook-id: 0123456789abcdef0123456789abcdef");
    headers = curl_slist_append(headers, "webhook-timestamp: 1767600000");
    headers = curl_slist_append(headers, "webhook-signature: v1,0123456789abcdef0123456789abcdef0123456789ab");
    headers = curl_slist_append(headers, "Expect:");
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
    int64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = cpu_ns();
    long begun = 0, ended = 0, failed = 0;
    for (; begun < connections && begun < count; begun++) curl_multi_add_handle(multi, make(argv[1], headers));
    while (ended < count) {
        int running, left;
        curl_multi_perform(multi, &running);
        for (CURLMsg *m; (m = curl_multi_info_read(multi, &left));) {
            CURL *easy = m->easy_handle;
            if (m->data.result) failed++;
            ended++;
            curl_multi_remove_handle(multi, easy);
            if (begun < count) begun++, curl_multi_add_handle(multi, easy);
        }
        if (ended < count) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    cpu = cpu_ns() - cpu;
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    printf("{\"count\":%ld,\"failed\":%ld,\"cpu_us_each\":%.2f,\"wall_us_each\":%.2f}\n", count, failed, cpu / 1e3 / count,
        wall / 1e3 / count);
    return 0;
}
