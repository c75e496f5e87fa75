
#ifndef _NGX_HIE_COMMON_H_INCLUDED_
#define _NGX_HIE_COMMON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "exchange/exchange.h"


#define ngx_hie_str(s)                                                       \
    ((hie_str_t) { (const char *) (s).data, (s).len })


/* Main configuration, of http and of stream: must be the first member there. */

typedef struct {
    ngx_str_t             config;
    ngx_uint_t            used;        /* unsigned  used:1; */
} ngx_hie_conf_t;


/*
 * What a process holds, once for each of the shared objects.  Only the thread
 * of the event loop touches it, but for the list "ready" and its descriptor.
 */

typedef struct ngx_hie_job_s  ngx_hie_job_t;

typedef struct {
    hie_runtime_t        *runtime;     /* NULL: it could not be started */
    ngx_queue_t           jobs;        /* all that are alive */
    ngx_uint_t            running;
    ngx_event_t           guard;

    ngx_connection_t     *wakeup;
    ngx_socket_t          fd;
    _Atomic(ngx_hie_job_t *)  ready;   /* pushed to by any thread */
} ngx_hie_t;


/* On the event loop. */
typedef void (*ngx_hie_done_pt)(ngx_hie_job_t *hj);


/* Embedded in the context of a request or of a session. */

struct ngx_hie_job_s {
    hie_job_t            *job;
    ngx_hie_t            *hie;
    ngx_queue_t           queue;

    ngx_hie_done_pt       done;
    void                 *data;

    ngx_hie_job_t        *next;        /* in "ready" */

    unsigned              running:1;
    unsigned              completed:1;
};


char *ngx_hie_set_config(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_hie_init_conf(ngx_conf_t *cf, ngx_hie_conf_t *conf);

ngx_int_t ngx_hie_init_process(ngx_cycle_t *cycle, ngx_hie_t *hie,
    ngx_hie_conf_t *conf);
void ngx_hie_exit_process(ngx_hie_t *hie);

ngx_int_t ngx_hie_job_create(ngx_hie_t *hie, ngx_hie_job_t *hj);
ngx_int_t ngx_hie_job_post(ngx_hie_job_t *hj, hie_work_t work);
ngx_int_t ngx_hie_job_post_message(ngx_hie_job_t *hj, const char *connection,
    hie_str_t message);
void ngx_hie_job_complete(ngx_hie_job_t *hj, ngx_int_t status, off_t bytes,
    ngx_uint_t aborted);
void ngx_hie_job_destroy(ngx_hie_job_t *hj);

ngx_int_t ngx_hie_tls_subject(ngx_connection_t *c, ngx_pool_t *pool,
    hie_str_t *subject);


#endif /* _NGX_HIE_COMMON_H_INCLUDED_ */
