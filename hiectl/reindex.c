/*
 * hiectl reindex: what resources are found by, made again.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_time.h>

#include "exchange/exchange.h"
#include "hiectl/hiectl.h"

/* A line of progress so often, in microseconds. */
#define INTERVAL  apr_time_from_sec(1)

typedef struct {
    bool        shown;           /* is it asked for? */
    bool        terminal;        /* one line, written over and over */
    bool        permille;        /* it is not resources that are counted */
    bool        pending;         /* only what the worker would do */
    bool        status;          /* nothing is to be done */
    apr_time_t  began;
    apr_time_t  last;
} progress_t;

static _Atomic bool  stop;


static void
on_signal(int signo)
{
    stop = true;
}


static void
progress(void *baton, int64_t done, int64_t total)
{
    progress_t  *p = baton;
    apr_time_t   now = apr_time_now();
    double       rate;

    if (!p->shown || (now - p->last < INTERVAL && done < total)) {
        return;
    }

    p->last = now;
    if (p->permille) {
        fprintf(stderr, "%s%d.%d%%%s", p->terminal ? "\r\033[K" : "",
                (int) (done / 10), (int) (done % 10), p->terminal ? "" : "\n");
        fflush(stderr);
        return;
    }

    rate = (double) done * APR_USEC_PER_SEC / (double) (now - p->began + 1);
    fprintf(stderr, "%s%lld of %lld (%d%%), %.0f/s, %.0f s left%s",
            p->terminal ? "\r\033[K" : "", (long long) done,
            (long long) total, total > 0 ? (int) (done * 100 / total) : 100,
            rate, rate > 0 && total > done ? (double) (total - done) / rate
                                           : 0.0,
            p->terminal ? "" : "\n");
    fflush(stderr);
}


static int
parse(hie_reindex_t *what, progress_t *p, int argc, char **argv)
{
    for (argc--, argv++; argc > 0; argc--, argv++) {
        if (strcmp(argv[0], "--again") == 0) {
            what->again = true;
        } else if (strcmp(argv[0], "--progress") == 0) {
            p->shown = true;
        } else if (strcmp(argv[0], "--pending") == 0) {
            p->pending = true;
        } else if (strcmp(argv[0], "--status") == 0) {
            p->status = true;
        } else if (strcmp(argv[0], "--type") == 0 && argc > 1) {
            what->type = hie_str(argv[1]);
            argc--, argv++;
        } else if (strcmp(argv[0], "--param") == 0 && argc > 1) {
            what->param = hie_str(argv[1]);
            argc--, argv++;
        } else if (strcmp(argv[0], "--base") == 0 && argc > 1) {
            what->base = hie_str(argv[1]);
            argc--, argv++;
        } else {
            return ctl_usage("'%s' is no option of 'reindex', or its value is "
                             "missing", argv[0]);
        }
    }

    if ((p->pending || p->status)
        && (what->again || what->type.len + what->param.len > 0))
    {
        return ctl_usage("'--pending' and '--status' are about all that is "
                         "not indexed yet");
    }

    return EXIT_DONE;
}


static int
report(const ctl_t *ctl, hie_rc_t rc, const hie_reindexed_t *out,
       const hie_error_t *err)
{
    if (ctl->json) {
        printf("{\"resources\":%lld,\"failed\":%lld,\"complete\":%s}\n",
               (long long) out->done, (long long) out->failed,
               rc == HIE_OK ? "true" : "false");
    } else {
        printf("%lld resources, %lld of them could not be indexed\n",
               (long long) out->done, (long long) out->failed);
    }

    if (rc != HIE_OK) {
        return ctl_failed(err);
    }

    return out->failed > 0 ? EXIT_FAILED : EXIT_DONE;
}


int
ctl_reindex(ctl_t *ctl, int argc, char **argv)
{
    int               code;
    hie_rc_t          rc;
    hie_error_t       err;
    progress_t        p = { .terminal = isatty(STDERR_FILENO) };
    hie_reindex_t     what = { .stop = &stop, .progress = progress,
                               .baton = &p };
    hie_runtime_t    *rt;
    hie_reindexed_t   out;

    code = parse(&what, &p, argc, argv);
    if (code != EXIT_DONE) {
        return code;
    }

    if (p.status) {
        return ctl_passes(ctl);
    }

    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);

    if (hie_runtime_acquire(ctl->config, HIE_RUNTIME_TOOL, 0, &rt, &err)
        != HIE_OK)
    {
        return ctl_failed(&err);
    }

    p.began = apr_time_now();
    p.permille = p.pending;
    rc = p.pending ? hie_reindex_pending(rt, &what, &err)
                   : hie_reindex(rt, &what, &out, &err);
    hie_runtime_release(rt);
    if (p.shown && p.terminal) {
        fprintf(stderr, "\n");
    }

    if (p.pending) {
        return rc == HIE_OK ? ctl_passes(ctl) : ctl_failed(&err);
    }

    return report(ctl, rc, &out, &err);
}
