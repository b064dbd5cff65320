// The least a consumer can do: librdkafka's own loop over every record of a topic, and the header that decides.
//
//     raw-kafka-consume SERVERS TOPIC     prints rows, CPU and wall microseconds a row of the whole process
#include "limits.h"
#include <librdkafka/rdkafka.h>

#define BATCH 512

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char words[512];
    if (rd_kafka_conf_set(conf, name, value, words, sizeof words) != RD_KAFKA_CONF_OK) DIE("%s", words);
}

int main(int argc, char **argv) {
    if (argc != 3) DIE("usage: raw-kafka-consume SERVERS TOPIC");
    char words[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", argv[1]);
    set(conf, "group.id", "raw-kafka-consume");
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.partition.eof", "true");
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, words, sizeof words);
    if (!rk) DIE("%s", words);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, argv[2], NULL);
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(rk, 0, topic, &metadata, 10000)) DIE("no metadata of %s", argv[2]);
    int partitions = metadata->topics[0].partition_cnt;
    int64_t total = 0;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; i++) {
        int64_t low, high;
        if (rd_kafka_query_watermark_offsets(rk, argv[2], i, &low, &high, 10000)) DIE("no ends of %s/%d", argv[2], i);
        total += high - low;
        rd_kafka_topic_partition_list_add(all, argv[2], i)->offset = low;
    }

    int64_t cpu = cpu_ns(), wall = clock_ns(CLOCK_MONOTONIC), rows = 0, wanted = 0;
    rd_kafka_assign(rk, all);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    static rd_kafka_message_t *messages[BATCH];
    // A batch that is not full is waited for as long as the call is told: at the end that is no work, so it is short.
    while (rows < total) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, 5, messages, BATCH);
        for (ssize_t i = 0; i < count; i++) {
            if (!messages[i]->err) {
                rd_kafka_headers_t *headers;
                const void *type;
                size_t size;
                rows++;
                if (!rd_kafka_message_headers(messages[i], &headers) &&
                    !rd_kafka_header_get_last(headers, "ce_type", &type, &size))
                    wanted += size == 9 && memcmp(type, "no.matter", 9) == 0;
            }
            rd_kafka_message_destroy(messages[i]);
        }
    }
    cpu = cpu_ns() - cpu;
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    if (!rows) DIE("%s is empty", argv[2]);
    printf("{\"rows\":%lld,\"cpu_us_per_row\":%g,\"wall_us_per_row\":%g,\"wanted\":%lld}\n", (long long)rows,
           cpu / 1e3 / rows, wall / 1e3 / rows, (long long)wanted);
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_partition_list_destroy(all);
    rd_kafka_topic_destroy(topic);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return 0;
}
