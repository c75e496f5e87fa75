/*
 * The parameters of a URL that are not search criteria.
 */

#include <string.h>

#include "exchange/private.h"


static bool
prefers(const hie_job_t *job, const char *what)
{
    bool       found;
    hie_str_t  prefer, one;

    found = false;
    prefer = hie_request_header(&job->request, "Prefer");
    while (prefer.ptr != NULL) {
        one = hie_str_trim(hie_str_split(prefer, ',', &prefer));
        if (hie_str_eqz(one, what)) {
            found = true;
        }
    }

    return found;
}


bool
hie_request_lenient(const hie_job_t *job)
{
    return prefers(job, "handling=lenient");
}


bool
hie_request_strict(const hie_job_t *job)
{
    return prefers(job, "handling=strict");
}


bool
hie_query_is_general(hie_str_t name)
{
    return hie_str_eqz(name, "_format") || hie_str_eqz(name, "_pretty")
           || hie_str_eqz(name, "_summary") || hie_str_eqz(name, "_elements");
}


hie_rc_t
hie_query_pair(hie_str_t pair, apr_pool_t *pool, hie_str_t *name,
               hie_str_t *value, hie_error_t *err)
{
    *name = hie_str_split(pair, '=', value);
    if (!hie_url_decode(pool, *name, true, name)
        || !hie_url_decode(pool, *value, true, value))
    {
        return hie_fail(err, HIE_INVALID, "",
                        "the query string is not well formed: a %%-escape is "
                        "broken or is not UTF-8");
    }

    return HIE_OK;
}


static hie_rc_t
take_pair(hie_job_t *job, hie_str_t pair, hie_query_param_cb *cb,
          void *baton, bool *taken)
{
    hie_rc_t   rc;
    hie_str_t  name, value;

    *taken = true;
    rc = hie_query_pair(pair, job->pool, &name, &value, &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    if (value.len == 0) {
        return HIE_OK;           /* R4 section 3.1.1.3: empty says nothing */
    }

    rc = cb(baton, name, value);
    if (rc == HIE_NOT_FOUND && hie_query_is_general(name)) {
        return HIE_OK;
    }

    if (rc != HIE_NOT_FOUND) {
        return rc;
    }

    *taken = false;
    if (hie_request_lenient(job)) {
        return HIE_OK;
    }

    return hie_fail(&job->error, HIE_INVALID, "",
                    "parameter \"%.*s\" is not served here",
                    HIE_PRISTR(name));
}


hie_rc_t
hie_query_walk(hie_job_t *job, hie_str_t query, hie_query_param_cb *cb,
               void *baton, hie_str_t *used)
{
    bool       taken;
    hie_rc_t   rc;
    hie_buf_t  b;
    hie_str_t  pair;

    hie_buf_init(&b, job->pool, query.len + 1);
    while (query.ptr != NULL && query.len > 0) {
        pair = hie_str_split(query, '&', &query);
        if (pair.len == 0) {
            continue;
        }

        rc = take_pair(job, pair, cb, baton, &taken);
        if (rc != HIE_OK) {
            return rc;
        }

        if (taken && !hie_str_starts(pair, "_cursor=")) {
            if (b.len > 0) {
                hie_buf_addc(&b, '&');
            }

            hie_buf_adds(&b, pair);
        }
    }

    *used = hie_buf_str(&b);
    return HIE_OK;
}


hie_rc_t
hie_query_bad(hie_job_t *job, hie_str_t name, const char *expected)
{
    return hie_fail(&job->error, HIE_INVALID, "",
                    "the value of parameter \"%.*s\" is wrong: expected %s",
                    HIE_PRISTR(name), expected);
}


hie_rc_t
hie_query_time(hie_job_t *job, hie_str_t name, hie_str_t value,
               apr_time_t *first, apr_time_t *after)
{
    if (hie_time_parse(value, true, first, after)) {
        return HIE_OK;
    }

    return hie_query_bad(job, name, "a date, dateTime or instant");
}


hie_rc_t
hie_query_count(hie_job_t *job, hie_str_t name, hie_str_t value, int max,
                int *out)
{
    uint64_t  n;

    if (!hie_str_u64(value, &n)) {
        return hie_query_bad(job, name, "a number of resources");
    }

    *out = n > (uint64_t) max ? max : (int) n;
    return HIE_OK;
}


/* The types in a list of names with commas between, into `out` if they are
 * permitted. */
hie_rc_t
hie_query_types(hie_job_t *job, hie_str_t name, hie_str_t value,
                hie_types_t *out)
{
    int        i;
    hie_str_t  one;

    while (value.ptr != NULL) {
        one = hie_str_trim(hie_str_split(value, ',', &value));
        if (!hie_fhir_is_type(one)) {
            return hie_query_bad(job, name, "names of resource types");
        }

        for (i = 0; i < out->n && !hie_str_eq(out->names[i], one); i++) {
            /* void */
        }

        if (i == out->n) {
            out->names[out->n++] = one;
        }
    }

    return HIE_OK;
}


void
hie_types_permitted(hie_job_t *job, unsigned may, hie_types_t *out)
{
    size_t       i;
    unsigned     bit;
    const char  *name;

    out->n = 0;
    for (i = 0; (name = hie_fhir_type(i)) != NULL; i++) {
        for (bit = HIE_MAY_CREATE; bit <= HIE_MAY_SEARCH; bit <<= 1) {
            if ((may & bit) != 0
                && !hie_access_permits(job->principal, (hie_may_t) bit,
                                       hie_str(name)))
            {
                break;
            }
        }

        if (bit > HIE_MAY_SEARCH) {
            out->names[out->n++] = hie_str(name);
        }
    }
}


bool
hie_types_has(const hie_types_t *types, hie_str_t name)
{
    int  i;

    for (i = 0; i < types->n; i++) {
        if (hie_str_eq(types->names[i], name)) {
            return true;
        }
    }

    return false;
}
