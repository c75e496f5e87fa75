/*
 * fhir: FHIR R4 (4.0.1) documents as bytes. Pure: no I/O, no clock.
 *
 * A document is an index over the original bytes, a tape of nodes. Bytes are
 * never rebuilt: numbers keep their lexemes, strings their escapes, white
 * space its place. Edits are collected and applied in one copy.
 */

#ifndef HIE_FHIR_H
#define HIE_FHIR_H

#include "base/base.h"

/*
 * Documents (JSON, RFC 8259; FHIR R4 section 2.6.2).
 */
typedef struct hie_doc_t  hie_doc_t;
typedef uint32_t          hie_node_t;   /* index into the tape; 0: the root */

#define HIE_NODE_NONE  ((hie_node_t) UINT32_MAX)

typedef enum {
    HIE_NODE_OBJECT = 1, HIE_NODE_ARRAY, HIE_NODE_STRING, HIE_NODE_NUMBER,
    HIE_NODE_TRUE, HIE_NODE_FALSE, HIE_NODE_NULL
} hie_node_kind_t;

/* `bytes` must outlive the document. Strict: UTF-8 only, no duplicate names
 * in an object, no byte after the value, at most `max_depth` levels. The
 * error says line and column and what was expected. */
hie_rc_t
hie_doc_parse(apr_pool_t *pool, hie_str_t bytes, int max_depth,
              hie_doc_t **out, hie_error_t *err);

/* Of HIE_NODE_NONE: no kind (0), no bytes, no children. */
hie_str_t
hie_doc_bytes(const hie_doc_t *d);
hie_node_kind_t
hie_doc_kind(const hie_doc_t *d, hie_node_t n);
/* The bytes of a value as they stand, quotes and brackets included. */
hie_str_t
hie_doc_raw(const hie_doc_t *d, hie_node_t n);
/* The value of a string, without quotes, escapes resolved (in `pool` only if
 * there are any). Empty with ptr NULL when it is no string. */
hie_str_t
hie_doc_string(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool);
/* A member of an object by name; HIE_NODE_NONE if absent or no object. */
hie_node_t
hie_doc_member(const hie_doc_t *d, hie_node_t object, const char *name);
hie_node_t
hie_doc_member_str(const hie_doc_t *d, hie_node_t object, hie_str_t name);
/* The same; how many members were looked at is added to `*seen`. */
hie_node_t
hie_doc_member_seen(const hie_doc_t *d, hie_node_t object, hie_str_t name,
                    uint32_t *seen);
/* Children of an array or object: for (c = hie_doc_first(d, n);
 * c != HIE_NODE_NONE; c = hie_doc_next(d, c)). For an object c is the value
 * and hie_doc_name gives its name (escapes resolved). */
hie_node_t
hie_doc_first(const hie_doc_t *d, hie_node_t n);
hie_node_t
hie_doc_next(const hie_doc_t *d, hie_node_t n);
hie_str_t
hie_doc_name(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool);
uint32_t
hie_doc_count(const hie_doc_t *d, hie_node_t n);     /* children */
/* member + string in one; empty with ptr NULL when absent */
hie_str_t
hie_doc_get(const hie_doc_t *d, hie_node_t object, const char *name,
            apr_pool_t *pool);

/* A document over one value inside another, without parsing again. */
hie_doc_t *
hie_doc_sub(apr_pool_t *pool, const hie_doc_t *d, hie_node_t n);


/*
 * Edits of a document. Ranges must not overlap.
 */
typedef struct hie_edit_t  hie_edit_t;

hie_edit_t *
hie_edit_create(apr_pool_t *pool, const hie_doc_t *d);
/* `with` is JSON text; it must outlive the edit. */
void
hie_edit_replace(hie_edit_t *e, hie_node_t n, hie_str_t with);
/* Takes a member (name, colon and comma too) or an array element away. */
void
hie_edit_remove(hie_edit_t *e, hie_node_t n);
/* Sets a member of an object: replaces its value, or puts the member after
 * the member `after` (NULL or absent: first), which may be one that this edit
 * puts there. `with` is JSON text. */
void
hie_edit_set(hie_edit_t *e, hie_node_t object, const char *name,
             hie_str_t with, const char *after);
/* Puts an element into an array: before the element `before`, or at the end if
 * that is HIE_NODE_NONE. Several at one place stand in the order of the
 * calls. */
void
hie_edit_insert(hie_edit_t *e, hie_node_t array, hie_node_t before,
                hie_str_t with);
hie_str_t
hie_edit_apply(hie_edit_t *e, apr_pool_t *pool);


/*
 * Resources.
 */
#define HIE_FHIR_ID_MAX  64

/* One of the concrete resource types of R4 (generated table)? */
bool
hie_fhir_is_type(hie_str_t name);
/* The i-th name in alphabetical order, or NULL. */
const char *
hie_fhir_type(size_t i);
/* R4 section 2.24.0.1: [A-Za-z0-9\-\.]{1,64} */
bool
hie_fhir_is_id(hie_str_t id);

/* The document is an object with a known resourceType, and id and meta, if
 * there, have the right shapes. `type` is a span of the table. */
hie_rc_t
hie_fhir_check(const hie_doc_t *d, apr_pool_t *pool, hie_str_t *type,
               hie_error_t *err);

/*
 * The bytes as the server stores and serves them: those that came in, with
 * `id` set, and meta.versionId and meta.lastUpdated set; everything else of
 * meta (profile, security, tag, source, extension) and of the resource is
 * untouched. `id` goes after resourceType when it was absent, `meta` after id.
 */
hie_rc_t
hie_fhir_stamp(const hie_doc_t *d, const char *id, int64_t version,
               apr_time_t updated, apr_pool_t *pool, hie_str_t *out,
               hie_error_t *err);

/* A reference as text: [base/]Type/id[/_history/v], #contained, urn:uuid:…
 * `base` (may be empty) is our own: an absolute reference below it counts as
 * relative. */
typedef struct {
    hie_str_t  type;       /* span of the table, or empty */
    hie_str_t  id;
    hie_str_t  version;
    bool       local;      /* relative, or below our base */
} hie_reference_t;

/* False if it is none of these (a conditional Type?query, or not in shape).
 * `type` is empty for #contained, urn: and a URL that is no Type/id. */
bool
hie_fhir_reference(hie_str_t text, hie_str_t base, hie_reference_t *out);

/*
 * Of the text of a resource that is stored, without parsing it: its type and
 * id, with which it mostly begins (if not, it is parsed after all); and its
 * literal references one by one, all that is named `reference` without an
 * escape. `rest` is the text, and afterwards what is behind the one that was
 * found; false: there is none. Values are spans of the text, or in `pool`.
 */
hie_rc_t
hie_fhir_text_name(hie_str_t text, apr_pool_t *pool, hie_str_t *type,
                   hie_str_t *id, hie_error_t *err);
bool
hie_fhir_text_reference(hie_str_t *rest, apr_pool_t *pool, hie_str_t *value);


/*
 * What a resource tells about other things than itself.
 */

/* A label of meta. */
typedef enum {
    HIE_LABEL_PROFILE = 1, HIE_LABEL_SECURITY, HIE_LABEL_TAG
} hie_label_kind_t;

typedef struct {
    hie_label_kind_t  kind;
    uint64_t          key;       /* of type, kind and value */
    hie_str_t         form;      /* the URL, or system|code */
    hie_str_t         json;      /* a string; a Coding with system and code
                                    only */
} hie_label_t;

typedef struct {
    int           n_patients;
    int           n_compartment; /* the first so many: by definition of the
                                    compartment; the others are referred to
                                    from elsewhere in it */
    hie_str_t    *patient_ids;   /* ids of Patient, without "Patient/" */
    uint64_t     *patients;      /* hie_fhir_patient_key of each */
    int           n_refs;        /* literal references to resources of ours, */
    int           n_followed;    /* relative or below `base`, wherever they */
    uint64_t     *refs;          /* stand: hie_fhir_resource_key, each once.
                                    The first so many are not to patients; of
                                    a Bundle, which only carries them, none */
    int           n_labels;
    hie_label_t  *labels;        /* by key, each once */
    apr_time_t    care_from;     /* the time of care that it is about, the */
    apr_time_t    care_until;    /* end excluded; none: both 0 */
} hie_relations_t;

/* `id` is the id under which it is stored. `base` is our own URL, or empty. */
hie_rc_t
hie_fhir_relations(const hie_doc_t *d, hie_str_t type, hie_str_t id,
                   hie_str_t base, apr_pool_t *pool, hie_relations_t *out,
                   hie_error_t *err);

uint64_t
hie_fhir_resource_key(hie_str_t type, hie_str_t id);
uint64_t
hie_fhir_patient_key(hie_str_t patient_id);
/* Text as string search compares it: NFKD without marks, case folded, every
 * run of white space one space. */
hie_str_t
hie_fhir_normalize(apr_pool_t *pool, hie_str_t text);
/* Text of which only the case does not count. */
hie_str_t
hie_fhir_fold(apr_pool_t *pool, hie_str_t text);


/*
 * Bundles (R4 section 3.1.0.11, transaction and batch): one entry to do.
 */
typedef struct {
    hie_node_t   resource;     /* in the Bundle's document, or NONE */
    hie_str_t    method;       /* GET HEAD POST PUT PATCH DELETE */
    hie_str_t    url;          /* as it stands */
    hie_str_t    type;         /* of the URL; empty if a GET or HEAD asks for
                                  something else than Type[/id][?query] */
    hie_str_t    id;           /* of the URL, or empty */
    hie_str_t    query;        /* conditional: after '?', or ptr NULL */
    hie_str_t    if_none_exist;
    hie_str_t    if_match;
    hie_str_t    if_none_match;
    hie_str_t    if_modified_since;      /* an instant */
    hie_str_t    full_url;
} hie_bundle_entry_t;

typedef struct {
    hie_str_t            type;       /* transaction, batch, collection, … */
    int                  n;
    hie_bundle_entry_t  *entries;
} hie_bundle_t;

/* Checks shape and limits; the error names Bundle.entry[i]. Entries of a
 * collection have no method. Of a batch only the shape is checked: its entries
 * fail one by one, when they are done. */
hie_rc_t
hie_fhir_bundle(const hie_doc_t *d, int max_entries, apr_pool_t *pool,
                hie_bundle_t *out, hie_error_t *err);

/*
 * Rewrites references (values of `reference`, and the url, uri, oid, uuid and
 * canonical elements that hold exactly a fullUrl of the table, also in src and
 * href of narrative) by `map` from fullUrl to "Type/id", in one resource of
 * the Bundle. Bytes that need no change are returned as they stand. Links in
 * the order of hie_fhir_links_sort are looked up fastest; any order is right.
 */
typedef struct {
    hie_str_t  full_url;
    hie_str_t  reference;
} hie_fhir_link_t;

void
hie_fhir_links_sort(hie_fhir_link_t *links, size_t n);
hie_str_t
hie_fhir_relink(const hie_doc_t *d, const hie_fhir_link_t *links, size_t n,
                apr_pool_t *pool);


/*
 * Representations: the same resource with less in it, or for the eye. What is
 * left keeps its bytes.
 */
typedef enum {
    HIE_SUMMARY_TRUE = 1,    /* what the definitions mark, at every level */
    HIE_SUMMARY_TEXT,        /* text and what is mandatory */
    HIE_SUMMARY_DATA         /* all but text */
} hie_summary_t;

typedef struct {
    hie_summary_t  summary;  /* 0: the whole */
    hie_str_t      elements; /* names with commas between, as of _elements; it
                                has precedence. ptr NULL: all */
} hie_subset_t;

/* Adds to an edit of `d` what makes a part of the resource there, and the tag
 * SUBSETTED in its meta (R4 sections 3.1.1.5.8 and 3.1.1.5.9). resourceType,
 * id, meta and modifierExtension stay, and what is mandatory. A member that R4
 * does not define goes, but with HIE_SUMMARY_DATA. Nothing is done to what is
 * no resource. The edit's bytes are in `pool`. */
void
hie_fhir_subset(hie_edit_t *edit, const hie_doc_t *d, hie_node_t resource,
                const hie_subset_t *subset, apr_pool_t *pool);

/* JSON that parses, with an element a line; every value as it stood. */
hie_str_t
hie_fhir_pretty(apr_pool_t *pool, hie_str_t json);


/* Calls `fn` for every value of an element `reference`, in the order of the
 * document, of contained resources too. */
typedef void hie_fhir_reference_fn(void *baton, hie_node_t n, hie_str_t text);

void
hie_fhir_references(const hie_doc_t *d, apr_pool_t *pool,
                    hie_fhir_reference_fn *fn, void *baton);

/* Where a node is, as FHIRPath: "Patient.contact[0].organization". */
const char *
hie_fhir_place(const hie_doc_t *d, hie_node_t n, apr_pool_t *pool);


/* An OperationOutcome (R4 section 2.30) with one issue of severity error. */
hie_str_t
hie_fhir_outcome(apr_pool_t *pool, const hie_error_t *err);

#endif
