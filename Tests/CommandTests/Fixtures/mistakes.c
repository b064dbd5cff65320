/* Every way to use carillon.h wrongly, and a fork; prints what is not as the header says. */
#include <carillon.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;
static char why[512];

static void is(const char *what, int found, int expected, const char *words) {
    if (found == expected && (!words || strstr(why, words))) return;
    printf("%s: %s instead of %s: %s\n", what, carillon_result_name(found), carillon_result_name(expected), why);
    failures++;
}

static int open_with(const char *config) {
    carillon_producer *producer = (carillon_producer *)&failures;
    int result = carillon_producer_open(config, NULL, NULL, &producer, why, sizeof why);
    if (producer && result != CARILLON_OK) failures++;
    if (producer && result == CARILLON_OK) carillon_producer_close(producer, 0, NULL, 0);
    return result;
}

static void configurations(const char *folder) {
    char text[4096];
    is("unknown key", open_with("strem.path=/x"), CARILLON_CONFIG, "config:1: unknown key strem.path");
    is("unknown kind", open_with("\n\nstream.kind=pigeon"), CARILLON_CONFIG, "config:3: stream.kind pigeon");
    is("no equals", open_with("# fine\nhome"), CARILLON_CONFIG, "config:2: write KEY=VALUE");
    is("twice", open_with("home=/a\nhome=/b"), CARILLON_CONFIG, "config:2: home stands twice");
    is("no number", open_with("memory.events=many"), CARILLON_CONFIG, "config:1: memory.events is a whole number");
    is("no file", open_with("@/nowhere/x.conf"), CARILLON_CONFIG, "/nowhere/x.conf: cannot be read");
    is("bad folder", open_with("home=/dev/null"), CARILLON_SYSTEM, "spool could not");
    snprintf(text, sizeof text, "%s/producer.conf", folder);
    FILE *file = fopen(text, "w");
    fprintf(file, "# a file\nhome = %s/other \r\nspool.bytes=65536\n", folder);
    fclose(file);
    snprintf(text, sizeof text, "@%s/producer.conf", folder);
    is("a file", open_with(text), CARILLON_OK, "");
    is("no room for the producer", carillon_producer_open("", NULL, NULL, NULL, why, sizeof why), CARILLON_ARGUMENT, "NULL");
}

static void nothing(void) {
    carillon_counts counts;
    is("append NULL", carillon_producer_append(NULL, "{}", 2, NULL, NULL, 0), CARILLON_ARGUMENT, NULL);
    is("parts NULL", carillon_producer_append_parts(NULL, NULL, 0, NULL, NULL, 0, NULL, NULL, 0), CARILLON_ARGUMENT, NULL);
    is("flush NULL", carillon_producer_flush(NULL, 1), CARILLON_ARGUMENT, NULL);
    is("counts NULL", carillon_producer_counts(NULL, &counts, sizeof counts), CARILLON_ARGUMENT, NULL);
    is("close NULL", carillon_producer_close(NULL, 1, NULL, 0), CARILLON_ARGUMENT, NULL);
}

static int append(carillon_producer *producer, const char *event, size_t length) {
    return carillon_producer_append(producer, event, length, NULL, why, sizeof why);
}

static void events(carillon_producer *producer) {
    static char large[300 * 1024];
    memset(large, ' ', sizeof large);
    is("empty", append(producer, "", 0), CARILLON_INVALID, "not JSON");
    is("no event", append(producer, "{}", 2), CARILLON_INVALID, "is missing");
    is("no text", append(producer, "\xff\xfe", 2), CARILLON_INVALID, "not JSON");
    is("large", append(producer, large, sizeof large), CARILLON_INVALID, "the limit is 262144");
    is("endless", append(producer, "{}", (size_t)1 << 62), CARILLON_INVALID, "the limit is 262144");
    is("NULL event", append(producer, NULL, 0), CARILLON_ARGUMENT, "NULL");
    carillon_attribute half = {"id", NULL}, odd = {"Id!", "1"};
    is("half", carillon_producer_append_parts(producer, &half, 1, NULL, NULL, 0, NULL, why, sizeof why), CARILLON_ARGUMENT, "NULL");
    is("odd", carillon_producer_append_parts(producer, &odd, 1, NULL, NULL, 0, NULL, why, sizeof why), CARILLON_INVALID, "Id!");
    is("no data", carillon_producer_append_parts(producer, &odd, 1, NULL, NULL, 5, NULL, why, sizeof why), CARILLON_ARGUMENT, "NULL");
    memset(why, 'x', sizeof why);
    carillon_producer_append(producer, "{}", 2, NULL, why, 10);
    if (why[9] != 0 || why[10] != 'x') failures++, printf("words beyond their buffer\n");
}

static void forks(carillon_producer *producer) {
    pid_t child = fork();
    if (child == 0) {
        const char *event = "{\"specversion\":\"1.0\",\"id\":\"c\",\"source\":\"/c\",\"type\":\"t\",\"workspace\":\"v\"}";
        carillon_counts counts;
        is("append in a child", append(producer, event, strlen(event)), CARILLON_FORKED, "fork");
        is("flush in a child", carillon_producer_flush(producer, 1000), CARILLON_FORKED, NULL);
        is("counts in a child", carillon_producer_counts(producer, &counts, sizeof counts), CARILLON_FORKED, NULL);
        is("close in a child", carillon_producer_close(producer, 1000, NULL, 0), CARILLON_FORKED, NULL);
        fflush(stdout);
        _exit(failures != 0);
    }
    int status;
    waitpid(child, &status, 0);
    if (status != 0) failures++;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    configurations(arguments[2]);
    nothing();
    char config[4096];
    snprintf(config, sizeof config, "home=%s", arguments[1]);
    carillon_producer *producer;
    is("open", carillon_producer_open(config, NULL, NULL, &producer, why, sizeof why), CARILLON_OK, "");
    events(producer);
    forks(producer);
    carillon_counts counts = {0};
    /* A caller compiled with an older, shorter struct. */
    counts.drained = 77;
    is("counts", carillon_producer_counts(producer, &counts, 4 * sizeof(uint64_t)), CARILLON_OK, NULL);
    if (counts.accepted != 0 || counts.drained != 77) failures++, printf("counts are wrong\n");
    is("flush", carillon_producer_flush(producer, -1), CARILLON_OK, NULL);
    is("close", carillon_producer_close(producer, 10000, &counts, sizeof counts), CARILLON_OK, NULL);
    if (strcmp(carillon_result_name(99), "unknown") || !carillon_version()[0]) failures++;
    return failures != 0;
}
