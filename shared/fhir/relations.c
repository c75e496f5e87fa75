/*
 * What a resource tells about other things than itself: whose it is, what it
 * refers to, when the care was that it is about, its labels.
 */

#include "fhir/care.h"
#include "fhir/doc.h"
#include "fhir/search_params.h"

#include <stdlib.h>
#include <string.h>

#include <apr_tables.h>

typedef struct {
    uint64_t   key;
    hie_str_t  id;
} patient_t;

typedef struct {
    uint64_t  key;
    bool      apart;              /* not to be followed */
} ref_t;

typedef struct {
    apr_pool_t          *pool;
    hie_str_t            type;
    hie_str_t            base;
    bool                 bundle;
    apr_array_header_t  *patients;    /* patient_t */
    apr_array_header_t  *refs;        /* ref_t */
    apr_array_header_t  *labels;      /* hie_label_t */
} relator_t;


uint64_t
hie_fhir_resource_key(hie_str_t type, hie_str_t id)
{
    hie_str_t  parts[2] = { type, id };

    return hie_hash64_parts(parts, 2);
}


uint64_t
hie_fhir_patient_key(hie_str_t patient_id)
{
    return hie_fhir_resource_key(HIE_STR("Patient"), patient_id);
}


/*
 * Patients.
 */

static void
add_patient(relator_t *r, hie_str_t id)
{
    patient_t  *p;

    /* most resources name one patient, again and again */
    if (r->patients->nelts > 0) {
        p = &APR_ARRAY_IDX(r->patients, r->patients->nelts - 1, patient_t);

        if (hie_str_eq(p->id, id)) {
            return;
        }
    }

    p = apr_array_push(r->patients);
    p->key = hie_fhir_patient_key(id);
    p->id = id;
}


/* A patient of ours in a text that starts as a reference to one, whatever
 * follows: a version, a fragment, an operation, a query. */
static bool
local_patient(hie_str_t text, hie_str_t base, hie_str_t *id)
{
    size_t  len;

    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }

    if (base.len > 0 && text.len > base.len && text.ptr[base.len] == '/'
        && memcmp(text.ptr, base.ptr, base.len) == 0)
    {
        text.ptr += base.len + 1;
        text.len -= base.len + 1;
    }

    if (!hie_str_starts(text, "Patient/")) {
        return false;
    }

    text.ptr += sizeof("Patient/") - 1;
    text.len -= sizeof("Patient/") - 1;

    for (len = 0; len < text.len; len++) {
        if (memchr("/?#|", text.ptr[len], 4) != NULL) {
            break;
        }
    }

    *id = (hie_str_t) { text.ptr, len };

    return hie_fhir_is_id(*id);
}


static void
take_patient(void *baton, const hie_doc_t *d, hie_node_t n)
{
    relator_t  *r = baton;
    hie_str_t   id;

    if (local_patient(hie_doc_get(d, n, "reference", r->pool), r->base, &id)) {
        add_patient(r, id);
    }
}


/* A Patient that is carried in a Bundle or in Parameters. */
static void
take_carried(relator_t *r, const hie_doc_t *d, hie_node_t n)
{
    hie_str_t  id;

    if (hie_str_eqz(hie_doc_get(d, n, "resourceType", r->pool), "Patient")) {
        id = hie_doc_get(d, n, "id", r->pool);

        if (hie_fhir_is_id(id)) {
            add_patient(r, id);
        }
    }
}


/*
 * References.
 */

/* Whether the value is a member of this name, written without escapes. */
static bool
is_named(const hie_doc_t *d, const hie_tape_t *t, const char *name)
{
    size_t  len = strlen(name);

    return (t->flags & HIE_TAPE_MEMBER) && t->start - t->name > len
           && memcmp(d->text + t->name, name, len) == 0
           && d->text[t->name + len] == '"';
}


/* The value of an element `reference`, whatever holds it. */
static void
take_reference(relator_t *r, const hie_doc_t *d, hie_node_t n)
{
    hie_reference_t   ref;
    ref_t            *made;

    if (is_named(d, &d->nodes[n], "reference")
        && hie_fhir_reference(hie_doc_string(d, n, r->pool), r->base, &ref)
        && ref.local && ref.type.len > 0)
    {
        made = apr_array_push(r->refs);
        made->key = hie_fhir_resource_key(ref.type, ref.id);
        made->apart = r->bundle || hie_str_eqz(ref.type, "Patient");
    }
}


static int
compare_refs(const void *va, const void *vb)
{
    const ref_t  *a = va, *b = vb;

    return a->apart != b->apart ? a->apart - b->apart
                                : (a->key > b->key) - (a->key < b->key);
}


/* Sorts, and keeps one of equal ones; the new count. */
static int
settle(apr_array_header_t *a, int (*compare)(const void *, const void *))
{
    size_t  size = (size_t) a->elt_size;
    char   *elts = a->elts;
    int     i, kept = 0;

    qsort(elts, (size_t) a->nelts, size, compare);

    for (i = 0; i < a->nelts; i++) {
        if (kept > 0 && compare(elts + (size_t) (kept - 1) * size,
                                elts + (size_t) i * size) == 0)
        {
            continue;
        }

        memmove(elts + (size_t) kept++ * size, elts + (size_t) i * size,
                size);
    }

    return kept;
}


static void
settle_references(relator_t *r, hie_relations_t *out)
{
    const ref_t  *ref;
    int           i;

    out->n_refs = settle(r->refs, compare_refs);
    out->refs = apr_palloc(r->pool, sizeof(*out->refs)
                                    * (size_t) (out->n_refs + 1));

    for (i = 0; i < out->n_refs; i++) {
        ref = &APR_ARRAY_IDX(r->refs, i, ref_t);
        out->refs[i] = ref->key;
        out->n_followed += !ref->apart;
    }
}


/*
 * All strings.
 */

/* Every string anywhere that reads as a reference to a patient of ours, be it
 * Reference.reference, a uri or what an extension holds. Who may not see that
 * patient may not see this either, so none is missed rather than one too many
 * is found. */
static void
take_strings(relator_t *r, const hie_doc_t *d)
{
    const hie_tape_t  *t;
    hie_node_t         n, end = d->nodes[0].size;
    hie_str_t          id;
    bool               carrier;
    char               first, base = r->base.len > 0 ? r->base.ptr[0] : 'P';

    carrier = r->bundle || hie_str_eqz(r->type, "Parameters");

    for (n = 1; n < end; n++) {
        t = &d->nodes[n];

        if (t->kind == HIE_NODE_STRING) {
            first = d->text[t->start + 1];

            if ((first == 'P' || first == base || first == '\\')
                && local_patient(hie_doc_string(d, n, r->pool), r->base, &id))
            {
                add_patient(r, id);
            }

            take_reference(r, d, n);

        } else if (carrier && t->kind == HIE_NODE_OBJECT) {
            take_carried(r, d, n);
        }
    }
}


static int
compare_patients(const void *va, const void *vb)
{
    const patient_t  *a = va, *b = vb;
    size_t            len = a->id.len < b->id.len ? a->id.len : b->id.len;
    int               rc;

    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }

    rc = memcmp(a->id.ptr, b->id.ptr, len);

    return rc != 0 ? rc : (a->id.len > b->id.len) - (a->id.len < b->id.len);
}


/* Sorts and takes repetitions and what is in `known` out; the new count. */
static int
settle_patients(patient_t *p, int n, const patient_t *known, int n_known)
{
    int  i, kept = 0;

    qsort(p, (size_t) n, sizeof(*p), compare_patients);

    for (i = 0; i < n; i++) {
        if ((kept > 0 && compare_patients(&p[kept - 1], &p[i]) == 0)
            || bsearch(&p[i], known, (size_t) n_known, sizeof(*p),
                       compare_patients) != NULL)
        {
            continue;
        }

        p[kept++] = p[i];
    }

    return kept;
}


static void
take_compartment(relator_t *r, const hie_doc_t *d, hie_type_t type)
{
    const hie_compartment_row_t  *rows;
    size_t                        i, n;

    rows = hie_compartment_of(HIE_TYPE_Patient, type, &n);

    for (i = 0; i < n; i++) {
        hie_doc_path(d, 0, hie_str(rows[i].path), take_patient, r);
    }
}


static void
take_patients(relator_t *r, const hie_doc_t *d, hie_type_t type, hie_str_t id,
              hie_relations_t *out)
{
    patient_t  *p;
    int         i, by_definition;

    if (type == HIE_TYPE_Patient) {
        add_patient(r, id);
    }

    take_compartment(r, d, type);
    by_definition = r->patients->nelts;
    take_strings(r, d);

    p = (patient_t *) r->patients->elts;
    out->n_compartment = settle_patients(p, by_definition, p, 0);
    i = settle_patients(p + by_definition, r->patients->nelts - by_definition,
                        p, out->n_compartment);
    out->n_patients = out->n_compartment + i;
    out->patients = apr_palloc(r->pool, sizeof(*out->patients)
                                        * (size_t) (out->n_patients + 1));
    out->patient_ids = apr_palloc(r->pool, sizeof(*out->patient_ids)
                                           * (size_t) (out->n_patients + 1));

    for (i = 0; i < out->n_patients; i++, p++) {
        if (i == out->n_compartment) {
            p += by_definition - out->n_compartment;
        }

        out->patients[i] = p->key;
        out->patient_ids[i] = p->id;
    }
}


/*
 * Labels.
 */

static void
add_label(relator_t *r, hie_label_kind_t kind, hie_str_t form,
          hie_str_t json)
{
    static const hie_str_t  kinds[] = {
        [HIE_LABEL_PROFILE] = { "profile", 7 },
        [HIE_LABEL_SECURITY] = { "security", 8 },
        [HIE_LABEL_TAG] = { "tag", 3 }
    };

    hie_str_t     parts[4] = { HIE_STR("label"), r->type, kinds[kind], json };
    hie_label_t  *label = apr_array_push(r->labels);

    label->kind = kind;
    label->key = hie_hash64_parts(parts, 4);
    label->form = form;
    label->json = json;
}


/* What makes a label the same: the URL, or system and code. Whatever else
 * stands beside it is the matter of the resource. */
static void
take_labels(relator_t *r, const hie_doc_t *d, hie_node_t list,
            hie_label_kind_t kind)
{
    hie_node_t  n;
    hie_str_t   system, code, form;
    hie_buf_t   b, f;

    for (n = hie_doc_first(d, list);
         n != HIE_NODE_NONE;
         n = hie_doc_next(d, n))
    {
        hie_buf_init(&b, r->pool, 128);

        if (kind == HIE_LABEL_PROFILE) {
            code = hie_doc_string(d, n, r->pool);
            hie_buf_add_json(&b, code);
            system = HIE_STR_NONE;
            form = code;

        } else {
            system = hie_doc_get(d, n, "system", r->pool);
            code = hie_doc_get(d, n, "code", r->pool);
            hie_buf_addc(&b, '{');

            if (system.len > 0) {
                hie_buf_addz(&b, "\"system\":");
                hie_buf_add_json(&b, system);
            }

            if (code.len > 0) {
                hie_buf_addz(&b, system.len > 0 ? ",\"code\":"
                                                : "\"code\":");
                hie_buf_add_json(&b, code);
            }

            hie_buf_addc(&b, '}');
            hie_buf_init(&f, r->pool, system.len + code.len + 1);
            hie_buf_adds(&f, system);
            hie_buf_addc(&f, '|');
            hie_buf_adds(&f, code);
            form = hie_buf_str(&f);
        }

        if (system.len + code.len > 0) {
            add_label(r, kind, form, hie_buf_str(&b));
        }
    }
}


static void
take_meta(relator_t *r, const hie_doc_t *d)
{
    hie_node_t  meta = hie_doc_member(d, 0, "meta");

    take_labels(r, d, hie_doc_member(d, meta, "profile"), HIE_LABEL_PROFILE);
    take_labels(r, d, hie_doc_member(d, meta, "security"),
                HIE_LABEL_SECURITY);
    take_labels(r, d, hie_doc_member(d, meta, "tag"), HIE_LABEL_TAG);
}


static int
compare_labels(const void *va, const void *vb)
{
    const hie_label_t  *a = va, *b = vb;

    return (a->key > b->key) - (a->key < b->key);
}


hie_rc_t
hie_fhir_relations(const hie_doc_t *d, hie_str_t type, hie_str_t id,
                   hie_str_t base, apr_pool_t *pool, hie_relations_t *out,
                   hie_error_t *err)
{
    hie_type_t  known = hie_type_find_resource(type);
    relator_t   r;

    memset(out, 0, sizeof(*out));

    if (known == HIE_TYPE_NONE || hie_doc_kind(d, 0) != HIE_NODE_OBJECT) {
        return hie_fail(err, HIE_INVALID, "",
                        "expected a resource of a type of FHIR R4");
    }

    r.pool = pool;
    r.type = type;
    r.base = base;
    r.bundle = known == HIE_TYPE_Bundle;
    r.patients = apr_array_make(pool, 4, sizeof(patient_t));
    r.refs = apr_array_make(pool, 4, sizeof(ref_t));
    r.labels = apr_array_make(pool, 4, sizeof(hie_label_t));

    take_patients(&r, d, known, id, out);
    take_meta(&r, d);
    hie_fhir_care(d, type, pool, &out->care_from, &out->care_until);

    settle_references(&r, out);
    out->n_labels = settle(r.labels, compare_labels);
    out->labels = (hie_label_t *) r.labels->elts;

    return HIE_OK;
}
