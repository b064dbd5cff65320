#ifndef CARILLON_CKAFKA_H
#define CARILLON_CKAFKA_H
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

// rd_kafka_producev is variadic, which Swift cannot call, and half the price of rd_kafka_produceva from there.
// Takes the headers when it succeeds.
static inline rd_kafka_resp_err_t carillon_produce(
    rd_kafka_t *rk, rd_kafka_topic_t *topic, const void *key, size_t key_size, const void *value, size_t value_size,
    rd_kafka_headers_t *headers, int64_t timestamp, void *opaque) {
    return rd_kafka_producev(
        rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE((void *)value, value_size),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_OPAQUE(opaque),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK), RD_KAFKA_V_END);
}
// rd_kafka_conf_set_log_cb wants a function type Swift has no nil for.
static inline void carillon_no_log(rd_kafka_conf_t *conf) { rd_kafka_conf_set_log_cb(conf, 0); }

// What a header says of its record; names are compared here, where they are C strings.
enum carillon_header {
    CARILLON_HEADER_FOREIGN, CARILLON_HEADER_TYPE, CARILLON_HEADER_WORKSPACE, CARILLON_HEADER_PARTITIONKEY,
    CARILLON_HEADER_CONTENT_TYPE, CARILLON_HEADER_ATTRIBUTE
};
static inline int carillon_header(const char *name) {
    if (memcmp(name, "ce_", strnlen(name, 3)) == 0 && strnlen(name, 3) == 3) {
        if (strcmp(name + 3, "type") == 0) return CARILLON_HEADER_TYPE;
        if (strcmp(name + 3, "workspace") == 0) return CARILLON_HEADER_WORKSPACE;
        if (strcmp(name + 3, "partitionkey") == 0) return CARILLON_HEADER_PARTITIONKEY;
        return CARILLON_HEADER_ATTRIBUTE;
    }
    return strcasecmp(name, "content-type") == 0 ? CARILLON_HEADER_CONTENT_TYPE : CARILLON_HEADER_FOREIGN;
}
// Whether a content type is one of CloudEvents' structured modes.
static inline int carillon_is_structured(const void *type, size_t size) {
    return size >= 23 && strncasecmp((const char *)type, "application/cloudevents", 23) == 0;
}

// regex_t has a form of its own on each system; librdkafka matches `^pattern` topics with the same calls.
static inline regex_t *carillon_regex_new(const char *pattern) {
    regex_t *r = (regex_t *)malloc(sizeof *r);
    if (r && regcomp(r, pattern, REG_EXTENDED) != 0) { free(r); r = 0; }
    return r;
}
static inline void carillon_regex_free(regex_t *r) { regfree(r); free(r); }
// 1 when it matches; the first group's place, or -1, in `from` and `to`.
static inline int carillon_regex_match(const regex_t *r, const char *text, int *from, int *to) {
    regmatch_t m[2] = {{-1, -1}, {-1, -1}};
    if (regexec(r, text, 2, m, 0) != 0) return 0;
    *from = m[1].rm_so;
    *to = m[1].rm_eo;
    return 1;
}
#endif
