/*
 * Sets of items, by equality.
 */

#include "fhirpath/private.h"


static uint64_t
hash_decimal(const hie_decimal_t *v)
{
    uint64_t       parts[3];
    hie_decimal_t  n = hie_decimal_normalize(v);

    parts[0] = n.high;
    parts[1] = n.low;
    parts[2] = (uint64_t) (uint32_t) n.exponent << 1 | n.negative;
    return hie_hash64(parts, sizeof(parts));
}


static uint64_t
hash_str(hie_str_t s)
{
    return hie_hash64(s.ptr, s.len);
}


static uint64_t
hash_json(fp_run_t *run, const hie_doc_t *d, hie_node_t n)
{
    uint64_t         h, part;
    hie_node_t       c;
    hie_decimal_t    v;
    hie_node_kind_t  kind = hie_doc_kind(d, n);

    /* the caller of this spends one step at least, and finds that none is
     * left */
    fp_charge(run, 1 + (kind == HIE_NODE_STRING || kind == HIE_NODE_NUMBER
                        ? hie_doc_raw(d, n).len / FP_STEP_BYTES : 0));
    if (kind == HIE_NODE_STRING) {
        return hash_str(hie_doc_string(d, n, run->pool));
    }

    if (kind == HIE_NODE_NUMBER) {
        return hie_decimal_parse(hie_doc_raw(d, n), &v)
               ? hash_decimal(&v) : hash_str(hie_doc_raw(d, n));
    }

    h = kind;
    for (c = hie_doc_first(d, n); c != HIE_NODE_NONE; c = hie_doc_next(d, c)) {
        part = hash_json(run, d, c);
        if (kind == HIE_NODE_OBJECT) {
            h += part * (hash_str(hie_doc_name(d, c, run->pool)) | 1);
        } else {
            h = h * UINT64_C(0x9e3779b97f4a7c15) + part;
        }
    }

    return h;
}


/* Times with and without a zone or a fraction may be equal; so may quantities
 * in different units. They are few. */
static uint64_t
hash_item(fp_run_t *run, const fp_item_t *item)
{
    fp_item_t                v;
    hie_decimal_t            n;
    hie_fhirpath_quantity_t  q;

    if (!hie_fp_value(run, item, &v)) {
        return hash_json(run, item->doc, item->node)
               + 3 * hash_json(run, item->doc, item->sibling);
    }

    switch (v.kind) {
    case HIE_FHIRPATH_STRING:
        return hash_str(v.string);

    case HIE_FHIRPATH_INTEGER:
    case HIE_FHIRPATH_DECIMAL:
        n = v.kind == HIE_FHIRPATH_INTEGER ? hie_decimal_int(v.integer)
                                           : v.decimal;
        return hash_decimal(&n);

    case HIE_FHIRPATH_QUANTITY:
        q = *v.quantity;
        return hie_str_eqz(q.unit, "1") ? hash_decimal(&q.value) : 5;

    case HIE_FHIRPATH_BOOLEAN:
        return 6 + v.boolean;

    default:
        return v.kind == HIE_FHIRPATH_DATE ? HIE_FHIRPATH_DATETIME : v.kind;
    }
}


void
hie_fp_set_init(fp_set_t *set)
{
    set->n = 0;
    set->mask = 0;
}


static void
put(fp_set_t *set, uint32_t slot, uint64_t h)
{
    uint32_t  i = (uint32_t) h & set->mask;

    while (set->slots[i] != 0) {
        i = (i + 1) & set->mask;
    }

    set->slots[i] = slot;
    set->hashes[i] = h;
}


static void
resize(fp_run_t *run, fp_set_t *set, uint32_t size)
{
    uint32_t  i;
    fp_set_t  old = *set;

    set->mask = size - 1;
    set->slots = apr_pcalloc(run->pool, size * sizeof(*set->slots));
    set->hashes = apr_palloc(run->pool, size * sizeof(*set->hashes));

    if (old.mask == 0) {
        for (i = 0; i < old.n; i++) {
            put(set, old.small[i] + 1,
                hash_item(run, &run->items[old.small[i]]));
        }

        return;
    }

    for (i = 0; i <= old.mask; i++) {
        if (old.slots[i] != 0) {
            put(set, old.slots[i], old.hashes[i]);
        }
    }
}


static hie_rc_t
find_small(fp_run_t *run, fp_set_t *set, uint32_t at, bool *found)
{
    uint32_t    i;
    hie_rc_t    rc;
    fp_truth_t  same;

    for (i = 0; i < set->n; i++) {
        rc = hie_fp_equal(run, &run->items[set->small[i]], &run->items[at],
                          &same);
        if (rc != HIE_OK || same == FP_TRUE) {
            *found = rc == HIE_OK;
            return rc;
        }
    }

    return HIE_OK;
}


static hie_rc_t
find_hashed(fp_run_t *run, fp_set_t *set, uint32_t at, uint64_t h,
            bool *found)
{
    uint32_t    i;
    hie_rc_t    rc;
    fp_truth_t  same;

    for (i = (uint32_t) h & set->mask; set->slots[i] != 0;
         i = (i + 1) & set->mask)
    {
        if (set->hashes[i] != h) {
            continue;
        }

        rc = hie_fp_equal(run, &run->items[set->slots[i] - 1],
                          &run->items[at], &same);
        if (rc != HIE_OK || same == FP_TRUE) {
            *found = rc == HIE_OK;
            return rc;
        }
    }

    return hie_fp_spend(run, 1);
}


hie_rc_t
hie_fp_set_find(fp_run_t *run, fp_set_t *set, uint32_t at, bool add,
                bool *found)
{
    uint64_t  h = 0;
    hie_rc_t  rc;

    *found = false;
    if (set->mask == 0) {
        rc = find_small(run, set, at, found);
    } else {
        h = hash_item(run, &run->items[at]);
        rc = find_hashed(run, set, at, h, found);
    }

    if (rc != HIE_OK || *found || !add) {
        return rc;
    }

    if (set->mask == 0 && set->n < FP_SET_SMALL) {
        set->small[set->n++] = at;
        return HIE_OK;
    }

    if (set->mask == 0) {
        resize(run, set, 8 * FP_SET_SMALL);
        h = hash_item(run, &run->items[at]);
    } else if (set->n * 2 >= set->mask) {
        resize(run, set, 2 * (set->mask + 1));
    }

    put(set, at + 1, h);
    set->n++;
    return HIE_OK;
}
