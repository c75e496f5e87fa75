/*
 * Verified tokens, remembered under the SHA-256 of their bytes, so that the
 * tokens themselves are not kept.
 *
 * Sets of eight places, chosen by the digest; a lock for several sets. Only
 * tokens with a good signature get in, so nobody without one can push others
 * out. The locks are held for a few comparisons and never across a call that
 * could wait.
 */

#include "access/private.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>


#define N_WAYS    8
#define N_SETS    512           /* N_SETS * N_WAYS = 4096 tokens */
#define N_LOCKS   64

struct hie_grant_t {
    atomic_uint      references;
    apr_time_t       not_before;
    hie_principal_t  principal;
    max_align_t      data[];    /* what the principal points to */
};

typedef struct {
    unsigned char   digest[HIE_DIGEST_LEN];
    hie_grant_t    *grant;      /* NULL: empty */
    uint64_t        used;       /* by the clock of its lock */
} slot_t;

/* A cache line of its own each, or the locks would slow each other down. */
typedef struct __attribute__((aligned(64))) {
    pthread_mutex_t  mutex;
    uint64_t         clock;     /* look-ups so far */
} lock_t;

struct hie_grants_t {
    lock_t  locks[N_LOCKS];
    slot_t  slots[N_SETS][N_WAYS];
};


static hie_str_t
copy_str(hie_str_t s, char **to)
{
    hie_str_t  copy = { *to, s.len };

    if (s.len > 0) {
        memcpy(*to, s.ptr, s.len);
        *to += s.len;
    }
    return copy;
}


static size_t
strings_size(const hie_principal_t *p)
{
    size_t  size = p->subject.len + p->issuer.len + p->client.len;
    int     i;

    for (i = 0; i < p->n_scopes; i++) {
        size += p->scopes[i].type.len;
    }
    for (i = 0; i < p->n_organizations; i++) {
        size += p->organizations[i].len;
    }
    return size;
}


hie_grant_t *
hie_grant_create(const hie_principal_t *p, apr_time_t not_before)
{
    size_t            scopes, organizations;
    hie_principal_t  *q;
    hie_grant_t      *g;
    char             *to;
    int               i;

    scopes = (size_t) p->n_scopes * sizeof(*p->scopes);
    organizations = (size_t) p->n_organizations * sizeof(hie_str_t);

    g = malloc(sizeof(*g) + scopes + organizations + strings_size(p));
    if (g == NULL) {
        abort();
    }
    atomic_init(&g->references, 1);
    g->not_before = not_before;

    q = &g->principal;
    *q = *p;
    q->scopes = (hie_scope_t *) g->data;
    q->organizations = (hie_str_t *) (q->scopes + p->n_scopes);
    to = (char *) (q->organizations + p->n_organizations);

    q->subject = copy_str(p->subject, &to);
    q->issuer = copy_str(p->issuer, &to);
    q->client = copy_str(p->client, &to);
    for (i = 0; i < p->n_scopes; i++) {
        q->scopes[i].may = p->scopes[i].may;
        q->scopes[i].type = copy_str(p->scopes[i].type, &to);
    }
    for (i = 0; i < p->n_organizations; i++) {
        q->organizations[i] = copy_str(p->organizations[i], &to);
    }
    return g;
}


const hie_principal_t *
hie_grant_principal(const hie_grant_t *g)
{
    return &g->principal;
}


apr_time_t
hie_grant_not_before(const hie_grant_t *g)
{
    return g->not_before;
}


void
hie_grant_release(hie_grant_t *g)
{
    if (g != NULL && atomic_fetch_sub_explicit(&g->references, 1,
                                               memory_order_acq_rel) == 1)
    {
        free(g);
    }
}


static apr_status_t
grants_cleanup(void *data)
{
    hie_grants_t  *c = data;
    int            i, k;

    for (i = 0; i < N_SETS; i++) {
        for (k = 0; k < N_WAYS; k++) {
            hie_grant_release(c->slots[i][k].grant);
        }
    }
    for (i = 0; i < N_LOCKS; i++) {
        pthread_mutex_destroy(&c->locks[i].mutex);
    }
    free(c);

    return APR_SUCCESS;
}


hie_grants_t *
hie_grants_create(apr_pool_t *pool)
{
    hie_grants_t  *c = NULL;
    int            i;

    /* Not from the pool, which aligns to less than a cache line. */
    if (posix_memalign((void **) &c, 64, sizeof(*c)) != 0) {
        abort();
    }
    memset(c, 0, sizeof(*c));
    for (i = 0; i < N_LOCKS; i++) {
        pthread_mutex_init(&c->locks[i].mutex, NULL);
    }
    apr_pool_cleanup_register(pool, c, grants_cleanup,
                              apr_pool_cleanup_null);
    return c;
}


static unsigned
set_of(const unsigned char digest[HIE_DIGEST_LEN])
{
    return ((unsigned) digest[0] | (unsigned) digest[1] << 8) % N_SETS;
}


/* The place of a digest in its set, or NULL. Under the set's lock. */
static slot_t *
find(slot_t *set, const unsigned char digest[HIE_DIGEST_LEN])
{
    int  i;

    for (i = 0; i < N_WAYS; i++) {
        if (set[i].grant != NULL
            && memcmp(set[i].digest, digest, HIE_DIGEST_LEN) == 0)
        {
            return &set[i];
        }
    }
    return NULL;
}


hie_grant_t *
hie_grants_get(hie_grants_t *c, const unsigned char digest[HIE_DIGEST_LEN])
{
    unsigned      n = set_of(digest);
    lock_t       *lock = &c->locks[n % N_LOCKS];
    hie_grant_t  *g = NULL;
    slot_t       *slot;

    pthread_mutex_lock(&lock->mutex);

    slot = find(c->slots[n], digest);
    if (slot != NULL) {
        slot->used = ++lock->clock;
        g = slot->grant;
        atomic_fetch_add_explicit(&g->references, 1, memory_order_relaxed);
    }

    pthread_mutex_unlock(&lock->mutex);

    return g;
}


/* Where a new one goes: an empty place, one that expired, else the one that
 * was not used for the longest time. */
static slot_t *
victim(slot_t *set, apr_time_t now)
{
    slot_t  *oldest = &set[0];
    int      i;

    for (i = 0; i < N_WAYS; i++) {
        if (set[i].grant == NULL
            || set[i].grant->principal.expires < now)
        {
            return &set[i];
        }
        if (set[i].used < oldest->used) {
            oldest = &set[i];
        }
    }
    return oldest;
}


void
hie_grants_put(hie_grants_t *c, const unsigned char digest[HIE_DIGEST_LEN],
               hie_grant_t *g, apr_time_t now)
{
    unsigned      n = set_of(digest);
    lock_t       *lock = &c->locks[n % N_LOCKS];
    hie_grant_t  *old = NULL;
    slot_t       *slot;

    pthread_mutex_lock(&lock->mutex);

    /* Another thread may have verified the same token meanwhile. */
    slot = find(c->slots[n], digest);
    if (slot == NULL) {
        slot = victim(c->slots[n], now);
    }
    old = slot->grant;
    memcpy(slot->digest, digest, HIE_DIGEST_LEN);
    slot->grant = g;
    slot->used = ++lock->clock;
    atomic_fetch_add_explicit(&g->references, 1, memory_order_relaxed);

    pthread_mutex_unlock(&lock->mutex);

    hie_grant_release(old);
}
