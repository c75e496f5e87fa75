/*
 * Documents in the store, and the same in memory: what a search must find is
 * computed here from all of them, one by one and without any index.
 */

#ifndef DOCS_TOOL_H
#define DOCS_TOOL_H

#include "store_tool.h"

#define DOCS_MAX   1500
#define DOCS_BASE  "http://our.example/fhir"

typedef struct {
    hie_type_t           type;
    hie_str_t            id;
    uint64_t             key;
    int64_t              rid;          /* after docs_store */
    hie_row_facts_t      row;
    int64_t              version;
    bool                 stored;
    bool                 deleted;
    bool                 contained;    /* in another one: none of docs */
    hie_str_t            body;
    hie_relations_t      relations;
    hie_search_values_t  values;
    int                  n_consents;
    hie_consent_row_t   *consents;
} doc_t;

extern hie_search_t  *search;
extern doc_t          docs[DOCS_MAX];
extern int            n_docs;

/* Setup of a test: tool_setup, and no documents. */
int
docs_setup(void **state);
/* A document of a type, and what is between the braces behind type and id. One
 * of the same type and id is its successor. */
doc_t *
docs_add(const char *type, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void
docs_delete(const char *type, const char *id);
/* A Consent of a patient. */
void
docs_consent(const char *patient, bool base_permit, const char *permit,
             const char *deny);
/* Writes what has been added or deleted since. */
void
docs_store(void);
/* A few hundred of many types, with each other. */
void
docs_populate(void);
/* Denials and permissions for patients of those. */
void
docs_restrict(void);

/* For the custodian; for an actor, with and without default permit. */
#define DOCS_SEERS  3

extern const hie_visible_t  docs_seers[DOCS_SEERS];

bool
docs_visible(const doc_t *d, const hie_visible_t *v);
doc_t *
docs_find(const char *type, const char *id);
doc_t *
docs_by_key(uint64_t key);
/* By this parameter, 0: any of those that are no canonical URLs. */
bool
docs_refers(const doc_t *from, uint32_t param, bool canonical,
            const doc_t *to);
/* Does a document meet them, as far as `v` sees? */
bool
docs_meet(const doc_t *d, const hie_criteria_t *c, const hie_visible_t *v);

/*
 * "Type[,Type]?name=value&…", without URL encoding; _sort and _filter too.
 */
typedef struct {
    const char       *text;
    hie_type_t        types[4];
    hie_str_t         names[4];
    hie_criterion_t   criterion[16];
    hie_criteria_t    criteria;
    hie_sort_t        sorts[HIE_SORTS_MAX];
    hie_query_t       q;
} asked_t;

/* Searches of every shape among the population. */
extern const char *const  docs_shapes[];
extern const int          docs_n_shapes;

/* With a page of `count`. */
asked_t *
ask(const char *text, int count);
/* The criteria behind a wall: a group of them and of what nothing meets, which
 * no index leads to. */
void
wall(asked_t *a);
/* Of its types, visible, and meets its criteria. */
bool
is_asked_for(const asked_t *a, const doc_t *d, const hie_visible_t *v);
hie_found_t
find(const asked_t *a, const hie_visible_t *v);
/* Ids, "a b c", those of a page in their order. */
const char *
ids_of_rows(const hie_row_t *rows, int n);

#define DOCS_TEST(f)                                                          \
    cmocka_unit_test_setup_teardown(f, docs_setup, tool_teardown)

#endif
