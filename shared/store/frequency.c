/*
 * How often types and tokens occur, as ANALYZE has seen it: the frequent ones
 * by name, of all others it is known that they are rare.
 */

#include "store/query.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#define REFRESH_MS  60000

typedef struct {
    uint64_t  key;
    double    rows;
} token_t;

typedef struct {
    hie_str_t  name;
    double     rows;
} type_t;

struct hie_frequencies_t {
    apr_pool_t  *pool;
    double       rows;           /* of the table */
    double       rare;           /* at most so many have a token that is not
                                    among the frequent ones */
    int          n_tokens;       /* sorted */
    token_t     *tokens;
    int          n_types;
    type_t      *types;
};

/* Of a table that nobody has analysed. */
#define UNKNOWN_ROWS  10000

static const char  statistics_sql[] =
    "SELECT c.reltuples::float8::text, s.attname::text,"
    " coalesce(s.most_common_elems::text, s.most_common_vals::text),"
    " coalesce(s.most_common_elem_freqs, s.most_common_freqs)::text"
    " FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_stats s"
    " ON s.schemaname = 'hie' AND s.tablename = 'resource'"
    " AND s.attname IN ('tokens', 'type')"
    " WHERE c.oid = 'hie.resource'::regclass";


/* The elements of an array's text, without quotes or commas in them. */
static char *
next_element(char **text)
{
    char  *p = *text, *start;

    while (*p == '{' || *p == ',' || *p == '"') {
        p++;
    }
    start = p;
    while (*p != '\0' && *p != ',' && *p != '}' && *p != '"') {
        p++;
    }
    *text = *p != '\0' ? p + 1 : p;
    *p = '\0';
    return *start != '\0' ? start : NULL;
}


static int
compare_tokens(const void *va, const void *vb)
{
    const token_t  *a = va, *b = vb;

    return (a->key > b->key) - (a->key < b->key);
}


static int
count_elements(const char *text)
{
    int  n = 1;

    for (; *text != '\0'; text++) {
        n += *text == ',';
    }
    return n;
}


static void
take_tokens(hie_frequencies_t *f, char *values, char *freqs)
{
    char    *v, *q;
    double   share;

    f->tokens = apr_palloc(f->pool, sizeof(*f->tokens)
                                    * (size_t) count_elements(values));
    f->rare = f->rows;
    while ((v = next_element(&values)) != NULL
           && (q = next_element(&freqs)) != NULL)
    {
        share = strtod(q, NULL);
        f->tokens[f->n_tokens++] = (token_t) {
            (uint64_t) strtoll(v, NULL, 10), share * f->rows
        };
        f->rare = fmin(f->rare, share * f->rows);
    }
    qsort(f->tokens, (size_t) f->n_tokens, sizeof(*f->tokens),
          compare_tokens);
}


static void
take_types(hie_frequencies_t *f, char *values, char *freqs)
{
    char  *v, *q;

    f->types = apr_palloc(f->pool, sizeof(*f->types)
                                   * (size_t) count_elements(values));
    while ((v = next_element(&values)) != NULL
           && (q = next_element(&freqs)) != NULL)
    {
        f->types[f->n_types++] = (type_t) {
            hie_str(apr_pstrdup(f->pool, v)), strtod(q, NULL) * f->rows
        };
    }
}


static hie_frequencies_t *
load(hie_store_t *s)
{
    hie_frequencies_t  *f;
    apr_pool_t         *pool = hie_pool_create(NULL, "frequencies");
    hie_stmt_t          st;
    PGresult           *res;
    char               *text[4];
    int                 i, k;

    f = apr_pcalloc(pool, sizeof(*f));
    f->pool = pool;
    f->rows = UNKNOWN_ROWS;
    f->rare = HIE_FEW_ROWS / 10;

    hie_store_stmt(&st, statistics_sql);
    if (hie_store_query(s, &st, NULL, &res, NULL) != HIE_OK) {
        return f;
    }
    for (i = 0; i < PQntuples(res); i++) {
        for (k = 0; k < 4; k++) {
            text[k] = PQgetisnull(res, i, k)
                      ? NULL : apr_pstrmemdup(pool, PQgetvalue(res, i, k),
                                              (size_t) PQgetlength(res, i,
                                                                   k));
        }
        if (text[0] != NULL && strtod(text[0], NULL) > 0) {
            f->rows = strtod(text[0], NULL);
        }
        if (text[1] == NULL || text[2] == NULL || text[3] == NULL) {
            continue;
        }
        if (strcmp(text[1], "tokens") == 0) {
            take_tokens(f, text[2], text[3]);
        } else {
            take_types(f, text[2], text[3]);
        }
    }
    PQclear(res);
    return f;
}


/* Whoever comes first after a minute asks again; the others go on with what
 * there is. What was replaced stays for one more minute: nobody looks at it so
 * long. */
const hie_frequencies_t *
hie_store_frequencies(hie_store_t *s)
{
    hie_frequencies_t  *f;
    int64_t             now = hie_store_clock();
    int64_t             due = atomic_load(&s->frequencies_due);

    if (now >= due
        && atomic_compare_exchange_strong(&s->frequencies_due, &due,
                                          now + REFRESH_MS))
    {
        f = load(s);
        f = atomic_exchange(&s->frequencies, f);
        f = atomic_exchange(&s->frequencies_old, f);
        if (f != NULL) {
            apr_pool_destroy(f->pool);
        }
    }
    return atomic_load(&s->frequencies);
}


const hie_frequencies_t *
hie_frequencies_known(hie_store_t *s)
{
    return atomic_load(&s->frequencies);
}


double
hie_frequency_token(const hie_frequencies_t *f, uint64_t key)
{
    token_t         wanted = { key, 0 };
    const token_t  *t;

    if (!hie_frequency_any(f)) {
        return f != NULL ? f->rare : HIE_FEW_ROWS / 10;
    }
    t = bsearch(&wanted, f->tokens, (size_t) f->n_tokens, sizeof(wanted),
                compare_tokens);
    /* nearly all of those that ANALYZE has not noted occur once or twice, but
     * some as often as the rarest that it has */
    return t != NULL ? t->rows : sqrt(fmax(f->rare, 1));
}


bool
hie_frequency_any(const hie_frequencies_t *f)
{
    return f != NULL && f->n_tokens > 0;
}


bool
hie_frequency_knows(const hie_frequencies_t *f, uint64_t key)
{
    token_t  wanted = { key, 0 };

    return hie_frequency_any(f)
           && bsearch(&wanted, f->tokens, (size_t) f->n_tokens,
                      sizeof(wanted), compare_tokens) != NULL;
}


static const type_t *
find_type(const hie_frequencies_t *f, const char *before, hie_str_t name)
{
    size_t  len = strlen(before);
    int     i;

    for (i = 0; i < f->n_types; i++) {
        if (f->types[i].name.len == len + name.len
            && memcmp(f->types[i].name.ptr, before, len) == 0
            && memcmp(f->types[i].name.ptr + len, name.ptr, name.len) == 0)
        {
            return &f->types[i];
        }
    }
    return NULL;
}


double
hie_frequency_type(const hie_frequencies_t *f, hie_str_t type)
{
    const type_t  *t;

    if (f == NULL || f->n_types == 0) {
        return f != NULL ? f->rows / 4 : UNKNOWN_ROWS / 4;
    }
    t = find_type(f, "", type);
    return t != NULL ? t->rows : fmin(100, f->rows / 4);
}


double
hie_frequency_contained(const hie_frequencies_t *f, hie_str_t type)
{
    const type_t  *t = f != NULL ? find_type(f, "#", type) : NULL;

    return t != NULL ? t->rows : 0;
}
