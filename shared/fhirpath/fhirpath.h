/*
 * fhirpath: FHIRPath (2.0.0, the normative release N1) with what FHIR R4 adds
 * (R4 section 2.9), and of the later 2.1 and 3.0 what engines of the field
 * agree on: type(), trim, split, join, encode, decode, escape, unescape,
 * matchesFull, lastIndexOf, lowBoundary, highBoundary, precision and sort.
 * Pure: the time is the caller's, what another document or a terminology
 * knows is asked by callbacks.
 *
 * An expression is compiled once and evaluated as often as you like, by any
 * number of threads. It reads the bytes of a hie_doc_t where they are; the
 * types come from fhir/definitions.h.
 */

#ifndef HIE_FHIRPATH_H
#define HIE_FHIRPATH_H

#include "base/base.h"
#include "base/decimal.h"
#include "fhir/fhir.h"
#include "fhir/definitions.h"

/* Limits of this room. */
#define HIE_FHIRPATH_TEXT_MAX   65536    /* bytes of an expression */
#define HIE_FHIRPATH_DEPTH_MAX  250      /* operators in one another */
#define HIE_FHIRPATH_STEPS      4000000  /* of an evaluation, if the caller
                                            says nothing: about a second at
                                            worst. A step reads or makes 64
                                            bytes at most */


/*
 * Items. Where a primitive of FHIR stands for a value (in an operator, as an
 * argument) it is taken as one; as a result it is a node still, and
 * hie_fhirpath_value makes a value of it.
 */
typedef enum {
    HIE_FHIRPATH_NODE = 1,     /* an element or a resource of a document */
    HIE_FHIRPATH_BOOLEAN,      /* from here on: of the namespace System */
    HIE_FHIRPATH_INTEGER,
    HIE_FHIRPATH_DECIMAL,
    HIE_FHIRPATH_STRING,
    HIE_FHIRPATH_DATE,
    HIE_FHIRPATH_DATETIME,
    HIE_FHIRPATH_TIME,
    HIE_FHIRPATH_QUANTITY,
    HIE_FHIRPATH_TYPE          /* what type() gives */
} hie_fhirpath_kind_t;

typedef enum {
    HIE_PRECISION_YEAR = 1, HIE_PRECISION_MONTH, HIE_PRECISION_DAY,
    HIE_PRECISION_HOUR, HIE_PRECISION_MINUTE, HIE_PRECISION_SECOND
} hie_precision_t;

#define HIE_FHIRPATH_NO_ZONE  INT16_MAX

/* A Date, DateTime or Time; what lies beyond the precision is 0 (month and
 * day: 1). A Time has year, month and day 1. */
typedef struct {
    int16_t   year;            /* 1 … 9999 */
    uint8_t   month;
    uint8_t   day;
    uint8_t   hour;
    uint8_t   minute;
    uint8_t   second;          /* 60 too, as FHIR permits */
    uint8_t   precision;       /* hie_precision_t */
    uint8_t   digits;          /* of the fraction as written, 0 … 9 */
    int16_t   zone;            /* minutes east of UTC, or NO_ZONE */
    uint32_t  nano;            /* of the second */
} hie_fhirpath_time_t;

typedef struct {
    hie_decimal_t  value;
    hie_str_t      unit;       /* code of UCUM, or "year" … "millisecond" */
    bool           calendar;   /* which of the two */
} hie_fhirpath_quantity_t;

typedef struct {
    uint8_t     kind;          /* hie_fhirpath_kind_t */
    bool        boolean;       /* of a BOOLEAN */
    hie_type_t  type;          /* of a node; 0: not of R4. Of a TYPE: the type
                                  of FHIR, 0: the one of System that `kind_of`
                                  has */
    hie_node_t  parent;        /* of a node: the object that it is a member
                                  (or in an array that is a member) of; NONE
                                  for the node that the caller gave */
    union {
        struct {
            const hie_doc_t      *doc;
            hie_node_t            node;     /* NONE: only its sibling is
                                               there. A `null` in an array of
                                               primitives counts as a node */
            hie_node_t            sibling;  /* of a primitive: the object with
                                               id and extension (`_name`), or
                                               NONE */
            const hie_element_t  *element;  /* by which it was found, or NULL */
        };
        int64_t                         integer;
        hie_decimal_t                   decimal;
        hie_str_t                       string;
        hie_fhirpath_time_t             time;
        const hie_fhirpath_quantity_t  *quantity;
        hie_fhirpath_kind_t             kind_of;
    };
} hie_fhirpath_item_t;

typedef struct {
    size_t                      n;
    const hie_fhirpath_item_t  *items;
} hie_fhirpath_list_t;

/* The item of a resource (an object with resourceType), or of an element of a
 * known type. `sibling` is NONE for all but primitives. */
hie_fhirpath_item_t
hie_fhirpath_resource(const hie_doc_t *d, hie_node_t n);
hie_fhirpath_item_t
hie_fhirpath_node(const hie_doc_t *d, hie_node_t n, hie_node_t sibling,
                  hie_type_t type);

/* The value of System that a primitive or a Quantity stands for (R4 section
 * 2.9.3.1). False: it has none (no value, not of its type, complex). */
bool
hie_fhirpath_value(const hie_fhirpath_item_t *item, apr_pool_t *pool,
                   hie_fhirpath_item_t *out);

/* "Patient", "Patient.contact", "string" of a node, "System.String" of a
 * value; static. */
const char *
hie_fhirpath_type_name(const hie_fhirpath_item_t *item);

/* As toString() writes it; a complex node and a type are JSON text and name.
 * Strings are not quoted. */
hie_str_t
hie_fhirpath_text(const hie_fhirpath_item_t *item, apr_pool_t *pool);


/*
 * Compiling.
 */
typedef struct hie_fhirpath_t  hie_fhirpath_t;

typedef struct {
    hie_type_t  context;       /* type of the focus, 0: not known. Makes
                                  evaluation faster; another one is not wrong */
    bool        strict;        /* with a known context: an element that its
                                  type does not have, a function on what can
                                  never be its input, and order where there is
                                  none (children().first()) are errors */
} hie_fhirpath_options_t;

/* `options` NULL: nothing is known. The program is in `pool`; the text need
 * not stay. HIE_INVALID: where is "line:column" of the expression, detail what
 * was expected. */
hie_rc_t
hie_fhirpath_compile(apr_pool_t *pool, hie_str_t text,
                     const hie_fhirpath_options_t *options,
                     hie_fhirpath_t **out, hie_error_t *err);


/*
 * Evaluating.
 */
typedef struct hie_fhirpath_env_t  hie_fhirpath_env_t;

/* All callbacks may be NULL. They return HIE_OK, or an error with which the
 * evaluation ends. */
struct hie_fhirpath_env_t {
    apr_pool_t           *pool;      /* scratch; results live there. Simple
                                        expressions take nothing of it */
    hie_fhirpath_item_t   resource;  /* %resource; kind 0: the focus */
    hie_fhirpath_item_t   root;      /* %rootResource; kind 0: %resource */
    apr_time_t            now;
    int16_t               zone;      /* of now(), minutes east of UTC */
    uint64_t              steps;     /* may be taken; 0: HIE_FHIRPATH_STEPS */
    void                 *baton;

    /* Reference or canonical that is neither in %rootResource (contained, or
     * an entry of a Bundle) nor in %resource. Not found: kind 0 in `out`. If
     * this is NULL, resolve() gives for a relative or absolute reference that
     * names a type a node of that type without members, so that `resolve() is
     * Patient` tells what the text says. */
    hie_rc_t (*resolve)(const hie_fhirpath_env_t *env, hie_str_t reference,
                        hie_fhirpath_item_t *out, hie_error_t *err);
    /* `item`: code, Coding, CodeableConcept, string. */
    hie_rc_t (*member_of)(const hie_fhirpath_env_t *env,
                          const hie_fhirpath_item_t *item,
                          hie_str_t value_set, bool *out, hie_error_t *err);
    hie_rc_t (*subsumes)(const hie_fhirpath_env_t *env,
                         const hie_fhirpath_item_t *item,
                         const hie_fhirpath_item_t *by, bool *out,
                         hie_error_t *err);
    /* Asked for what is not the base definition of a type. */
    hie_rc_t (*conforms_to)(const hie_fhirpath_env_t *env,
                            const hie_fhirpath_item_t *item,
                            hie_str_t structure, bool *out, hie_error_t *err);
    /* Is the xhtml in order? NULL: it is. */
    hie_rc_t (*html_checks)(const hie_fhirpath_env_t *env,
                            const hie_fhirpath_item_t *item, bool *out,
                            hie_error_t *err);
    /* A variable that is none of the specification's; HIE_INVALID: there is
     * none of this name. */
    hie_rc_t (*variable)(const hie_fhirpath_env_t *env, hie_str_t name,
                         hie_fhirpath_list_t *out, hie_error_t *err);
    void     (*trace)(const hie_fhirpath_env_t *env, hie_str_t name,
                      const hie_fhirpath_list_t *list);
};

/* HIE_OK; HIE_INVALID: the expression does not fit the data (a list where one
 * item is expected, types that do not go together); HIE_TOO_COSTLY: more
 * steps than allowed, or a regular expression that takes too many; or what a
 * callback said. An error's where is "line:column" of the expression. */
hie_rc_t
hie_fhirpath_eval(const hie_fhirpath_t *fp, const hie_fhirpath_env_t *env,
                  const hie_fhirpath_item_t *focus, hie_fhirpath_list_t *out,
                  hie_error_t *err);

/* The same as a condition (an invariant): one boolean is itself, one item of
 * another kind and several items are true. An empty result is told apart; it
 * is for the caller to say what it means. (Of the invariants of R4 some give
 * nothing where nothing is wrong: ref-1 on a Reference without reference,
 * ras-2 on a prediction without probability, per-1 on times of different
 * precision.) Fast, and without allocation for paths, comparisons and logic.
 */
typedef enum {
    HIE_FHIRPATH_FALSE = 1, HIE_FHIRPATH_TRUE, HIE_FHIRPATH_EMPTY
} hie_fhirpath_truth_t;

hie_rc_t
hie_fhirpath_test(const hie_fhirpath_t *fp, const hie_fhirpath_env_t *env,
                  const hie_fhirpath_item_t *focus,
                  hie_fhirpath_truth_t *out, hie_error_t *err);

/* The type of all that it finds, as far as the type of its context tells; of an
 * element of several types, and of values that are no elements, NONE. */
hie_type_t
hie_fhirpath_type(const hie_fhirpath_t *fp);
/* The text that was compiled. */
hie_str_t
hie_fhirpath_source(const hie_fhirpath_t *fp);

#endif
