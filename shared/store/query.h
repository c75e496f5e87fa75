/*
 * A search on its way to SQL: what search.c, matches.c, criteria.c, once.c,
 * rows.c, canonical.c, sort.c, include.c and frequency.c share.
 *
 * The planner gets no choice worth the name: it makes one plan for a text,
 * whatever the values are. So the text says how rows are found. Of each set
 * of criteria one leads to the rows by its index, chosen by how many rows it
 * is expected to leave; the others are conditions on a row, in a form that no
 * index serves. Where even the best leaves too many, the rows are walked in
 * the order of the answer until the page is full. What the conditions lead
 * through is found once, if that costs less than looking it up for each row.
 */

#ifndef HIE_STORE_QUERY_H
#define HIE_STORE_QUERY_H

#include "store/private.h"

#include <apr_tables.h>

/* Rows that are cheap to fetch with their bodies and to sort. */
#define HIE_FEW_ROWS  500

/* A condition that stands so is evaluated on each row. */
#define HIE_BY_NO_INDEX  " IS TRUE"

typedef struct hie_frequencies_t  hie_frequencies_t;

/* Rows that conditions are evaluated on: so many of all that have their
 * types. */
typedef struct {
    double  n;
    double  all;
} hie_checked_t;

typedef struct {
    hie_buf_t                 sql;
    hie_params_t              params;
    apr_pool_t               *pool;
    const hie_query_t        *query;
    bool                      references;    /* columns of a row, too */
    hie_see_t                 see;
    int                       p_actors;      /* number of the parameter */
    int                       n_aliases;
    const hie_frequencies_t  *frequencies;   /* or NULL: nothing is known */
    hie_checked_t             checked;       /* where conditions are written */
    apr_array_header_t       *explained;     /* hie_explained_t, or NULL */
} hie_find_t;

/* Resource types, as a condition. */
typedef struct {
    int               n;
    const hie_str_t  *names;
    int               param;         /* 0: not one yet */
    bool              contained;     /* of the one type those that others
                                        contain, too */
} hie_find_types_t;

void
hie_find_init(hie_find_t *w, const hie_query_t *q, const hie_visible_t *v,
              const hie_frequencies_t *f, apr_pool_t *pool);

/* Parameters; each returns its number. */
int
hie_find_i64(hie_find_t *w, int64_t v);
int
hie_find_str(hie_find_t *w, hie_str_t s);
int
hie_find_keys(hie_find_t *w, const uint64_t *keys, int n);
int
hie_find_params(hie_find_t *w, const uint32_t *params, int n);
int
hie_find_strs(hie_find_t *w, const hie_str_t *s, int n);

/* "a.type = …", or "a.type IN (…)" */
void
hie_find_type_sql(hie_find_t *w, hie_find_types_t *types, const char *alias);
/* " AND …": the row is current and visible. Every alias of hie.resource has
 * it. */
void
hie_find_base_sql(hie_find_t *w, const char *alias);
/* The columns of a row, and the row. */
void
hie_find_columns(hie_find_t *w, const char *alias, bool bodies);
void
hie_find_row(const hie_find_t *w, const PGresult *res, int i, hie_row_t *row);
/* A name that no other alias has. */
const char *
hie_find_alias(hie_find_t *w);


/* matches.c: sets of criteria. */

/* " FROM hie.resource a WHERE …", the best criterion by its index. */
void
hie_find_matches(hie_find_t *w, hie_find_types_t *types,
                 const hie_criteria_t *c, const char *alias);
/* Does the best criterion lead to places of rows, at a cost in rows? Then these
 * can be looked at in the order of rid, until there are enough:
 * " FROM (SELECT DISTINCT … AS rid …) h CROSS JOIN LATERAL (SELECT … ) a". */
bool
hie_find_leads_to_places(const hie_find_t *w, const hie_find_types_t *types,
                         const hie_criteria_t *c, double *cost);
void
hie_find_in_order(hie_find_t *w, hie_find_types_t *types,
                  const hie_criteria_t *c, bool bodies, const char *alias);
/* " AND …" for all criteria, by no index. */
void
hie_find_conditions(hie_find_t *w, const hie_criteria_t *c,
                    const char *alias);
/* " AND …" for those on the time of the last change, by its index; for all
 * others, by no index. */
void
hie_find_window(hie_find_t *w, hie_find_types_t *types,
                const hie_criteria_t *c, const char *alias);
void
hie_find_beside_window(hie_find_t *w, const hie_criteria_t *c,
                       const char *alias);
/* Is it the best one? */
bool
hie_find_leads_by_window(const hie_find_t *w, const hie_find_types_t *types,
                         const hie_criteria_t *c);
/* Rows that the best criterion leaves, and how many all leave together at
 * least: what is only guessed may be much less. */
void
hie_find_estimate(const hie_find_t *w, const hie_find_types_t *types,
                  const hie_criteria_t *c, double *best, double *all);
/* The criterion that leads, or -1, and how many rows it leads to. */
int
hie_find_leader(const hie_find_t *w, const hie_find_types_t *types,
                const hie_criteria_t *c, double *rows);


/* criteria.c: one criterion. */

/* As a condition on the row under `alias`, by no index. */
void
hie_criterion_condition(hie_find_t *w, const hie_criterion_t *c,
                        const char *alias);
/* Is there an index that leads to what meets it? Which? NULL: none. */
const char *
hie_criterion_index(const hie_criterion_t *c);
/* The same as a condition that this index serves, on a row of the types. */
void
hie_criterion_indexed(hie_find_t *w, const hie_criterion_t *c,
                      hie_find_types_t *types, const char *alias);

/* The places where a criterion holds that asks another table. */
void
hie_criterion_places(hie_find_t *w, const hie_criterion_t *c);

/* once.c: what a chain or a _has leads through. */

/* Is it to be found once for the rows that are checked? */
bool
hie_once_pays(const hie_find_t *w, const hie_criterion_t *c);
/* If not: the rows at the other end of its chain `i` that criteria are
 * evaluated on. */
hie_checked_t
hie_once_behind(const hie_find_t *w, const hie_criterion_t *c, int i,
                hie_checked_t checked);


/* rows.c: criteria on dates, numbers, strings: conditions on the rows that
 * belong to the resource under `alias`, or, without it, the set of places
 * "SELECT …rid". */
void
hie_criterion_rows(hie_find_t *w, const hie_criterion_t *c,
                   const char *alias);
/* "SELECT …key" of the terms that are meant. */
void
hie_criterion_terms(hie_find_t *w, const hie_criterion_t *c);


/* canonical.c: what refers by canonical URL. */

/* "SELECT …key": the tokens by which what meets the chain's criteria is known
 * on the other side: of what refers to it, or (`from_target` false) of what it
 * refers to. */
void
hie_canonical_tokens(hie_find_t *w, const hie_chain_t *chain,
                     hie_find_types_t *types, bool from_target);
/* The row under `alias` leads to something that meets the criteria. */
void
hie_canonical_condition(hie_find_t *w, const hie_chain_t *chain,
                        hie_find_types_t *types, const char *alias,
                        bool from_target);
/* From the tokens of rows `m` to b.key, tokens of what is included. */
void
hie_canonical_include(hie_find_t *w, const hie_include_t *i);


/* sort.c */

/* The value of a sort key of the row under `alias`. */
void
hie_sort_value(hie_find_t *w, const hie_sort_t *s, const char *alias);
/* " ORDER BY …" of columns s1, … and rid under `alias`. */
void
hie_sort_order(hie_find_t *w, const char *alias);
/* The columns are behind the place of the page, or before it. */
void
hie_sort_behind(hie_find_t *w, const char *alias);
/* The values of a row's place, from the column on. */
void
hie_sort_place(const hie_query_t *q, const PGresult *res, int row,
               int col, hie_place_t *out);
/* Does an index lead to the rows in the order of the answer? Then the page by
 * it: "SELECT …", with the columns of rows and of their places. */
bool
hie_sort_walks(const hie_query_t *q);
/* By the time of the last change alone. */
bool
hie_sort_is_updated(const hie_query_t *q);
void
hie_sort_walk(hie_find_t *w, hie_find_types_t *types, int p_limit,
              bool bodies);


/* frequency.c: how often types and tokens occur, by PostgreSQL's statistics,
 * which are read again every minute. Good for a minute. */
HIE_BLOCKING const hie_frequencies_t *
hie_store_frequencies(hie_store_t *s);
/* What is known already, for who holds a connection. */
const hie_frequencies_t *
hie_frequencies_known(hie_store_t *s);
/* Rows that have the token; one that is not among the frequent ones is
 * rare. */
double
hie_frequency_token(const hie_frequencies_t *f, uint64_t key);
/* Have there been statistics? */
bool
hie_frequency_any(const hie_frequencies_t *f);
/* Is that known, and not guessed? */
bool
hie_frequency_knows(const hie_frequencies_t *f, uint64_t key);
double
hie_frequency_type(const hie_frequencies_t *f, hie_str_t type);
/* Of the type, contained in others: 0 unless it is frequent. */
double
hie_frequency_contained(const hie_frequencies_t *f, hie_str_t type);

#endif
