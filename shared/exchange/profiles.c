/*
 * Profiles that are stored (StructureDefinition), beside those of the
 * directory that fhir.definitions names.
 *
 * What a resource claims to meet is looked at by the profiles that are stored
 * at that moment, in every process: before a resource is validated that names
 * a profile that the directory does not have, one small statement tells
 * whether the stored ones are still those that were compiled. A validator made
 * of them stands on that of the directory; it is replaced as a whole, and goes
 * when the last one who uses it has let it go.
 *
 * The same holds for the value sets that profiles bind to, be the profiles
 * stored or of the directory: those that are stored are part of the validator
 * (bindings.c), and of its state.
 */

#include <string.h>

#include "exchange/private.h"

#define DEPTH  200

/* How much is held in memory by a process. */
#define PROFILES_MAX  2000
#define BYTES_MAX     ((size_t) 64 * 1024 * 1024)
#define PAGE          50

/* Others may write while they are read; the time of the request bounds it,
 * too. */
#define TRIES  12

#define BASE  "http://hl7.org/fhir/StructureDefinition/"

/* Of what the validator is made, at one moment. */
enum { PROFILES, VALUE_SETS, CODE_SYSTEMS, KINDS };

typedef struct {
    hie_store_state_t  of[KINDS];
} state_t;

struct hie_held_t {
    apr_pool_t         *pool;
    hie_validator_t    *validator;
    state_t             state;
    bool                wants;       /* value sets that may be stored */
    int                 users;       /* one of them is being the present one */
};

typedef struct {
    hie_runtime_t  *rt;
    hie_held_t     *held;
    int             n;
    size_t          bytes;
} loader_t;


/*
 * Does a resource name what the directory does not have, or what may need value
 * sets that it does not have?
 */

/* A type of R4 by its own definition: met by what is valid. */
static bool
is_base(hie_str_t url)
{
    hie_str_t  rest;

    url = hie_str_split(url, '|', &rest);
    if (!hie_str_starts(url, BASE)) {
        return false;
    }

    url.ptr += sizeof(BASE) - 1;
    url.len -= sizeof(BASE) - 1;
    return hie_fhir_is_type(url);
}


/* One that `v` does not know; NULL knows none. */
static bool
is_stored(const hie_validator_t *v, hie_str_t url)
{
    return url.len > 0 && !is_base(url)
           && (v == NULL || !hie_validator_knows(v, url));
}


static bool
names_stored(const hie_validator_t *v, const hie_doc_t *d, hie_node_t n,
             apr_pool_t *pool, int depth)
{
    static const char *const  lists[] = { "contained", "entry", "parameter" };

    size_t      i;
    hie_node_t  c, resource;

    for (c = hie_doc_first(d, hie_doc_member(d, hie_doc_member(d, n, "meta"),
                                             "profile"));
         c != HIE_NODE_NONE; c = hie_doc_next(d, c))
    {
        if (is_stored(v, hie_doc_string(d, c, pool))) {
            return true;
        }
    }

    for (i = 0; depth < DEPTH && i < 3; i++) {
        for (c = hie_doc_first(d, hie_doc_member(d, n, lists[i]));
             c != HIE_NODE_NONE; c = hie_doc_next(d, c))
        {
            resource = i == 0 ? c : hie_doc_member(d, c, "resource");
            if (names_stored(v, d, resource, pool, depth + 1)) {
                return true;
            }
        }
    }

    return false;
}


/* Of most resources: no. */
static bool
needs_stored(const hie_validator_t *v, const hie_doc_t *d, hie_node_t n,
             hie_str_t asked, apr_pool_t *pool)
{
    hie_str_t  *wants;

    return (is_stored(NULL, asked) || names_stored(NULL, d, n, pool, 0))
           && (hie_validator_wants(v, pool, &wants) > 0
               || is_stored(v, asked) || names_stored(v, d, n, pool, 0));
}


/*
 * A validator of what is stored.
 */

static void
let_go(hie_held_t *held)
{
    if (held != NULL && --held->users == 0) {
        apr_pool_destroy(held->pool);
    }
}


static void
add(loader_t *l, const hie_row_t *row)
{
    hie_rc_t      rc;
    hie_doc_t    *d;
    hie_error_t   err;
    apr_pool_t   *pool = l->held->pool;

    rc = hie_doc_parse(pool, hie_str_dup(pool, row->body), DEPTH, &d, &err);
    if (rc != HIE_OK
        || !hie_str_eqz(hie_doc_get(d, 0, "derivation", pool), "constraint"))
    {
        return;
    }

    rc = hie_validator_add(l->held->validator, d, &err);
    if (rc != HIE_OK) {
        hie_log(HIE_LOG_WARN, "HIE5012", "StructureDefinition/%.*s is not "
                "used for validation: %s: %s", HIE_PRISTR(row->id), err.where,
                err.detail);
        return;
    }

    l->n++;
    l->bytes += row->body.len;
}


static hie_rc_t
load(loader_t *l, hie_error_t *err)
{
    int          i, n;
    int64_t      after = 0;
    hie_rc_t     rc;
    hie_row_t   *rows;
    apr_pool_t  *scratch = hie_pool_create(l->held->pool, "hie-profiles");

    do {
        rc = hie_store_everyones(l->rt->store, HIE_STR("StructureDefinition"),
                                 after, PAGE, scratch, &rows, &n, err);
        for (i = 0; rc == HIE_OK && i < n; i++) {
            after = rows[i].rid;
            if (l->n == PROFILES_MAX || l->bytes > BYTES_MAX) {
                hie_log(HIE_LOG_WARN, "HIE5013", "there are more profiles "
                        "than are held: those from StructureDefinition/%.*s "
                        "on are not used", HIE_PRISTR(rows[i].id));
                n = 0;
                break;
            }

            add(l, &rows[i]);
        }

        apr_pool_clear(scratch);
    } while (rc == HIE_OK && n == PAGE);

    apr_pool_destroy(scratch);
    return rc;
}


/* The error of one that does not compile names its place; the others are
 * used. */
static hie_rc_t
make(hie_runtime_t *rt, const state_t *state, hie_held_t **out,
     hie_error_t *err)
{
    hie_rc_t                  rc;
    loader_t                  l = { .rt = rt };
    apr_pool_t               *pool = hie_pool_create(NULL, "hie-profiles");
    hie_error_t               why;
    hie_validator_options_t   options = { .base = rt->validator };

    l.held = apr_pcalloc(pool, sizeof(*l.held));
    l.held->pool = pool;
    l.held->users = 1;
    l.held->state = *state;
    l.held->validator = hie_validator_create(pool, &options);
    rc = load(&l, err);
    if (rc == HIE_OK && hie_validator_ready(l.held->validator, &why) != HIE_OK)
    {
        hie_log(HIE_LOG_WARN, "HIE5012", "a stored profile is not used for "
                "validation: %s: %s", why.where, why.detail);
    }

    if (rc == HIE_OK) {
        rc = hie_bindings_load(rt, &state->of[VALUE_SETS], l.held->validator,
                               pool, &l.held->wants, err);
    }

    if (rc != HIE_OK) {
        apr_pool_destroy(pool);
        return rc;
    }

    *out = l.held;
    return HIE_OK;
}


static hie_rc_t
look(hie_runtime_t *rt, apr_pool_t *pool, state_t *out, hie_error_t *err)
{
    static const hie_str_t  types[KINDS] = {
        [PROFILES] = { "StructureDefinition", 19 },
        [VALUE_SETS] = { "ValueSet", 8 }, [CODE_SYSTEMS] = { "CodeSystem", 10 }
    };

    return hie_store_states(rt->store, types, KINDS, pool, out->of, err);
}


/* Is it still the validator of that state? */
static bool
holds(const hie_held_t *held, const state_t *state)
{
    int  i;

    for (i = 0; i < (held->wants ? KINDS : VALUE_SETS); i++) {
        if (held->state.of[i].n != state->of[i].n
            || held->state.of[i].mark != state->of[i].mark)
        {
            return false;
        }
    }

    return true;
}


/* The present one if it is of that state, for one more user. */
static hie_held_t *
take(hie_runtime_t *rt, const state_t *state)
{
    hie_held_t  *held = NULL;

    pthread_mutex_lock(&rt->lock);
    if (rt->profiles != NULL && holds(rt->profiles, state)) {
        held = rt->profiles;
        held->users++;
    }

    pthread_mutex_unlock(&rt->lock);
    return held;
}


static void
install(hie_runtime_t *rt, hie_held_t *held)
{
    pthread_mutex_lock(&rt->lock);
    let_go(rt->profiles);
    rt->profiles = held;
    held->users++;
    pthread_mutex_unlock(&rt->lock);
}


/* With the load lock: made anew, unless somebody else just has. */
static hie_rc_t
renew(hie_runtime_t *rt, apr_pool_t *pool, hie_held_t **out, hie_error_t *err)
{
    int          i;
    hie_rc_t     rc;
    state_t      before, after;
    hie_held_t  *held;

    rc = look(rt, pool, &before, err);
    for (i = 0; rc == HIE_OK && i < TRIES; i++) {
        *out = take(rt, &before);
        if (*out != NULL) {
            return HIE_OK;
        }

        rc = make(rt, &before, &held, err);
        if (rc != HIE_OK) {
            return rc;
        }

        rc = look(rt, pool, &after, err);
        if (rc == HIE_OK && holds(held, &after)) {
            install(rt, held);
            *out = held;
            return HIE_OK;
        }

        apr_pool_destroy(held->pool);
        before = after;
    }

    return rc != HIE_OK ? rc
           : hie_fail(err, HIE_BUSY, "",
                      "the profiles are being changed at this moment");
}


hie_rc_t
hie_profiles_hold(hie_runtime_t *rt, const hie_doc_t *d, hie_node_t n,
                  hie_str_t asked, apr_pool_t *pool, hie_validator_t **v,
                  hie_held_t **out, hie_error_t *err)
{
    hie_rc_t  rc;
    state_t   state;

    *v = rt->validator;
    *out = NULL;
    if (!needs_stored(*v, d, n, asked, pool)) {
        return HIE_OK;
    }

    rc = look(rt, pool, &state, err);
    if (rc != HIE_OK
        || (state.of[PROFILES].n == 0 && state.of[VALUE_SETS].n == 0))
    {
        return rc;
    }

    *out = take(rt, &state);
    if (*out == NULL) {
        pthread_mutex_lock(&rt->load_lock);
        rc = renew(rt, pool, out, err);
        pthread_mutex_unlock(&rt->load_lock);
    }

    if (rc == HIE_OK) {
        *v = (*out)->validator;
    }

    return rc;
}


void
hie_profiles_release(hie_runtime_t *rt, hie_held_t *held)
{
    if (held != NULL) {
        pthread_mutex_lock(&rt->lock);
        let_go(held);
        pthread_mutex_unlock(&rt->lock);
    }
}
