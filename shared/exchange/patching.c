/*
 * Patches by their media type (FHIR R4 section 3.1.0.6).
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/write.h"
#include "patch/patch.h"
#include "xml/xml.h"

/* Of the patch itself, where no configuration says it. */
#define DEPTH  64

typedef struct {
    const hie_doc_t  *patch;
    hie_str_t         xml;       /* the patch, where it is XML */
    apr_time_t        now;
    int               depth;
} patch_t;


bool
hie_write_base64(hie_str_t base64, apr_pool_t *pool, hie_str_t *out)
{
    char    *p;
    size_t   i, n;

    p = apr_palloc(pool, base64.len + 1);
    for (i = 0, n = 0; i < base64.len; i++) {
        switch (base64.ptr[i]) {
        case '+':
            p[n++] = '-';
            break;

        case '/':
            p[n++] = '_';
            break;

        case '=': case ' ': case '\t': case '\r': case '\n':
            break;

        default:
            p[n++] = base64.ptr[i];
        }
    }

    return base64.ptr != NULL
           && hie_base64url_decode(pool, (hie_str_t) { p, n }, out);
}


/* What is wrong is the patch's, and not a place of the resource. */
static hie_rc_t
name_operation(hie_rc_t rc, apr_pool_t *pool, hie_error_t *err)
{
    if (rc == HIE_OK) {
        return rc;
    }

    return hie_fail(err, rc, "", "%s: %s", apr_pstrdup(pool, err->where),
                    apr_pstrdup(pool, err->detail));
}


static hie_rc_t
apply_json(void *baton, const hie_doc_t *now, apr_pool_t *pool,
           hie_str_t *bytes, hie_error_t *err)
{
    const patch_t  *p = baton;

    return name_operation(hie_patch_json(now, p->patch, NULL, pool, bytes,
                                         err), pool, err);
}


static hie_rc_t
apply_fhirpath(void *baton, const hie_doc_t *now, apr_pool_t *pool,
               hie_str_t *bytes, hie_error_t *err)
{
    const patch_t  *p = baton;

    return hie_patch_fhirpath(now, p->patch, NULL, p->now, pool, bytes, err);
}


/* The resource is made XML for it, and JSON again. */
static hie_rc_t
apply_xml(void *baton, const hie_doc_t *now, apr_pool_t *pool,
          hie_str_t *bytes, hie_error_t *err)
{
    hie_rc_t        rc;
    hie_buf_t       b;
    hie_str_t       made;
    const patch_t  *p = baton;

    hie_buf_init(&b, pool, 2 * hie_doc_bytes(now).len + 256);
    rc = hie_xml_from_json(now, 0, 0, &b, err);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_patch_xml(hie_buf_str(&b), p->xml, NULL, pool, &made, err);
    if (rc != HIE_OK) {
        return name_operation(rc, pool, err);
    }

    if (hie_str_eq(made, hie_buf_str(&b))) {
        *bytes = hie_doc_bytes(now);
        return HIE_OK;
    }

    rc = hie_xml_to_json(pool, made, p->depth, 0, bytes, err);
    return rc == HIE_INVALID ? hie_fail(err, HIE_UNPROCESSABLE, "",
                                        "%s: %s",
                                        apr_pstrdup(pool, err->where),
                                        apr_pstrdup(pool, err->detail))
                             : rc;
}


hie_rc_t
hie_write_patch(hie_str_t media, hie_str_t patch, const hie_config_t *conf,
                apr_pool_t *pool, hie_write_t *w, hie_error_t *err)
{
    patch_t    *p;
    hie_rc_t    rc;
    hie_str_t   params;
    hie_doc_t  *d;

    p = apr_pcalloc(pool, sizeof(*p));
    p->now = apr_time_now();
    p->depth = conf != NULL ? conf->fhir.max_depth : DEPTH;
    w->baton = p;

    media = hie_str_trim(hie_str_split(media, ';', &params));
    if (hie_str_ieqz(media, "application/xml-patch+xml")) {
        p->xml = patch;
        w->edit = apply_xml;
        return HIE_OK;
    }

    if (hie_str_ieqz(media, "application/json-patch+json")) {
        w->edit = apply_json;
    } else if (hie_request_is_fhir(media)) {
        w->edit = apply_fhirpath;
    } else {
        return hie_fail(err, HIE_UNSUPPORTED, "",
                        "a patch is sent as one of " HIE_PATCH_TYPES);
    }

    rc = hie_doc_parse(pool, patch, p->depth, &d, err);
    p->patch = d;
    return rc;
}
