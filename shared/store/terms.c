/*
 * Labels and terms: what many resources share, written once.
 *
 * A process remembers which of them are there, so that nearly no write sends
 * any. A key is remembered when its transaction has been committed, together
 * with the generation of the connection: what another database than this one
 * had committed (it was restored, or another server took over) does not count.
 */

#include "store/private.h"

#include <stdlib.h>


/* In one order, so that two transactions which have the same new ones do not
 * wait for each other. */
static const char  labels_sql[] =
    "INSERT INTO hie.label (key, kind, type, value, token)"
    " SELECT u.key, u.kind, u.type, u.value, u.token"
    " FROM unnest($1::bigint[], $2::int[], $3::text[], $4::text[],"
    " $5::bigint[]) AS u(key, kind, type, value, token) ON CONFLICT DO NOTHING";

static const char  terms_sql[] =
    "INSERT INTO hie.term (key, slot, value)"
    " SELECT u.key, u.slot, u.value"
    " FROM unnest($1::bigint[], $2::bigint[], $3::text[])"
    " AS u(key, slot, value) ON CONFLICT DO NOTHING";


void
hie_terms_statements(hie_store_t *s)
{
    hie_store_stmt(&s->labels, labels_sql);
    hie_store_stmt(&s->terms, terms_sql);
}


/* What stands in the slot of a key that is known to a generation. */
static uint64_t
mark_of(uint64_t key, unsigned generation)
{
    return key ^ (generation + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
}


static bool
is_known(const hie_store_tx_t *tx, uint64_t key)
{
    return atomic_load_explicit(&tx->store->known[key % HIE_KNOWN_TERMS],
                                memory_order_relaxed)
           == mark_of(key, tx->conn->generation);
}


/* One that is not known, and whose it is. */
typedef struct {
    uint64_t                  key;
    hie_str_t                 type;      /* of a label */
    const hie_label_t        *label;     /* or NULL, and */
    const hie_search_term_t  *term;
} new_t;


static int
compare_new(const void *va, const void *vb)
{
    const new_t  *a = va, *b = vb;

    if ((a->label == NULL) != (b->label == NULL)) {
        return a->label == NULL ? 1 : -1;
    }
    return (a->key > b->key) - (a->key < b->key);
}


static void
find_terms(const hie_store_tx_t *tx, const hie_search_values_t *values,
           apr_array_header_t *list)
{
    int  i;

    for (i = 0; i < values->n_terms; i++) {
        if (!is_known(tx, values->terms[i].key)) {
            *(new_t *) apr_array_push(list) = (new_t) {
                .key = values->terms[i].key, .term = &values->terms[i]
            };
        }
    }
}


static void
find_new(const hie_store_tx_t *tx, const hie_put_t *put,
         apr_array_header_t *list)
{
    int  i;

    for (i = 0; i < put->relations->n_labels; i++) {
        if (!is_known(tx, put->relations->labels[i].key)) {
            *(new_t *) apr_array_push(list) = (new_t) {
                .key = put->relations->labels[i].key, .type = put->type,
                .label = &put->relations->labels[i]
            };
        }
    }
    find_terms(tx, put->values, list);
    for (i = 0; i < put->values->n_contained; i++) {
        find_terms(tx, &put->values->contained[i].values, list);
    }
}


static void
add_terms(hie_new_terms_t *w, apr_pool_t *pool, const new_t *list, int n)
{
    int  i;

    hie_array_init(&w->t_key, pool, HIE_PG_INT8, 256);
    hie_array_init(&w->t_slot, pool, HIE_PG_INT8, 256);
    hie_array_init(&w->t_value, pool, HIE_PG_TEXT, 512);
    for (i = 0; i < n; i++) {
        hie_array_i64(&w->t_key, (int64_t) list[i].key);
        hie_array_i64(&w->t_slot, list[i].term->param);
        hie_array_str(&w->t_value, hie_string_indexed(list[i].term->value));
    }
    hie_params_init(&w->terms, pool);
    hie_params_array(&w->terms, &w->t_key);
    hie_params_array(&w->terms, &w->t_slot);
    hie_params_array(&w->terms, &w->t_value);
    w->n_terms = n;
}


/* That of the parameter which finds it. */
static uint64_t
label_token(const new_t *label)
{
    static const char *const  codes[] = {
        [HIE_LABEL_PROFILE] = "_profile", [HIE_LABEL_SECURITY] = "_security",
        [HIE_LABEL_TAG] = "_tag"
    };
    const char               *code = codes[label->label->kind];

    return hie_search_key(hie_search_param_key(hie_types[
                              hie_type_find_resource(label->type)].name,
                              code), label->label->form);
}


static void
add_labels(hie_new_terms_t *w, apr_pool_t *pool, const new_t *list, int n)
{
    int  i;

    hie_array_init(&w->l_key, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->l_token, pool, HIE_PG_INT8, 64);
    hie_array_init(&w->l_kind, pool, HIE_PG_INT4, 64);
    hie_array_init(&w->l_type, pool, HIE_PG_TEXT, 64);
    hie_array_init(&w->l_value, pool, HIE_PG_TEXT, 256);
    for (i = 0; i < n; i++) {
        hie_array_i64(&w->l_key, (int64_t) list[i].key);
        hie_array_i64(&w->l_token, (int64_t) label_token(&list[i]));
        hie_array_i32(&w->l_kind, list[i].label->kind);
        hie_array_str(&w->l_type, list[i].type);
        hie_array_str(&w->l_value, list[i].label->json);
    }
    hie_params_init(&w->labels, pool);
    hie_params_array(&w->labels, &w->l_key);
    hie_params_array(&w->labels, &w->l_kind);
    hie_params_array(&w->labels, &w->l_type);
    hie_params_array(&w->labels, &w->l_value);
    hie_params_array(&w->labels, &w->l_token);
    w->n_labels = n;
}


/* Sorts, and keeps one of equal ones; the new count. */
static int
settle(new_t *list, int n)
{
    int  i, kept;

    qsort(list, (size_t) n, sizeof(*list), compare_new);
    for (i = 0, kept = 0; i < n; i++) {
        if (kept == 0 || compare_new(&list[kept - 1], &list[i]) != 0) {
            list[kept++] = list[i];
        }
    }
    return kept;
}


void
hie_terms_collect(hie_new_terms_t *w, hie_store_tx_t *tx,
                  const hie_put_t *puts, int n)
{
    apr_array_header_t  *list = apr_array_make(tx->pool, 16, sizeof(new_t));
    new_t               *found;
    int                  i, labels;

    w->n_labels = 0;
    w->n_terms = 0;
    for (i = 0; i < n; i++) {
        if (puts[i].body.len > 0) {
            find_new(tx, &puts[i], list);
        }
    }
    if (list->nelts == 0) {
        return;
    }

    found = (new_t *) list->elts;
    n = settle(found, list->nelts);
    for (labels = 0; labels < n && found[labels].label != NULL; labels++) {
        /* void */
    }
    if (labels > 0) {
        add_labels(w, tx->pool, found, labels);
    }
    if (labels < n) {
        add_terms(w, tx->pool, found + labels, n - labels);
    }

    for (i = 0; i < n; i++) {
        APR_ARRAY_PUSH(tx->new_terms, uint64_t) = found[i].key;
    }
}


void
hie_terms_committed(hie_store_tx_t *tx)
{
    uint64_t  key;
    int       i;

    for (i = 0; i < tx->new_terms->nelts; i++) {
        key = APR_ARRAY_IDX(tx->new_terms, i, uint64_t);
        atomic_store_explicit(&tx->store->known[key % HIE_KNOWN_TERMS],
                              mark_of(key, tx->conn->generation),
                              memory_order_relaxed);
    }
}
