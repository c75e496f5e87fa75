/*
 * Profiles, value sets and code systems that validation is to know, from the
 * directory that fhir.definitions names.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_fnmatch.h>
#include <apr_strings.h>

#include "exchange/private.h"
#include "validation/validation.h"

#define DEPTH  200


static hie_rc_t
read_file(const char *path, apr_pool_t *pool, hie_str_t *out,
          hie_error_t *err)
{
    char         *bytes;
    apr_file_t   *file;
    apr_finfo_t   info;
    apr_size_t    n;

    if (apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BINARY, 0, pool)
        != APR_SUCCESS)
    {
        return hie_fail(err, HIE_INVALID, path, "it cannot be opened");
    }

    if (apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        return hie_fail(err, HIE_INVALID, path, "it cannot be read");
    }

    bytes = apr_palloc(pool, (apr_size_t) info.size + 1);
    if (apr_file_read_full(file, bytes, (apr_size_t) info.size, &n)
        != APR_SUCCESS && n != (apr_size_t) info.size)
    {
        return hie_fail(err, HIE_INVALID, path, "it cannot be read");
    }

    apr_file_close(file);
    *out = (hie_str_t) { bytes, n };
    return HIE_OK;
}


static bool
is_definition(const hie_doc_t *d, apr_pool_t *pool)
{
    hie_str_t  type;

    type = hie_doc_get(d, 0, "resourceType", pool);
    return hie_str_eqz(type, "StructureDefinition")
           || hie_str_eqz(type, "ValueSet")
           || hie_str_eqz(type, "CodeSystem");
}


static hie_rc_t
add_file(hie_validator_t *v, const char *path, apr_pool_t *pool,
         hie_error_t *err)
{
    hie_rc_t    rc;
    hie_str_t   bytes;
    hie_doc_t  *d;

    rc = read_file(path, pool, &bytes, err);
    if (rc != HIE_OK) {
        return rc;
    }

    rc = hie_doc_parse(pool, bytes, DEPTH, &d, err);
    if (rc == HIE_OK && is_definition(d, pool)) {
        rc = hie_validator_add(v, d, err);
    }

    return rc == HIE_OK ? rc
                        : hie_fail(err, HIE_INVALID, path, "%s",
                                   apr_pstrdup(pool, err->detail));
}


static int
by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}


/* The same canonical in two files: the later name holds, on every machine. */
hie_rc_t
hie_definitions_load(const hie_config_t *conf, hie_validator_t *v,
                     apr_pool_t *pool, hie_error_t *err)
{
    int                  i;
    hie_rc_t             rc = HIE_OK;
    const char          *path = conf->fhir.definitions;
    apr_array_header_t  *names;

    if (path == NULL) {
        return HIE_OK;
    }

    if (apr_match_glob(apr_pstrcat(pool, path, "/*.json", NULL), &names, pool)
        != APR_SUCCESS)
    {
        return hie_fail(err, HIE_INVALID, path,
                        "the directory of fhir.definitions cannot be read");
    }

    qsort(names->elts, (size_t) names->nelts, sizeof(char *), by_name);
    for (i = 0; rc == HIE_OK && i < names->nelts; i++) {
        rc = add_file(v, apr_pstrcat(pool, path, "/",
                                     APR_ARRAY_IDX(names, i, char *), NULL),
                      pool, err);
    }

    return rc == HIE_OK ? hie_validator_ready(v, err) : rc;
}
