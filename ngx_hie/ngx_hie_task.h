
#ifndef _NGX_HIE_TASK_H_INCLUDED_
#define _NGX_HIE_TASK_H_INCLUDED_


#include <ngx_http.h>

#include "ngx_hie_common.h"


/*
 * Has the job worked on in a thread and holds the request meanwhile.  After
 * it r->write_event_handler is called: a phase is entered again, a content
 * handler sets a function of its own before.  Main requests only.
 */

ngx_int_t ngx_hie_task_post(ngx_http_request_t *r, ngx_hie_job_t *hj,
    hie_work_t work);


#endif /* _NGX_HIE_TASK_H_INCLUDED_ */
