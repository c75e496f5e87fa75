/*
 * The log callback.
 */

#include "base/private.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>


#define LINE_SIZE  1024

typedef struct {
    hie_log_cb       *cb;
    void             *baton;
    hie_log_level_t   max;
} log_sink_t;


static void
log_stderr(void *baton, hie_log_level_t level, const char *line)
{
    static const char *const  names[] = {
        "?", "error", "warn", "notice", "info", "debug"
    };
    char     buf[LINE_SIZE + 16];
    int      n;
    ssize_t  rv;

    if (level > HIE_LOG_DEBUG) {
        level = HIE_LOG_DEBUG;
    }
    n = snprintf(buf, sizeof(buf), "%s %s\n", names[level], line);

    /* One write, so that lines of several processes do not mix. There is
     * nobody to tell when it fails. */
    rv = write(STDERR_FILENO, buf, (size_t) n);
    (void) rv;
}


/*
 * Read without a lock: a sink is complete before it becomes the current one.
 * Two of them, so that a host that configures itself again does not change
 * the one that a thread may be reading.
 */
static log_sink_t             sinks[2] = { { log_stderr, NULL,
                                             HIE_LOG_NOTICE } };
static _Atomic(log_sink_t *)  current = &sinks[0];


void
hie_log_set(hie_log_cb *cb, void *baton, hie_log_level_t max)
{
    log_sink_t  *old = atomic_load(&current);
    log_sink_t  *sink = old == &sinks[0] ? &sinks[1] : &sinks[0];

    sink->cb = cb != NULL ? cb : log_stderr;
    sink->baton = baton;
    sink->max = max;

    atomic_store(&current, sink);
}


/* A line stays one line, whatever a peer put into a string. */
static void
replace_controls(char *z)
{
    for (; *z != '\0'; z++) {
        if ((unsigned char) *z < 0x20 || *z == 0x7f) {
            *z = ' ';
        }
    }
}


void
hie_log(hie_log_level_t level, const char *id, const char *fmt, ...)
{
    const log_sink_t  *sink = atomic_load(&current);
    char               line[LINE_SIZE];
    va_list            ap;
    int                n;

    if (level > sink->max) {
        return;
    }

    n = snprintf(line, sizeof(line), "%s: ", id);
    if (n < 0 || (size_t) n >= sizeof(line)) {
        return;
    }

    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(line) - (size_t) n, fmt, ap);
    va_end(ap);

    hie_utf8_cut(line);
    replace_controls(line);
    sink->cb(sink->baton, level, line);
}
