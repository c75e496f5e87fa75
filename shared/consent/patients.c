/*
 * Whose a resource of a protected server is.
 *
 * Beyond what the index finds, every mention of a patient counts here: the
 * protected server may write its references with a base of its own that we do
 * not know, and a resource that speaks of a withheld patient in passing (a
 * display, a narrative) tells of it all the same.
 */

#include "consent/private.h"

#include <string.h>

#include <apr_tables.h>


typedef struct {
    const hie_doc_t     *d;
    apr_pool_t          *pool;
    apr_array_header_t  *patients;     /* uint64_t */
    bool                 unknown;
} scan_t;


static bool
is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '-' || c == '.';
}


static void
add_patient(scan_t *s, hie_str_t id)
{
    uint64_t  key = hie_fhir_patient_key(id);

    if (s->patients->nelts > 0
        && APR_ARRAY_IDX(s->patients, s->patients->nelts - 1, uint64_t)
           == key)
    {
        return;
    }
    APR_ARRAY_PUSH(s->patients, uint64_t) = key;
}


/* Every "Patient/id" in a text, at its start or after anything but a letter
 * or digit. */
static void
scan_text(scan_t *s, hie_str_t text)
{
    static const char  word[] = "Patient/";
    const char        *p = text.ptr, *end = text.ptr + text.len;
    hie_str_t          id;

    if (text.len < sizeof(word)) {
        return;
    }
    while ((p = memmem(p, (size_t) (end - p), word, sizeof(word) - 1))
           != NULL)
    {
        id.ptr = p + sizeof(word) - 1;
        id.len = 0;
        while (id.ptr + id.len < end && is_id_char(id.ptr[id.len])) {
            id.len++;
        }
        if ((p == text.ptr || !is_id_char(p[-1])) && id.len > 0) {
            add_patient(s, id);
        }
        p = id.ptr;
    }
}


/* The elements in which R4 says whose a resource is. */
static bool
names_subject(hie_str_t name)
{
    return hie_str_eqz(name, "subject") || hie_str_eqz(name, "patient")
           || hie_str_eqz(name, "beneficiary") || hie_str_eqz(name, "for");
}


/* A subject that is no literal reference (an identifier, a display, a search,
 * a urn) may be anybody, unless it says that it is no patient. */
static bool
unknown_subject(const scan_t *s, hie_node_t n)
{
    hie_str_t        text = hie_doc_get(s->d, n, "reference", s->pool);
    hie_str_t        type = hie_doc_get(s->d, n, "type", s->pool);
    hie_reference_t  ref;

    if (text.ptr != NULL && text.len > 0 && text.ptr[0] == '#') {
        return false;              /* the contained resource is seen itself */
    }
    if (text.ptr != NULL && hie_fhir_reference(text, HIE_STR(""), &ref)
        && ref.type.len > 0)
    {
        return false;
    }
    return type.len == 0 || hie_str_eqz(type, "Patient");
}


/* A Patient inside something else: in a Bundle it has the id by which it is
 * known, as a contained resource it has not. */
static void
scan_carried(scan_t *s, hie_node_t n, hie_str_t name)
{
    hie_str_t  id;

    if (!hie_str_eqz(hie_doc_get(s->d, n, "resourceType", s->pool),
                     "Patient"))
    {
        return;
    }
    id = hie_doc_get(s->d, n, "id", s->pool);
    if (hie_str_eqz(name, "contained") || !hie_fhir_is_id(id)) {
        s->unknown = true;
    } else {
        add_patient(s, id);
    }
}


/* `name` is that of the member, for an element of an array that of the
 * array. The depth is bounded by that of the document. */
static void
scan_node(scan_t *s, hie_node_t n, hie_str_t name)
{
    hie_node_kind_t  kind = hie_doc_kind(s->d, n);
    hie_node_t       c;

    if (kind == HIE_NODE_STRING) {
        scan_text(s, hie_doc_string(s->d, n, s->pool));
        return;
    }
    if (kind == HIE_NODE_OBJECT) {
        scan_carried(s, n, name);
        if (names_subject(name) && unknown_subject(s, n)) {
            s->unknown = true;
        }
    }
    for (c = hie_doc_first(s->d, n);
         c != HIE_NODE_NONE;
         c = hie_doc_next(s->d, c))
    {
        scan_node(s, c, kind == HIE_NODE_OBJECT
                        ? hie_doc_name(s->d, c, s->pool) : name);
    }
}


hie_rc_t
hie_consent_patients(const hie_doc_t *d, apr_pool_t *pool, hie_str_t *type,
                     uint64_t **patients, int *n, bool *unknown)
{
    scan_t           s = { .d = d, .pool = pool };
    hie_relations_t  related;
    hie_str_t        id;
    int              i;

    *patients = NULL;
    *n = 0;
    *unknown = true;
    if (hie_fhir_check(d, pool, type, NULL) != HIE_OK) {
        return HIE_BAD_GATEWAY;
    }

    id = hie_doc_get(d, 0, "id", pool);
    if (hie_str_eqz(*type, "Patient") && !hie_fhir_is_id(id)) {
        return HIE_BAD_GATEWAY;
    }
    if (hie_fhir_relations(d, *type, id, HIE_STR(""), pool, &related, NULL)
        != HIE_OK)
    {
        return HIE_BAD_GATEWAY;
    }

    s.patients = apr_array_make(pool, related.n_patients + 4,
                                sizeof(uint64_t));
    for (i = 0; i < related.n_patients; i++) {
        APR_ARRAY_PUSH(s.patients, uint64_t) = related.patients[i];
    }
    scan_node(&s, 0, HIE_STR(""));

    *patients = (uint64_t *) s.patients->elts;
    *n = s.patients->nelts;
    *unknown = s.unknown;
    return HIE_OK;
}
