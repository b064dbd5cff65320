/*
 * A scheduler in C: threads that run jobs and say what happens to them. `./scheduler HOME WORKSPACE JOBS [SETTING...]` publishes
 * two events a job, from four threads through one producer, and ends with 0 when all of them are durable. Over Kafka:
 *
 *     ./scheduler HOME WORKSPACE JOBS stream.kind=kafka stream.properties.bootstrap.servers=kafka:9092
 */
#include <carillon.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4 };

struct crew {
    carillon_producer *producer;
    const char *workspace;
    int jobs, number;
};

/* Called on the producer's thread: one line for what did not become durable. */
static void report(void *context, carillon_ticket first, uint64_t count, int fate) {
    if (fate == CARILLON_REFUSED)
        fprintf(stderr, "%s: events %llu to %llu are lost\n", (const char *)context, (unsigned long long)first,
                (unsigned long long)(first + count - 1));
}

static int say(struct crew *crew, int job, const char *type, const char *data) {
    char id[64], subject[32], why[256];
    snprintf(subject, sizeof subject, "job-%d", job);
    snprintf(id, sizeof id, "%s/1/%s", subject, type);
    carillon_attribute attributes[] = {
        {"id", id}, {"source", "/examples/c"}, {"type", type}, {"workspace", crew->workspace}, {"subject", subject},
    };
    int result = carillon_producer_append_parts(crew->producer, attributes, sizeof attributes / sizeof *attributes, NULL,
                                                data, strlen(data), NULL, why, sizeof why);
    if (result != CARILLON_OK) fprintf(stderr, "not taken: %s: %s\n", carillon_result_name(result), why);
    return result;
}

static void *work(void *argument) {
    struct crew *crew = argument;
    for (int job = crew->number; job < crew->jobs; job += THREADS) {
        say(crew, job, "job.running", "{\"owner\": \"alice\"}");
        say(crew, job, job % 10 ? "job.succeeded" : "job.failed", job % 10 ? "{}" : "{\"exitCode\": 137}");
    }
    return NULL;
}

int main(int count, char **arguments) {
    if (count < 4) {
        fprintf(stderr, "usage: %s HOME WORKSPACE JOBS [SETTING...]\n", arguments[0]);
        return 2;
    }
    char config[4096], why[256];
    int length = snprintf(config, sizeof config, "home=%s\n", arguments[1]);
    for (int i = 4; i < count && length < (int)sizeof config; i++)
        length += snprintf(config + length, sizeof config - length, "%s\n", arguments[i]);
    carillon_producer *producer;
    if (carillon_producer_open(config, report, arguments[0], &producer, why, sizeof why) != CARILLON_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    pthread_t threads[THREADS];
    struct crew crews[THREADS];
    for (int i = 0; i < THREADS; i++) {
        crews[i] = (struct crew){producer, arguments[2], atoi(arguments[3]), i};
        if (pthread_create(&threads[i], NULL, work, &crews[i]) != 0) return 1;
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    carillon_counts counts;
    int result = carillon_producer_close(producer, 10000, &counts, sizeof counts);
    printf("accepted %llu appended %llu spooled %llu refused %llu\n", (unsigned long long)counts.accepted,
           (unsigned long long)counts.appended, (unsigned long long)counts.spooled, (unsigned long long)counts.refused);
    return result == CARILLON_OK ? 0 : 1;
}
