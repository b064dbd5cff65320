#ifndef MALLOC_COUNT_H
#define MALLOC_COUNT_H

/// How often this thread has asked for memory.
unsigned long malloc_count(void);

#endif
