/*
 * Carillon's producer for C and whatever can call C: job events into the stream, without ever making the caller wait.
 *
 *     carillon_producer *producer;
 *     char why[256];
 *     if (carillon_producer_open("home=/var/lib/carillon", NULL, NULL, &producer, why, sizeof why) != CARILLON_OK) …
 *     carillon_producer_append(producer, json, strlen(json), NULL, why, sizeof why);
 *     …
 *     carillon_producer_close(producer, 10000, NULL, 0);
 *
 * Threads: every function may be called from every thread, also at the same time, but for `carillon_producer_close`, which
 * comes last and once: the producer is freed when it returns.
 *
 * Forks: a child does not inherit the producer's thread. In the child, everything on a producer of its parent answers
 * CARILLON_FORKED and does nothing; it opens one of its own, best before it starts threads. Events the parent had accepted
 * are the parent's.
 *
 * Words: functions that can fail take `why` and its size (`NULL` and 0 for none) and write there, ended by a zero byte and
 * cut where it has to be, what is wrong and what to do. It stays empty when nothing is.
 *
 * Versions: functions are added, never changed; structs grow at their end only, and their callers say which size they know.
 */
#ifndef CARILLON_H
#define CARILLON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open producer. */
typedef struct carillon_producer carillon_producer;

/* What a call came to. New values may be added. */
#define CARILLON_OK 0         /* it was done */
#define CARILLON_FULL 1       /* not taken: the stream is away or slow, and memory and spool are full; counted */
#define CARILLON_TOO_LARGE 2  /* not taken: the event is larger than the stream or the memory takes */
#define CARILLON_CLOSED 3     /* not taken: the producer is being closed */
#define CARILLON_FORKED 4     /* not taken: this process is a fork of the producer's */
#define CARILLON_INVALID 5    /* not taken: it is no valid event; `why` says what to mend */
#define CARILLON_CONFIG 6     /* not opened: the configuration is wrong; `why` says where */
#define CARILLON_SYSTEM 7     /* not opened: the system refused a thread or a folder; `why` says which */
#define CARILLON_TIMEOUT 8    /* the time was over before everything was durable */
#define CARILLON_ARGUMENT 9   /* a pointer is missing or a size is none: the caller's mistake */

/* What became of accepted events. */
#define CARILLON_APPENDED 0   /* durable in the stream */
#define CARILLON_SPOOLED 1    /* durable on this machine's disk; goes to the stream when that is back */
#define CARILLON_REFUSED 2    /* gone: too large for the stream, or not durable when the time to close was over */

/* The number of an accepted event: 0 for a producer's first, then one more for each. */
typedef uint64_t carillon_ticket;

/*
 * Called on the producer's thread with the fate of `count` events from ticket `first` on; every accepted event is told once,
 * in order. Has to return soon, and must not call flush or close. Never called after close has returned.
 */
typedef void (*carillon_report)(void *context, carillon_ticket first, uint64_t count, int fate);

/* What a producer has done since it was opened. */
typedef struct carillon_counts {
    uint64_t accepted; /* taken by append */
    uint64_t appended; /* of these: durable in the stream, without a detour */
    uint64_t spooled;  /* of these: durable in the spool */
    uint64_t refused;  /* not taken, or given up at close */
    uint64_t drained;  /* moved from the spool to the stream, also what other processes left there */
    uint64_t waiting;  /* accepted, and neither durable nor refused yet */
} carillon_counts;

/* One attribute of an event: its CloudEvents name, such as "id", and its text in UTF-8. */
typedef struct carillon_attribute {
    const char *name;
    const char *value;
} carillon_attribute;

/* The version of the library, such as "0.1.0"; static. */
const char *carillon_version(void);

/* The word for a result, such as "full"; static. */
const char *carillon_result_name(int result);

/*
 * Opens a producer and starts its thread. `config` is text, a KEY=VALUE a line as `carillon --set` has it, or "@FILE" for a
 * file with such lines. Empty lines and lines that begin with # say nothing. NULL or "" is the home of `carillon`.
 *
 *     home=/var/lib/carillon           the folder for data: the stream is stream.db in it, the spool is spool in it
 *     stream.kind=sqlite               the backend: sqlite or kafka
 *     stream.path=/srv/stream.db
 *     stream.topics=carillon.events    of kafka: the first is appended to; commas between
 *     stream.properties.bootstrap.servers=kafka:9092
 *     stream.properties.NAME=VALUE     of kafka: librdkafka's settings; NAME_file=PATH reads the value from a file
 *     spool.path=/srv/spool            empty: no spool, events wait in memory
 *     spool.bytes=1073741824           the spool's size over all processes that share it
 *     memory.events=65536              events waiting in memory
 *     memory.bytes=67108864            their bytes
 *
 * The stream need not be there: until it is, events go to the spool. `report` may be NULL. May block for a moment.
 * Answers CARILLON_OK, CARILLON_CONFIG, CARILLON_SYSTEM or CARILLON_ARGUMENT; `*producer` is NULL unless it is OK.
 */
int carillon_producer_open(
    const char *config, carillon_report report, void *context, carillon_producer **producer, char *why, size_t why_size);

/*
 * Takes one event: a CloudEvent as one JSON object of `length` bytes. The bytes are copied. A missing `time` is stamped.
 * Never blocks. CARILLON_OK means accepted, not durable: the report, or flush, tells when it is. `ticket` may be NULL.
 */
int carillon_producer_append(
    carillon_producer *producer, const char *event, size_t length, carillon_ticket *ticket, char *why, size_t why_size);

/*
 * The same from attributes and data: CloudEvents' binary mode. `specversion` is 1.0 when it is not among the `count`
 * attributes. `data` of `length` bytes is what `content_type` says, NULL meaning JSON; NULL and 0 for no data.
 */
int carillon_producer_append_parts(
    carillon_producer *producer, const carillon_attribute *attributes, size_t count, const char *content_type,
    const void *data, size_t length, carillon_ticket *ticket, char *why, size_t why_size);

/* Waits until every event accepted so far is durable or refused, at most `milliseconds`: CARILLON_OK or CARILLON_TIMEOUT. */
int carillon_producer_flush(carillon_producer *producer, int64_t milliseconds);

/* Writes what was done so far into `counts`, of which the caller knows `size` bytes: sizeof(carillon_counts). */
int carillon_producer_counts(const carillon_producer *producer, carillon_counts *counts, size_t size);

/* Writes the last trouble with stream or spool into `why`; empty when there is none. Answers CARILLON_OK. */
int carillon_producer_trouble(const carillon_producer *producer, char *why, size_t why_size);

/*
 * Takes no more events, brings those in memory to the stream or the spool, at most for `milliseconds`, and frees the
 * producer. `counts`, unless NULL, gets the final counts; `size` is sizeof(carillon_counts).
 * CARILLON_OK when every accepted event is durable, CARILLON_TIMEOUT when some were refused, CARILLON_FORKED in a child, where
 * the producer is left alone. Exit without close loses what was accepted and not yet reported as durable.
 */
int carillon_producer_close(carillon_producer *producer, int64_t milliseconds, carillon_counts *counts, size_t size);

#ifdef __cplusplus
}
#endif
#endif
