/*
 * Reads that come at the same time share a round trip.
 *
 * A few callers at a time are leaders: one takes what others have queued up
 * meanwhile, sends it together with its own statement in one pipeline, hands
 * out the results, and makes the next in the queue the leader. Alone it does
 * what hie_store_query does. The database and the threads are woken once for
 * several reads, which is most of what a read costs.
 *
 * A pipeline is one implicit transaction, but each of its statements has a
 * snapshot of its own, taken after its request had come (PostgreSQL 15
 * documentation, section 34.5.1.3 and 13.2.1): a revocation that was committed
 * before a request is seen by it.
 */

#include "store/private.h"

#include <stdatomic.h>
#include <string.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>


#define LEADERS  2               /* round trips at a time */
#define FOLLOW   15              /* statements that a leader takes along */

/* What became of a caller in the queue. */
enum { WAITS = 0, SERVED, LEADS };

struct hie_share_t {
    hie_share_t            *next;
    const hie_stmt_t       *stmt;
    const hie_params_t     *params;
    PGresult               *res;
    hie_rc_t                rc;          /* 0: it has to ask by itself */
    hie_error_t             err;
    _Atomic uint32_t        state;       /* the word it sleeps on */
};


/* With the lock: the first of the queue, or NULL. */
static hie_share_t *
take_first(hie_store_t *s)
{
    hie_share_t  *first = s->queue;

    if (first != NULL) {
        s->queue = first->next;
        if (s->queue == NULL) {
            s->queue_end = &s->queue;
        }
    }
    return first;
}


/* Takes a caller out of the queue. False: a leader has taken it already. */
static bool
leave_queue(hie_store_t *s, hie_share_t *me)
{
    hie_share_t  **at;
    bool           found;

    pthread_mutex_lock(&s->share_lock);
    for (at = &s->queue; *at != NULL && *at != me; at = &(*at)->next) {
        /* void */
    }
    found = *at == me;
    if (found) {
        *at = me->next;
        if (*at == NULL) {
            s->queue_end = at;
        }
    }
    pthread_mutex_unlock(&s->share_lock);

    return found;
}


/* False: nobody took it in time. */
static bool
sleep_queued(hie_store_t *s, hie_share_t *me)
{
    int64_t          deadline, left;
    struct timespec  ts;

    deadline = hie_store_clock() + s->conf->database.acquire_timeout;
    while (atomic_load_explicit(&me->state, memory_order_acquire) == WAITS) {
        left = deadline - hie_store_clock();
        if (left <= 0 && leave_queue(s, me)) {
            return false;
        }

        /* Who was taken is waited for: its leader has time-outs of its own. */
        ts.tv_sec = (time_t) (left / 1000);
        ts.tv_nsec = (long) (left % 1000) * 1000000;
        syscall(SYS_futex, &me->state, FUTEX_WAIT_PRIVATE, WAITS,
                left > 0 ? &ts : NULL, NULL, 0);
    }
    return true;
}


/* The place of the sleeper may be gone when the call is made: then somebody
 * else sleeping there wakes for nothing and looks at its own word. */
static void
wake_queued(hie_share_t *other, uint32_t state)
{
    atomic_store_explicit(&other->state, state, memory_order_release);
    syscall(SYS_futex, &other->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}


/* What the pipeline as a whole came to. A database that did not answer has
 * not answered anybody; after any other failure each asks again by itself,
 * where it is tried on another connection or gets its own error. */
static void
settle(hie_share_t **all, const hie_op_t *ops, int n, hie_wire_t wire,
       const hie_error_t *err)
{
    int  i;

    for (i = 0; i < n; i++) {
        if (wire == HIE_WIRE_OK) {
            all[i]->res = ops[i].res;
            all[i]->rc = HIE_OK;
        } else if (wire == HIE_WIRE_TIMEOUT) {
            all[i]->rc = err->rc;
            all[i]->err = *err;
        }
    }
}


hie_wire_t
hie_store_run_together(hie_store_t *s, hie_op_t *ops, int n, hie_error_t *err)
{
    hie_conn_t  *c;
    hie_wire_t   wire;
    hie_rc_t     rc;

    if (hie_store_acquire(s, false, &c, err) != HIE_OK) {
        return HIE_WIRE_TIMEOUT;
    }
    wire = hie_wire_run(c, ops, n, s->conf->database.statement_timeout, &rc,
                        err);
    hie_store_release(s, c);

    /* What took too long for all takes too long for each. */
    return wire == HIE_WIRE_ERROR && rc == HIE_BUSY ? HIE_WIRE_TIMEOUT : wire;
}


static void
run_together(hie_store_t *s, hie_share_t **all, int n)
{
    hie_op_t     ops[FOLLOW + 1];
    hie_error_t  err;
    int          i;

    for (i = 0; i < n; i++) {
        ops[i] = (hie_op_t) { all[i]->stmt, all[i]->params, NULL };
    }
    settle(all, ops, n, hie_store_run_together(s, ops, n, &err), &err);
}


static void
lead(hie_store_t *s, hie_share_t *me)
{
    hie_share_t  *all[FOLLOW + 1], *heir;
    int           i, n = 1;

    all[0] = me;

    pthread_mutex_lock(&s->share_lock);
    while (n <= FOLLOW && (all[n] = take_first(s)) != NULL) {
        n++;
    }
    pthread_mutex_unlock(&s->share_lock);

    if (n > 1) {
        run_together(s, all, n);
    } else {
        me->rc = hie_store_query(s, me->stmt, me->params, &me->res, &me->err);
    }

    pthread_mutex_lock(&s->share_lock);
    heir = take_first(s);
    if (heir == NULL) {
        s->leaders--;
    }
    pthread_mutex_unlock(&s->share_lock);

    if (heir != NULL) {
        wake_queued(heir, LEADS);
    }
    for (i = 1; i < n; i++) {
        wake_queued(all[i], SERVED);
    }
}


hie_rc_t
hie_store_query_shared(hie_store_t *s, const hie_stmt_t *st,
                       const hie_params_t *p, PGresult **res,
                       hie_error_t *err)
{
    hie_share_t  me = { .stmt = st, .params = p };
    bool         leads;

    *res = NULL;

    pthread_mutex_lock(&s->share_lock);
    leads = s->leaders < LEADERS;
    if (leads) {
        s->leaders++;
    } else {
        *s->queue_end = &me;
        s->queue_end = &me.next;
    }
    pthread_mutex_unlock(&s->share_lock);

    if (!leads) {
        if (!sleep_queued(s, &me)) {
            return hie_fail(err, HIE_BUSY, "",
                            "no database connection became free in time");
        }
        leads = me.state == LEADS;
    }
    if (leads) {
        lead(s, &me);
    }

    if (me.rc == 0) {
        return hie_store_query(s, st, p, res, err);
    }
    *res = me.res;
    if (me.rc != HIE_OK && err != NULL) {
        *err = me.err;
    }
    return me.rc;
}
