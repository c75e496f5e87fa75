/*
 * What a resource is found by: tokens, references and strings of the search
 * parameters, and the patients it belongs to.
 */

#include "fhir/care.h"
#include "fhir/doc.h"
#include "fhir/model.h"

#include <stdlib.h>
#include <string.h>

#include <apr_tables.h>

typedef struct {
    uint64_t   key;
    hie_str_t  id;
} patient_t;

typedef struct {
    apr_pool_t          *pool;
    hie_str_t            type;
    hie_str_t            base;
    const hie_param_t   *param;       /* whose values are being taken */
    apr_array_header_t  *tokens;      /* uint64_t */
    apr_array_header_t  *strings;     /* hie_index_string_t */
    apr_array_header_t  *patients;    /* patient_t */
    apr_array_header_t  *refs;        /* hie_str_t */
    apr_array_header_t  *labels;      /* hie_label_t */
} indexer_t;


uint64_t
hie_fhir_patient_key(hie_str_t patient_id)
{
    hie_str_t  parts[2] = { HIE_STR("Patient"), patient_id };

    return hie_hash64_parts(parts, 2);
}


uint64_t
hie_fhir_token_key(hie_str_t type, const char *param, hie_str_t form)
{
    hie_str_t  parts[3] = { type, hie_str(param), form };

    return hie_hash64_parts(parts, 3);
}


uint64_t
hie_fhir_referrer_key(hie_str_t type, hie_str_t id)
{
    hie_str_t  parts[3] = { HIE_STR("Reference"), type, id };

    return hie_hash64_parts(parts, 3);
}


static void
add_token(indexer_t *ix, hie_str_t form)
{
    *(uint64_t *) apr_array_push(ix->tokens) =
        hie_fhir_token_key(ix->type, ix->param->code, form);
}


/* R4 section 3.1.1.4.10: the forms in which a query may name a token. */
static void
add_code(indexer_t *ix, hie_str_t system, hie_str_t code)
{
    hie_buf_t  b;

    if (system.len == 0 && code.len == 0) {
        return;
    }

    hie_buf_init(&b, ix->pool, system.len + code.len + 2);
    hie_buf_adds(&b, system);
    hie_buf_addc(&b, '|');

    if (system.len > 0) {
        add_token(ix, hie_buf_str(&b));
    }

    if (code.len > 0) {
        hie_buf_adds(&b, code);
        add_token(ix, hie_buf_str(&b));
        add_token(ix, code);
    }
}


static void
add_coding(indexer_t *ix, const hie_doc_t *d, hie_node_t n, const char *code)
{
    add_code(ix, hie_doc_get(d, n, "system", ix->pool),
             hie_doc_get(d, n, code, ix->pool));
}


/* The data type is known by its members: CodeableConcept has coding,
 * Identifier has value, Coding has code. */
static void
take_token(void *baton, const hie_doc_t *d, hie_node_t n)
{
    indexer_t   *ix = baton;
    hie_node_t   list, c;

    switch (hie_doc_kind(d, n)) {

    case HIE_NODE_STRING:
        add_code(ix, HIE_STR_NONE, hie_doc_string(d, n, ix->pool));
        return;

    case HIE_NODE_TRUE:
    case HIE_NODE_FALSE:
        add_code(ix, HIE_STR_NONE, hie_doc_raw(d, n));
        return;

    case HIE_NODE_OBJECT:
        break;

    default:
        return;
    }

    list = hie_doc_member(d, n, "coding");

    if (list != HIE_NODE_NONE) {
        for (c = hie_doc_first(d, list);
             c != HIE_NODE_NONE;
             c = hie_doc_next(d, c))
        {
            add_coding(ix, d, c, "code");
        }

    } else {
        add_coding(ix, d, n, hie_doc_member(d, n, "value") != HIE_NODE_NONE
                             ? "value" : "code");
    }
}


/* "Type/id" of our own and of other servers alike, without the version; the
 * URL as it stands when it is none. */
static void
take_reference(void *baton, const hie_doc_t *d, hie_node_t n)
{
    indexer_t        *ix = baton;
    hie_reference_t   ref;
    hie_str_t         text, type, form;
    const char       *target = ix->param->target;

    text = hie_doc_get(d, n, "reference", ix->pool);

    if (!hie_fhir_reference(text, ix->base, &ref) || text.ptr[0] == '#') {
        return;
    }

    type = ref.type.len > 0 ? ref.type : hie_doc_get(d, n, "type", ix->pool);

    if (target != NULL && !hie_str_eqz(type, target)) {
        return;
    }

    form = text;

    if (ref.type.len > 0) {
        form.len = (size_t) (ref.id.ptr + ref.id.len - text.ptr);

        if (ref.local) {
            /* the type stands before the id with one slash between */
            form.ptr = ref.id.ptr - ref.type.len - 1;
            form.len = ref.type.len + 1 + ref.id.len;
        }
    }

    add_token(ix, form);
}


static void
take_string(void *baton, const hie_doc_t *d, hie_node_t n)
{
    indexer_t           *ix = baton;
    hie_index_string_t  *s;
    hie_str_t            value;

    value = hie_fhir_normalize(ix->pool, hie_doc_string(d, n, ix->pool));

    if (value.len > 0) {
        s = apr_array_push(ix->strings);
        s->param = ix->param->code;
        s->value = value;
    }
}


/*
 * Patients.
 */

static void
add_patient(indexer_t *ix, hie_str_t id)
{
    patient_t  *p;

    /* most resources name one patient, again and again */
    if (ix->patients->nelts > 0) {
        p = &APR_ARRAY_IDX(ix->patients, ix->patients->nelts - 1, patient_t);

        if (hie_str_eq(p->id, id)) {
            return;
        }
    }

    p = apr_array_push(ix->patients);
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
    indexer_t  *ix = baton;
    hie_str_t   id;

    if (local_patient(hie_doc_get(d, n, "reference", ix->pool), ix->base,
                      &id))
    {
        add_patient(ix, id);
    }
}


/* A Patient that is carried in a Bundle or in Parameters. */
static void
take_carried(indexer_t *ix, const hie_doc_t *d, hie_node_t n)
{
    hie_str_t  id;

    if (hie_str_eqz(hie_doc_get(d, n, "resourceType", ix->pool), "Patient")) {
        id = hie_doc_get(d, n, "id", ix->pool);

        if (hie_fhir_is_id(id)) {
            add_patient(ix, id);
        }
    }
}


/* The value of an element `reference`, whatever holds it. */
static void
take_referred(indexer_t *ix, const hie_doc_t *d, hie_node_t n)
{
    static const char  name[] = "reference\"";
    const hie_tape_t  *t = &d->nodes[n];
    hie_reference_t    ref;

    if (t->flags & HIE_TAPE_MEMBER
        && memcmp(d->text + t->name, name, sizeof(name) - 1) == 0
        && hie_fhir_reference(hie_doc_string(d, n, ix->pool), ix->base, &ref)
        && ref.local && ref.type.len > 0)
    {
        *(uint64_t *) apr_array_push(ix->tokens) =
            hie_fhir_referrer_key(ref.type, ref.id);
    }
}


/* Every string anywhere that reads as a reference to a patient of ours, be it
 * Reference.reference, a uri or what an extension holds. Who may not see that
 * patient may not see this either, so none is missed rather than one too many
 * is found. */
static void
take_mentioned(indexer_t *ix, const hie_doc_t *d)
{
    const hie_tape_t  *t;
    hie_node_t         n, end = d->nodes[0].size;
    hie_str_t          id;
    bool               carrier;
    char               first, base = ix->base.len > 0 ? ix->base.ptr[0] : 'P';

    carrier = hie_str_eqz(ix->type, "Bundle")
              || hie_str_eqz(ix->type, "Parameters");

    for (n = 1; n < end; n++) {
        t = &d->nodes[n];

        if (t->kind == HIE_NODE_STRING) {
            first = d->text[t->start + 1];

            if ((first == 'P' || first == base || first == '\\')
                && local_patient(hie_doc_string(d, n, ix->pool), ix->base,
                                 &id))
            {
                add_patient(ix, id);
            }

            take_referred(ix, d, n);

        } else if (carrier && t->kind == HIE_NODE_OBJECT) {
            take_carried(ix, d, n);
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
index_patients(indexer_t *ix, const hie_doc_t *d, int type, hie_str_t id,
               hie_index_t *out)
{
    const hie_compartment_t  *c, *end;
    patient_t                *p;
    int                       i, by_definition;

    if (hie_str_eqz(ix->type, "Patient")) {
        add_patient(ix, id);
    }

    c = hie_model_compartment + hie_model_compartment_of[type];
    end = hie_model_compartment + hie_model_compartment_of[type + 1];

    for (; c < end; c++) {
        hie_doc_path(d, 0, hie_str(c->path), take_patient, ix);
    }

    by_definition = ix->patients->nelts;
    take_mentioned(ix, d);

    p = (patient_t *) ix->patients->elts;
    out->n_compartment = settle_patients(p, by_definition, p, 0);
    i = settle_patients(p + by_definition,
                        ix->patients->nelts - by_definition, p,
                        out->n_compartment);
    out->n_patients = out->n_compartment + i;
    out->patients = apr_palloc(ix->pool, sizeof(*out->patients)
                                         * (size_t) (out->n_patients + 1));
    out->patient_ids = apr_palloc(ix->pool, sizeof(*out->patient_ids)
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
 * References, and the time of care.
 */

static int
compare_str(const void *va, const void *vb)
{
    const hie_str_t  *a = va, *b = vb;
    size_t            len = a->len < b->len ? a->len : b->len;
    int               rc = memcmp(a->ptr, b->ptr, len);

    return rc != 0 ? rc : (a->len > b->len) - (a->len < b->len);
}


/* Whether the value is a member of this name, written without escapes. */
static bool
is_named(const hie_doc_t *d, const hie_tape_t *t, const char *name)
{
    size_t  len = strlen(name);

    return (t->flags & HIE_TAPE_MEMBER) && t->start - t->name > len
           && memcmp(d->text + t->name, name, len) == 0
           && d->text[t->name + len] == '"';
}


/* Every Reference.reference anywhere; what carries other resources whole
 * refers to nothing by itself. */
static void
take_references(indexer_t *ix, const hie_doc_t *d)
{
    const hie_tape_t  *t;
    hie_reference_t    ref;
    hie_node_t         n, end = d->nodes[0].size;
    hie_buf_t          b;

    if (hie_str_eqz(ix->type, "Bundle")) {
        return;
    }

    for (n = 1; n < end; n++) {
        t = &d->nodes[n];

        if (t->kind != HIE_NODE_STRING || !is_named(d, t, "reference")
            || !hie_fhir_reference(hie_doc_string(d, n, ix->pool), ix->base,
                                   &ref)
            || !ref.local || ref.type.len == 0
            || hie_str_eqz(ref.type, "Patient"))
        {
            continue;
        }

        hie_buf_init(&b, ix->pool, ref.type.len + ref.id.len + 2);
        hie_buf_adds(&b, ref.type);
        hie_buf_addc(&b, '/');
        hie_buf_adds(&b, ref.id);
        *(hie_str_t *) apr_array_push(ix->refs) = hie_buf_str(&b);
    }
}


/*
 * Labels.
 */

static void
add_label(indexer_t *ix, hie_label_kind_t kind, hie_str_t json)
{
    static const hie_str_t  kinds[] = {
        [HIE_LABEL_PROFILE] = { "profile", 7 },
        [HIE_LABEL_SECURITY] = { "security", 8 },
        [HIE_LABEL_TAG] = { "tag", 3 }
    };

    hie_str_t     parts[4] = { HIE_STR("label"), ix->type, kinds[kind], json };
    hie_label_t  *label = apr_array_push(ix->labels);

    label->kind = kind;
    label->key = hie_hash64_parts(parts, 4);
    label->json = json;
    *(uint64_t *) apr_array_push(ix->tokens) = label->key;
}


/* What makes a label the same: the URL, or system and code. Whatever else
 * stands beside it is the matter of the resource. */
static void
take_labels(indexer_t *ix, const hie_doc_t *d, hie_node_t list,
            hie_label_kind_t kind)
{
    hie_node_t  n;
    hie_str_t   system, code;
    hie_buf_t   b;

    for (n = hie_doc_first(d, list);
         n != HIE_NODE_NONE;
         n = hie_doc_next(d, n))
    {
        hie_buf_init(&b, ix->pool, 128);

        if (kind == HIE_LABEL_PROFILE) {
            code = hie_doc_string(d, n, ix->pool);
            hie_buf_add_json(&b, code);
            system = HIE_STR_NONE;

        } else {
            system = hie_doc_get(d, n, "system", ix->pool);
            code = hie_doc_get(d, n, "code", ix->pool);
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
        }

        if (system.len + code.len > 0) {
            add_label(ix, kind, hie_buf_str(&b));
        }
    }
}


static void
take_meta(indexer_t *ix, const hie_doc_t *d)
{
    hie_node_t  meta = hie_doc_member(d, 0, "meta");

    take_labels(ix, d, hie_doc_member(d, meta, "profile"), HIE_LABEL_PROFILE);
    take_labels(ix, d, hie_doc_member(d, meta, "security"),
                HIE_LABEL_SECURITY);
    take_labels(ix, d, hie_doc_member(d, meta, "tag"), HIE_LABEL_TAG);
}


static int
compare_u64(const void *va, const void *vb)
{
    uint64_t  a = *(const uint64_t *) va, b = *(const uint64_t *) vb;

    return (a > b) - (a < b);
}


static int
compare_strings(const void *va, const void *vb)
{
    const hie_index_string_t  *a = va, *b = vb;
    size_t                     len;
    int                        rc = strcmp(a->param, b->param);

    if (rc != 0) {
        return rc;
    }

    len = a->value.len < b->value.len ? a->value.len : b->value.len;
    rc = memcmp(a->value.ptr, b->value.ptr, len);

    return rc != 0 ? rc : (a->value.len > b->value.len)
                          - (a->value.len < b->value.len);
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


hie_rc_t
hie_fhir_index(const hie_doc_t *d, hie_str_t type, hie_str_t id,
               hie_str_t base, apr_pool_t *pool, hie_index_t *out,
               hie_error_t *err)
{
    static hie_path_fn *const  takers[] = {
        [HIE_PARAM_TOKEN] = take_token,
        [HIE_PARAM_REFERENCE] = take_reference,
        [HIE_PARAM_STRING] = take_string,
        [HIE_PARAM_URI] = take_token     /* a code without a system */
    };

    indexer_t           ix;
    const hie_param_t  *end;
    int                 i = hie_model_type(type);

    memset(out, 0, sizeof(*out));

    if (i < 0 || hie_doc_kind(d, 0) != HIE_NODE_OBJECT) {
        return hie_fail(err, HIE_INVALID, "",
                        "expected a resource of a type of FHIR R4");
    }

    ix.pool = pool;
    ix.type = type;
    ix.base = base;
    ix.tokens = apr_array_make(pool, 16, sizeof(uint64_t));
    ix.strings = apr_array_make(pool, 4, sizeof(hie_index_string_t));
    ix.patients = apr_array_make(pool, 4, sizeof(patient_t));
    ix.refs = apr_array_make(pool, 4, sizeof(hie_str_t));
    ix.labels = apr_array_make(pool, 4, sizeof(hie_label_t));
    ix.param = hie_model_params + hie_model_params_of[i];
    end = hie_model_params + hie_model_params_of[i + 1];

    for (; ix.param < end; ix.param++) {
        hie_doc_path(d, 0, hie_str(ix.param->path), takers[ix.param->kind],
                     &ix);
    }

    index_patients(&ix, d, i, id, out);
    take_references(&ix, d);
    take_meta(&ix, d);
    hie_fhir_care(d, type, pool, &out->care_from, &out->care_until);

    out->n_refs = settle(ix.refs, compare_str);
    out->refs = (hie_str_t *) ix.refs->elts;
    out->n_labels = ix.labels->nelts;
    out->labels = (hie_label_t *) ix.labels->elts;
    out->n_tokens = settle(ix.tokens, compare_u64);
    out->tokens = (uint64_t *) ix.tokens->elts;
    out->n_strings = settle(ix.strings, compare_strings);
    out->strings = (hie_index_string_t *) ix.strings->elts;

    return HIE_OK;
}
