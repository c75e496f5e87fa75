
#ifndef _NGX_HTTP_HIE_MODULE_H_INCLUDED_
#define _NGX_HTTP_HIE_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_hie_common.h"
#include "ngx_hie_task.h"


#define NGX_HTTP_HIE_BEARER    0
#define NGX_HTTP_HIE_NONE      1


typedef struct {
    ngx_flag_t               fhir;
    ngx_flag_t               consent;
    ngx_flag_t               errors;
    ngx_uint_t               auth;
    ngx_str_t                base;        /* location without the final "/" */
} ngx_http_hie_loc_conf_t;


typedef enum {
    ngx_http_hie_reading = 1,             /* the body of the request */
    ngx_http_hie_ready,                   /* it is there */
    ngx_http_hie_working,                 /* a thread has the job */
    ngx_http_hie_passed,                  /* gateway: the answer is judged */
    ngx_http_hie_holding,                 /* gateway: and is being collected */
    ngx_http_hie_answered,                /* ours, filters let it pass */
    ngx_http_hie_failed                   /* a page of nginx is replaced */
} ngx_http_hie_state_e;


typedef struct {
    ngx_hie_job_t            hj;
    ngx_http_hie_state_e     state;

    /* the answer of the protected server */
    hie_buf_t                body;
    ngx_int_t                status;
    ngx_str_t                content_type;
    const char              *refused;

    unsigned                 encoded:1;
    unsigned                 head:1;      /* a HEAD that is sent as a GET */
} ngx_http_hie_ctx_t;


ngx_http_hie_ctx_t *ngx_http_hie_create_ctx(ngx_http_request_t *r);
ngx_http_hie_ctx_t *ngx_http_hie_get_ctx(ngx_http_request_t *r);
ngx_int_t ngx_http_hie_set_request(ngx_http_request_t *r,
    ngx_http_hie_loc_conf_t *hlcf, hie_job_t *job);
ngx_int_t ngx_http_hie_set_response(ngx_http_request_t *r,
    const hie_response_t *hr);
ngx_chain_t *ngx_http_hie_response_body(ngx_http_request_t *r,
    const hie_response_t *hr);
ngx_uint_t ngx_http_hie_loopback(struct sockaddr *sa);


extern ngx_module_t  ngx_http_hie_module;


#endif /* _NGX_HTTP_HIE_MODULE_H_INCLUDED_ */
