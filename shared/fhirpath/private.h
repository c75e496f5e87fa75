/*
 * Inside of the room: the tree of an expression, the state of an evaluation.
 */

#ifndef HIE_FHIRPATH_PRIVATE_H
#define HIE_FHIRPATH_PRIVATE_H

#include <string.h>

#include <apr_strings.h>

#include "fhirpath/fhirpath.h"

typedef hie_fhirpath_item_t   fp_item_t;
typedef hie_fhirpath_time_t   fp_time_t;
typedef hie_fhirpath_truth_t  fp_truth_t;

#define FP_FALSE  HIE_FHIRPATH_FALSE
#define FP_TRUE   HIE_FHIRPATH_TRUE
#define FP_EMPTY  HIE_FHIRPATH_EMPTY

/* Of the Integer of FHIRPath (N1 section 4.1.3). */
#define FP_INTEGER_MIN  INT64_C(-2147483648)
#define FP_INTEGER_MAX  INT64_C(2147483647)


/*
 * The tree.
 */
typedef enum {
    OP_NONE,
    OP_EMPTY,                  /* {} */
    OP_LITERAL,
    OP_THIS, OP_INDEX, OP_TOTAL,
    OP_VARIABLE,               /* %name */
    OP_MEMBER,                 /* [left.]name */
    OP_AT,                     /* left[arg] */
    OP_CALL,                   /* [left.]function(args) */
    OP_PLUS, OP_MINUS,         /* of one operand */
    OP_MULTIPLY, OP_DIVIDE, OP_DIV, OP_MOD,
    OP_ADD, OP_SUBTRACT, OP_CONCAT,
    OP_IS, OP_AS,
    OP_UNION,
    OP_LESS, OP_LESS_EQUAL, OP_GREATER, OP_GREATER_EQUAL,
    OP_EQUAL, OP_EQUIVALENT, OP_NOT_EQUAL, OP_NOT_EQUIVALENT,
    OP_IN, OP_CONTAINS,
    OP_AND, OP_OR, OP_XOR, OP_IMPLIES
} fp_op_t;

/* A type in is, as, ofType. An unqualified Quantity is both. */
typedef struct {
    hie_type_t  fhir;          /* or 0 */
    uint8_t     system;        /* hie_fhirpath_kind_t, or 0 */
    bool        any;           /* System.Any */
} fp_type_t;

typedef struct fp_node_t      fp_node_t;
typedef struct fp_function_t  fp_function_t;
typedef struct fp_regex_t     fp_regex_t;
typedef struct fp_run_t       fp_run_t;

struct fp_node_t {
    uint8_t               op;        /* fp_op_t */
    uint8_t               n_args;
    bool                  descending;/* an argument of sort */
    uint16_t              depth;
    uint32_t              pos;       /* in the text */
    fp_node_t            *left;      /* NULL: $this */
    fp_node_t            *args;      /* first; of a binary operator the right
                                        operand */
    fp_node_t            *next;      /* argument after this one */
    hie_str_t             name;      /* of MEMBER, VARIABLE, CALL */
    const fp_function_t  *function;
    fp_regex_t           *regex;     /* of a constant pattern */
    fp_item_t             literal;
    fp_type_t             type;      /* of IS, AS, ofType */

    hie_type_t            root;      /* MEMBER without left whose name is a
                                        type's, and stands where the focus of
                                        the whole may be meant */
    hie_type_t            of;        /* MEMBER: the type that `element` is of */
    const hie_element_t  *element;   /* first row */
};

struct hie_fhirpath_t {
    hie_str_t   text;
    fp_node_t  *tree;
    hie_type_t  type;            /* of all that it finds; or NONE */
};


/*
 * Compiling.
 */
typedef enum {
    TOKEN_END = 1, TOKEN_NAME, TOKEN_QUOTED_NAME, TOKEN_STRING, TOKEN_NUMBER,
    TOKEN_TIME, TOKEN_SIGN
} fp_token_kind_t;

typedef struct {
    fp_token_kind_t  kind;
    uint32_t         pos;
    hie_str_t        text;     /* a name or string without quotes, escapes
                                  resolved; of a sign its characters */
} fp_token_t;

typedef struct {
    apr_pool_t   *pool;
    hie_str_t     source;
    size_t        at;
    fp_token_t    token;
    int           depth;
    hie_error_t  *err;
} fp_parser_t;

/* "line:column" of a place in a text. */
hie_rc_t
hie_fp_fail_at(hie_error_t *err, hie_rc_t rc, hie_str_t source, uint32_t pos,
               const char *fmt, ...) __attribute__((format(printf, 5, 6)));
hie_rc_t
hie_fp_next(fp_parser_t *ps);
hie_rc_t
hie_fp_parse(fp_parser_t *ps, fp_node_t **out);
hie_rc_t
hie_fp_check(hie_fhirpath_t *fp, const hie_fhirpath_options_t *options,
             hie_error_t *err);


/*
 * Functions. `call` finds its input on the stack, from `base` on, and leaves
 * its result there.
 */
typedef struct {
    uint32_t  at;              /* $this: a part of the stack */
    uint32_t  n;
    int64_t   index;           /* $index, or -1 */
    uint32_t  total;           /* $total: a part of the stack */
    uint32_t  n_total;
} fp_scope_t;

typedef hie_rc_t fp_call_t(fp_run_t *run, const fp_node_t *node,
                           const fp_scope_t *scope, uint32_t base);

/* What a function takes and gives, for the check of types. */
typedef enum {
    FP_ANY, FP_BOOL, FP_STR, FP_INT, FP_NUM, FP_SAME, FP_TYPED, FP_MANY
} fp_shape_t;

struct fp_function_t {
    const char  *name;
    fp_call_t   *call;
    uint8_t      min;          /* arguments */
    uint8_t      max;
    bool         lambda;       /* arguments have items of the input as $this */
    bool         type;         /* its argument is a type */
    bool         ordered;      /* makes no sense without order */
    uint8_t      input;        /* fp_shape_t: ANY or STR */
    uint8_t      output;       /* fp_shape_t */
};

const fp_function_t *
hie_fp_function(hie_str_t name);


/*
 * Evaluating. Items are on a stack; a list is a part of it.
 */
#define FP_STACK  48

struct fp_run_t {
    const hie_fhirpath_t      *fp;
    const hie_fhirpath_env_t  *env;
    apr_pool_t                *pool;
    hie_error_t               *err;
    fp_item_t                 *items;
    uint32_t                   top;
    uint32_t                   size;
    uint64_t                   steps;     /* left */
    fp_item_t                  focus;
    fp_item_t                  resource;
    fp_item_t                  root;
    const fp_node_t           *node;      /* where an error is */
};

hie_rc_t
hie_fp_fail(fp_run_t *run, const fp_node_t *node, hie_rc_t rc,
            const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A step is worth as much as this many bytes that are read or made. */
#define FP_STEP_BYTES  64

/* Items on the stack at once. */
#define FP_ITEMS_MAX   (1024 * 1024)

/* Takes `n` steps. */
hie_rc_t
hie_fp_spend(fp_run_t *run, uint64_t n);
hie_rc_t
hie_fp_eval(fp_run_t *run, const fp_node_t *node, const fp_scope_t *scope);
hie_rc_t
hie_fp_truth(fp_run_t *run, const fp_node_t *node, const fp_scope_t *scope,
             fp_truth_t *out);
/* What the items from `base` on are as a condition; they go away. */
hie_rc_t
hie_fp_take_truth(fp_run_t *run, const fp_node_t *node, uint32_t base,
                  fp_truth_t *out);

void
hie_fp_grow(fp_run_t *run);

/* Takes steps where an error cannot be returned: it is found at the next
 * hie_fp_spend, or at the end. */
static inline void
fp_charge(fp_run_t *run, uint64_t n)
{
    run->steps -= n < run->steps ? n : run->steps;
}


static inline fp_item_t *
fp_push(fp_run_t *run)
{
    if (run->top == run->size) {
        hie_fp_grow(run);
    }

    return &run->items[run->top++];
}


/* Takes the items of [base, from) away; those after them move down. */
static inline void
fp_drop(fp_run_t *run, uint32_t base, uint32_t from)
{
    if (from > base) {
        memmove(run->items + base, run->items + from,
                (run->top - from) * sizeof(fp_item_t));
        run->top -= from - base;
    }
}


/* Replaces all from `base` on by one value. */
void
hie_fp_set_boolean(fp_run_t *run, uint32_t base, bool v);
void
hie_fp_set_truth(fp_run_t *run, uint32_t base, fp_truth_t v);
void
hie_fp_set_integer(fp_run_t *run, uint32_t base, int64_t v);
void
hie_fp_set_string(fp_run_t *run, uint32_t base, hie_str_t v);
void
hie_fp_set_decimal(fp_run_t *run, uint32_t base, const hie_decimal_t *v);
void
hie_fp_set_time(fp_run_t *run, uint32_t base, uint8_t kind,
                const fp_time_t *v);
void
hie_fp_set_quantity(fp_run_t *run, uint32_t base, const hie_decimal_t *value,
                    hie_str_t unit, bool calendar);

/* The only item from `base` on as a value of System. `*there` false: there is
 * none, or it has no value. An error if there are several. */
hie_rc_t
hie_fp_single(fp_run_t *run, const fp_node_t *node, uint32_t base,
              fp_item_t *out, bool *there);
/* The same as a value of one kind; another one is an error. */
hie_rc_t
hie_fp_single_kind(fp_run_t *run, const fp_node_t *node, uint32_t base,
                   hie_fhirpath_kind_t kind, fp_item_t *out, bool *there);
/* Evaluates an argument to one value of a kind; the stack is as before. */
hie_rc_t
hie_fp_argument(fp_run_t *run, const fp_node_t *arg, const fp_scope_t *scope,
                hie_fhirpath_kind_t kind, fp_item_t *out, bool *there);

extern const char *const  hie_fp_kind_names[];

/* Longest string that is made. */
#define FP_STRING_MAX  (16 * 1024 * 1024)

/* May a string of this length be made? */
hie_rc_t
hie_fp_room(fp_run_t *run, const fp_node_t *n, size_t len);
/* The input and, unless `b` is NULL, the first argument as strings; the stack
 * ends at `base`. */
hie_rc_t
hie_fp_two_strings(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
                   uint32_t base, hie_str_t *a, hie_str_t *b, bool *there);


/*
 * Navigation.
 */
hie_rc_t
hie_fp_member(fp_run_t *run, const fp_node_t *node, uint32_t base,
              uint32_t end);
hie_rc_t
hie_fp_children(fp_run_t *run, const fp_item_t *item);
hie_rc_t
hie_fp_resolve(fp_run_t *run, const fp_node_t *node, const fp_item_t *item,
               fp_item_t *out);
/* Items of the extensions of `item` with a url. */
hie_rc_t
hie_fp_extensions(fp_run_t *run, const fp_item_t *item, hie_str_t url);
bool
hie_fp_is(const fp_item_t *item, fp_type_t type);


/*
 * Values.
 */

/* hie_fhirpath_value, and hie_doc_member_str, at their price. */
bool
hie_fp_value(fp_run_t *run, const fp_item_t *item, fp_item_t *out);
hie_node_t
hie_fp_lookup(fp_run_t *run, const hie_doc_t *d, hie_node_t object,
              hie_str_t name);
bool
hie_fp_has_value(const fp_item_t *item);

/* As `=`: FP_TRUE, FP_FALSE, FP_EMPTY. */
hie_rc_t
hie_fp_equal(fp_run_t *run, const fp_item_t *a, const fp_item_t *b,
             fp_truth_t *out);
hie_rc_t
hie_fp_equivalent(fp_run_t *run, const fp_item_t *a, const fp_item_t *b,
                  bool *out);
hie_rc_t
hie_fp_equal_lists(fp_run_t *run, uint32_t a, uint32_t na, uint32_t b,
                   uint32_t nb, fp_truth_t *out);
hie_rc_t
hie_fp_equivalent_lists(fp_run_t *run, uint32_t a, uint32_t na, uint32_t b,
                        uint32_t nb, bool *out);
/* -1, 0, 1 in `*order`; *known false: cannot be said. Types that have no
 * order with each other are an error. */
hie_rc_t
hie_fp_order(fp_run_t *run, const fp_node_t *node, const fp_item_t *a,
             const fp_item_t *b, int *order, bool *known);
/* A set of items of the stack, by `=`. */
#define FP_SET_SMALL  16

typedef struct {
    uint32_t   n;
    uint32_t   mask;           /* 0: it is small, and all are compared */
    uint32_t   small[FP_SET_SMALL];
    uint32_t  *slots;          /* place of an item plus 1 */
    uint64_t  *hashes;         /* of each slot */
} fp_set_t;

void
hie_fp_set_init(fp_set_t *set);
/* *found: one equal to the item at this place is in it; otherwise it is put
 * in if `add`. */
hie_rc_t
hie_fp_set_find(fp_run_t *run, fp_set_t *set, uint32_t at, bool add,
                bool *found);

/* Dates and times; texts as FHIR and FHIRPath write them. */
bool
hie_fp_time_parse(hie_str_t text, uint8_t kind, fp_time_t *out);
void
hie_fp_time_print(hie_buf_t *b, uint8_t kind, const fp_time_t *t);
int
hie_fp_time_compare(const fp_time_t *a, const fp_time_t *b, bool *known);
bool
hie_fp_time_equivalent(const fp_time_t *a, const fp_time_t *b);
/* False: a unit that does not go with it, or out of range. */
bool
hie_fp_time_add(fp_time_t *t, uint8_t kind,
                const hie_fhirpath_quantity_t *q, bool negative);
fp_time_t
hie_fp_time_now(const hie_fhirpath_env_t *env);
int
hie_fp_month_days(int year, int month);

bool
hie_fp_calendar_unit(hie_str_t text, hie_str_t *unit);
bool
hie_fp_quantity_parse(hie_str_t text, hie_fhirpath_quantity_t *out);
int
hie_fp_quantity_compare(const hie_fhirpath_quantity_t *a,
                        const hie_fhirpath_quantity_t *b, bool *known);
bool
hie_fp_quantity_equivalent(const hie_fhirpath_quantity_t *a,
                           const hie_fhirpath_quantity_t *b);
/* In another unit, a code or a duration. False: not possible. */
bool
hie_fp_quantity_convert(const hie_fhirpath_quantity_t *q, hie_str_t unit,
                        hie_fhirpath_quantity_t *out);
bool
hie_fp_quantity_add(const hie_fhirpath_quantity_t *a,
                    const hie_fhirpath_quantity_t *b, bool negative,
                    hie_decimal_t *out);
bool
hie_fp_quantity_unit(apr_pool_t *pool, const hie_fhirpath_quantity_t *a,
                     const hie_fhirpath_quantity_t *b, bool divide,
                     hie_str_t *out);
/* One operator and its operands, of which one is NULL for a sign, and may be
 * for & where it is empty. The result replaces what is from `base` on. */
hie_rc_t
hie_fp_arithmetic(fp_run_t *run, const fp_node_t *node, uint32_t base,
                  const fp_item_t *a, const fp_item_t *b);

hie_rc_t
hie_fp_regex_compile(apr_pool_t *pool, hie_str_t pattern, fp_regex_t **out,
                     hie_error_t *err);

#endif
