/*
 * Full text. Index and query take a text apart here, so that they agree: a
 * word is what stands between signs that are neither letter nor digit. The
 * text is normalised already (hie_fhir_normalize).
 *
 * The index is a tsvector, made here in its binary format (tsvectorrecv): a
 * count, then each word with its NUL, a count of positions, and these.
 */

#include "store/private.h"

#include <endian.h>
#include <string.h>

#include <utf8proc.h>


/* Limits of tsvector (PostgreSQL 15 documentation, section 12.11): a word, all
 * of them with their positions, the positions of one, a position. */
#define WORD_MAX       2046
#define ALL_MAX        (1 << 20)
#define PLACES_MAX     255
#define PLACE_MAX      16383

#define WEIGHT_A       (3 << 14)
#define WEIGHT_D       0


static bool
is_ascii_word(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
           || (c >= 'A' && c <= 'Z');
}


/* Whether the character at `at` belongs to a word; `*n` is its length. */
static bool
is_word(const char *at, const char *end, size_t *n)
{
    utf8proc_int32_t     c;
    utf8proc_ssize_t     len;
    utf8proc_category_t  category;

    *n = 1;
    if ((unsigned char) *at < 0x80) {
        return is_ascii_word((unsigned char) *at);
    }
    len = utf8proc_iterate((const utf8proc_uint8_t *) at, end - at, &c);
    if (len < 1) {
        return false;
    }
    *n = (size_t) len;
    category = utf8proc_category(c);
    return (category >= UTF8PROC_CATEGORY_LU
            && category <= UTF8PROC_CATEGORY_LO)
           || (category >= UTF8PROC_CATEGORY_ND
               && category <= UTF8PROC_CATEGORY_NO);
}


bool
hie_words_next(hie_str_t *rest, hie_str_t *word)
{
    const char  *at = rest->ptr, *end = rest->ptr + rest->len;
    const char  *first;
    size_t       n;

    while (at < end && !is_word(at, end, &n)) {
        at += n;
    }
    for (first = at; at < end && is_word(at, end, &n); at += n) {
        if ((size_t) (at - first) + n > WORD_MAX) {
            break;
        }
    }

    *word = (hie_str_t) { first, (size_t) (at - first) };
    *rest = (hie_str_t) { at, (size_t) (end - at) };
    return word->len > 0;
}


/*
 * The vector: distinct words in the order of their first appearance, and a
 * table of them that is at most half full.
 */

#define PLACES_NEAR  4           /* nearly no word has more */
#define FIRST_SIZE   128

typedef struct {
    hie_str_t  word;
    uint32_t   hash;
    uint16_t   n;
    uint16_t   near[PLACES_NEAR];
    uint16_t  *far;              /* those behind, PLACES_MAX in all; or NULL */
} entry_t;

typedef struct {
    apr_pool_t  *pool;
    uint32_t     n;
    uint32_t     size;           /* of entries, a power of two; the table has */
    entry_t     *entries;        /* twice as many slots: */
    uint32_t    *table;          /* number of an entry plus one, or 0 */
    size_t       all;            /* what it takes in the tsvector */
    uint16_t     place;          /* of the last word */
} vector_t;

/* Who chooses the words must not be able to choose where they meet. */
static uint64_t         seed;
static pthread_once_t   seeded = PTHREAD_ONCE_INIT;


static void
make_seed(void)
{
    hie_random(&seed, sizeof(seed));
}


static uint32_t
hash_word(hie_str_t word)
{
    uint64_t  h = seed ^ word.len;
    uint64_t  part;
    size_t    n;

    for ( ; word.len > 0; word.ptr += n, word.len -= n) {
        n = word.len < sizeof(part) ? word.len : sizeof(part);
        part = 0;
        memcpy(&part, word.ptr, n);
        h = (h ^ part) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return (uint32_t) (h ^ h >> 32);
}


static uint32_t *
slot_of(const vector_t *v, hie_str_t word, uint32_t hash)
{
    uint32_t        mask = v->size * 2 - 1;
    uint32_t        i;
    const entry_t  *e;

    for (i = hash & mask; v->table[i] != 0; i = (i + 1) & mask) {
        e = &v->entries[v->table[i] - 1];
        if (e->hash == hash && hie_str_eq(e->word, word)) {
            break;
        }
    }
    return &v->table[i];
}


static void
resize(vector_t *v, uint32_t size)
{
    entry_t   *entries;
    uint32_t   i;

    entries = apr_palloc(v->pool, sizeof(*entries) * size);
    if (v->n > 0) {
        memcpy(entries, v->entries, sizeof(*entries) * v->n);
    }
    v->entries = entries;
    v->size = size;
    v->table = apr_pcalloc(v->pool, sizeof(*v->table) * size * 2);
    for (i = 0; i < v->n; i++) {
        *slot_of(v, entries[i].word, entries[i].hash) = i + 1;
    }
}


static void
add_place(vector_t *v, entry_t *e, uint16_t place)
{
    if (e->n == PLACES_MAX) {
        return;
    }
    if (e->n < PLACES_NEAR) {
        e->near[e->n] = place;
    } else {
        if (e->far == NULL) {
            e->far = apr_palloc(v->pool, sizeof(*e->far)
                                         * (PLACES_MAX - PLACES_NEAR));
        }
        e->far[e->n - PLACES_NEAR] = place;
    }
    e->n++;
    v->all += sizeof(place);
}


/* Words of the same place beyond the last that can be told are left out, but
 * for those that are new: as to_tsvector does. */
static void
add_word(vector_t *v, hie_str_t word, int weight)
{
    uint32_t   hash = hash_word(word);
    uint32_t  *slot = slot_of(v, word, hash);
    entry_t   *e;
    uint16_t   last;

    if (*slot == 0) {
        if (v->n == v->size) {
            resize(v, v->size * 2);
            slot = slot_of(v, word, hash);
        }
        e = &v->entries[v->n++];
        memset(e, 0, sizeof(*e));
        e->word = word;
        e->hash = hash;
        *slot = v->n;
        v->all += word.len + 2 * sizeof(e->n);       /* one to align */
    } else {
        e = &v->entries[*slot - 1];
        last = e->n <= PLACES_NEAR ? e->near[e->n - 1]
                                   : e->far[e->n - PLACES_NEAR - 1];
        if ((last & PLACE_MAX) == PLACE_MAX) {
            return;
        }
    }
    add_place(v, e, (uint16_t) (v->place | weight));
}


static void
add_text(vector_t *v, hie_str_t text, int weight)
{
    hie_str_t  word;

    while (hie_words_next(&text, &word) && v->all < ALL_MAX - 2 * WORD_MAX) {
        v->place = v->place < PLACE_MAX ? v->place + 1 : PLACE_MAX;
        add_word(v, word, weight);
    }
}


static void
put_u16(hie_buf_t *b, uint16_t v)
{
    uint16_t  be = htobe16(v);

    hie_buf_add(b, &be, sizeof(be));
}


static hie_str_t
put_vector(const vector_t *v)
{
    hie_buf_t       b;
    uint32_t        i, be = htobe32(v->n);
    const entry_t  *e;
    int             k;

    hie_buf_init(&b, v->pool, v->all + 4 * (size_t) v->n + 16);
    hie_buf_add(&b, &be, sizeof(be));
    for (i = 0; i < v->n; i++) {
        e = &v->entries[i];
        hie_buf_adds(&b, e->word);
        hie_buf_addc(&b, '\0');
        put_u16(&b, e->n);
        for (k = 0; k < e->n; k++) {
            put_u16(&b, k < PLACES_NEAR ? e->near[k]
                                        : e->far[k - PLACES_NEAR]);
        }
    }
    return hie_buf_str(&b);
}


hie_str_t
hie_words_vector(apr_pool_t *pool, hie_str_t narrative, hie_str_t content)
{
    vector_t  v = { .pool = pool };

    pthread_once(&seeded, make_seed);
    resize(&v, FIRST_SIZE);
    add_text(&v, narrative, WEIGHT_A);
    add_text(&v, content, WEIGHT_D);
    return v.n > 0 ? put_vector(&v) : HIE_STR_NONE;
}
