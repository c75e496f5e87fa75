/*
 * Criteria that compare: dates, numbers and strings, each in a table of its
 * own.
 *
 * Alternatives of one form (the same comparison, the same unit or none) make
 * one condition: with their values as parameters where there is one, joined
 * to a table of values where there are several.
 */

#include "store/query.h"

#include <string.h>

#include <apr_strings.h>


/* Stands behind every character in the order of the C collation, so that
 * values with the prefix p lie between p and p followed by it. */
#define LAST_CHARACTER  "\xf4\x8f\xbf\xbf"

/* A value that an alternative brings along. */
typedef enum {
    OPERAND_INT = 1, OPERAND_TEXT, OPERAND_NUMBER, OPERAND_FLOAT
} operand_kind_t;

typedef struct {
    const char      *name;
    operand_kind_t   kind;
    int64_t          number;
    hie_str_t        text;
} operand_t;

#define OPERANDS  10

/* Behind the name of a number. */
#define FLOAT  "_float"

/* Dates that last longer have an index of their own (resource_date_long). */
#define DAY_US   INT64_C(86400000000)
#define IS_LONG  " AND d.high > d.low + 86400000000"

/* A period without a beginning. */
#define UNBEGUN  "'-9223372036854775808'::bigint"

/* The rows of one form are those of so many ranges of indexes. */
#define PARTS  3

typedef struct {
    uint32_t   form;             /* those with the same one go together */
    int        n;
    operand_t  operands[OPERANDS];
} alternative_t;

typedef struct {
    hie_find_t            *w;
    apr_pool_t            *pool;
    const char            *table;
    bool                   by_index;
    bool                   by_high;      /* of numbers: those with two ends */
    int                    n;
    alternative_t         *alternatives;
    const alternative_t   *first;        /* of the form being written */
    int                    members;
    int                    param;        /* number of its first operand */
    const hie_criterion_t *criterion;
    int                    which;        /* alternative that gives the form */
} rows_t;


static void
add_int(alternative_t *a, const char *name, int64_t v)
{
    a->operands[a->n++] = (operand_t) { name, OPERAND_INT, v, HIE_STR_NONE };
}


static void
add_text(alternative_t *a, const char *name, hie_str_t s)
{
    a->operands[a->n++] = (operand_t) { name, OPERAND_TEXT, 0, s };
}


static void
add_number(rows_t *x, alternative_t *a, const char *name,
           const hie_decimal_t *d)
{
    char  *text = apr_palloc(x->pool, HIE_DECIMAL_TEXT_MAX);

    hie_decimal_print(d, text);
    a->operands[a->n++] = (operand_t) {
        name, OPERAND_NUMBER, 0, hie_str(text)
    };
}


/* The number rounded, as indexes have lower ends. */
static void
add_float(rows_t *x, alternative_t *a, const char *name,
          const hie_decimal_t *d)
{
    a->operands[a->n++] = (operand_t) {
        apr_pstrcat(x->pool, name, FLOAT, NULL), OPERAND_FLOAT, 0,
        hie_double_text(x->pool, hie_decimal_to_double(d))
    };
}


static void
add_slot(alternative_t *a, const hie_slot_t *of)
{
    add_int(a, "slot", (int64_t) of->slot);
    if (of->scoped && of->scope != 0) {
        add_int(a, "scope", (int64_t) of->scope);
    }
}


/* Of the slot: not scoped, with a scope, without one. */
static uint32_t
slot_form(const hie_slot_t *of)
{
    return !of->scoped ? 0 : of->scope != 0 ? 1 : 2;
}


/* The name of an operand as it is written. */
static const char *
operand(const rows_t *x, const char *name)
{
    static const char *const  casts[] = {
        [OPERAND_INT] = "::bigint", [OPERAND_TEXT] = "::text",
        [OPERAND_NUMBER] = "::text::numeric",
        [OPERAND_FLOAT] = "::text::float8"
    };
    static const char *const  casts_of_text[] = {
        [OPERAND_INT] = "", [OPERAND_TEXT] = "",
        [OPERAND_NUMBER] = "::numeric", [OPERAND_FLOAT] = "::float8"
    };
    const alternative_t      *a = x->first;
    int                       i = 0;

    while (strcmp(a->operands[i].name, name) != 0) {
        i++;
    }
    if (x->members > 1) {
        return apr_pstrcat(x->pool, "q.", name,
                           casts_of_text[a->operands[i].kind], NULL);
    }
    return apr_psprintf(x->pool, "$%d%s", x->param + i,
                        casts[a->operands[i].kind]);
}


static void
say(rows_t *x, const char *format, const char *a, const char *b)
{
    hie_buf_addf(&x->w->sql, format, a, b);
}


/* A row that is only checked is looked up by its number. By the slot all of the
 * slot would be read for each, and without statistics it sometimes is. */
static void
slot_condition(rows_t *x, const hie_slot_t *of)
{
    bool  part = x->criterion->kind == HIE_CRITERION_NUMBERS
                 && hie_slot_is_part(of->slot);

    say(x, x->by_index ? "d.%s = %s" : "(d.%s = %s) IS TRUE",
        part ? "part" : "slot", operand(x, "slot"));
    switch (slot_form(of)) {
    case 1:
        say(x, " AND d.scope = %s", operand(x, "scope"), "");
        break;
    case 2:
        say(x, " AND d.scope IS NULL", "", "");
        break;
    }
}


/*
 * Dates: [low, high) against [a, b), R4 section 3.1.1.4.6. Where one end
 * decides, the condition on it stands by itself so that its index serves it.
 *
 * Of the ends only those of long dates are indexed. Others that end after a
 * time begin at most a day before it, and what ends before a time begins
 * before it.
 */
static bool
date_asks_a(const hie_date_value_t *v)
{
    return v->op != HIE_RANGE_GT && v->op != HIE_RANGE_SA;
}


static bool
date_asks_b(const hie_date_value_t *v)
{
    return v->op != HIE_RANGE_LT && v->op != HIE_RANGE_EB;
}


static void
add_date(alternative_t *a, const hie_date_value_t *v, const char *name_a,
         const char *name_b)
{
    if (date_asks_a(v)) {
        add_int(a, name_a, v->a);
    }
    if (date_asks_b(v)) {
        add_int(a, name_b, v->b);
    }
}


/* Do the beginnings have a lower bound? */
static bool
bounds_low(const hie_date_value_t *v)
{
    return !v->negate && (v->op == HIE_RANGE_EQ || v->op == HIE_RANGE_SA);
}


/* What the end must be after, if anything. */
static bool
bounds_high(const hie_date_value_t *v, int64_t *at)
{
    switch (v->op) {
    case HIE_RANGE_EQ:
    case HIE_RANGE_GT:
        *at = v->b;
        return v->op == HIE_RANGE_GT || v->negate;
    case HIE_RANGE_GE:
    case HIE_RANGE_AP:
        *at = v->a;
        return true;
    default:
        return false;
    }
}


/* What dates that are not long begin after, if their ends say it. */
static bool
begins(const hie_date_value_t *v, int64_t *since)
{
    int64_t  at = INT64_MIN, also;
    bool     is = bounds_high(v, &at);

    if (bounds_low(v) || (v->also != NULL && bounds_low(v->also))) {
        return false;
    }
    if (v->also != NULL && bounds_high(v->also, &also)) {
        at = is && at > also ? at : also;
        is = true;
    }
    *since = at < INT64_MIN + DAY_US ? INT64_MIN : at - DAY_US;

    return is;
}


static void
date_alternative(rows_t *x, alternative_t *a, int i)
{
    const hie_date_value_t  *v = &x->criterion->dates[i];
    int64_t                  since;

    a->form = (uint32_t) v->op << 3 | (uint32_t) v->negate << 2
              | slot_form(&v->of);
    add_slot(a, &v->of);
    add_date(a, v, "a", "b");
    if (v->also != NULL) {
        a->form |= (uint32_t) v->also->op << 8;
        add_date(a, v->also, "also_a", "also_b");
    }
    if (x->by_index && begins(v, &since)) {
        add_int(a, "since", since);
    }
}


static void
date_range(rows_t *x, const hie_date_value_t *v, const char *name_a,
           const char *name_b)
{
    const char  *a = date_asks_a(v) ? operand(x, name_a) : NULL;
    const char  *b = date_asks_b(v) ? operand(x, name_b) : NULL;

    switch (v->op) {
    case HIE_RANGE_EQ:
        if (v->negate) {
            say(x, " AND (d.low < %s OR d.high > %s)", a, b);
        } else {
            say(x, " AND d.low >= %s AND d.low < %s", a, b);
            say(x, " AND d.high <= %s", b, "");
        }
        break;
    case HIE_RANGE_GT:
        say(x, " AND d.high > %s", b, "");
        break;
    case HIE_RANGE_LT:
        say(x, " AND d.low < %s", a, "");
        break;
    case HIE_RANGE_GE:
        say(x, " AND d.high > %s AND (d.high > %s", a, b);
        say(x, " OR d.low >= %s)", a, "");
        break;
    case HIE_RANGE_LE:
        say(x, " AND d.low < %s AND (d.low < %s", b, a);
        say(x, " OR d.high <= %s)", b, "");
        break;
    case HIE_RANGE_SA:
        say(x, " AND d.low >= %s", b, "");
        break;
    case HIE_RANGE_EB:
        say(x, " AND d.high <= %s", a, "");
        break;
    case HIE_RANGE_AP:
        say(x, " AND d.high > %s AND d.low < %s", a, b);
        break;
    }
}


static void
date_condition(rows_t *x)
{
    const hie_date_value_t  *v = &x->criterion->dates[x->which];

    slot_condition(x, &v->of);
    date_range(x, v, "a", "b");
    if (v->also != NULL) {
        date_range(x, v->also, "also_a", "also_b");
    }
}


/* Dates that end until a time are among those that begin until then. */
static const char *
date_until(const rows_t *x, const hie_date_value_t *v)
{
    const char  *name = v->op == HIE_RANGE_EB ? "a" : "also_a";

    if (v->op != HIE_RANGE_EB
        && (v->also == NULL || v->also->op != HIE_RANGE_EB))
    {
        return "";
    }
    return apr_psprintf(x->pool, " AND d.low <= %s", operand(x, name));
}


/* What is not equal begins before `a` or ends after `b`. */
static int
parts_unequal(const rows_t *x, const char *parts[PARTS])
{
    const char  *since = operand(x, "since");
    const char  *a = operand(x, "a");

    parts[0] = apr_psprintf(x->pool, " AND d.low >= %s", since);
    parts[1] = apr_psprintf(x->pool, " AND d.low < %s AND d.low < %s", since,
                            a);
    parts[2] = apr_psprintf(x->pool, " AND d.high > %s AND d.low + 0 < %s"
                            " AND d.low + 0 >= %s" IS_LONG, operand(x, "b"),
                            since, a);
    return 3;
}


/* Conditions more, each of which makes the rows a range of an index; no row
 * meets two of them. A sum keeps from an index that has too many. */
static int
date_parts(const rows_t *x, const char *parts[PARTS])
{
    const hie_date_value_t  *v = &x->criterion->dates[x->which];
    const char              *until = date_until(x, v);
    int64_t                  since;

    if (begins(v, &since)) {
        if (v->negate) {
            return parts_unequal(x, parts);
        }
        parts[0] = apr_psprintf(x->pool, " AND d.low >= %s%s",
                                operand(x, "since"), until);
        parts[1] = apr_psprintf(x->pool, " AND d.low < %s" IS_LONG,
                                operand(x, "since"));
        return 2;
    }
    if (until[0] != '\0' && !bounds_low(v)
        && (v->also == NULL || !bounds_low(v->also)))
    {
        parts[0] = apr_pstrcat(x->pool, " AND d.low > " UNBEGUN, until, NULL);
        parts[1] = " AND d.low + 0 = " UNBEGUN IS_LONG;
        return 2;
    }
    parts[0] = until;
    return 1;
}


/*
 * Numbers: [low, high] against [a, b), R4 section 3.1.1.4.7. Nearly all have
 * low = high: an index on low serves both but for those that have not.
 */
static bool
asks_a(const hie_number_value_t *v)
{
    return v->op != HIE_RANGE_GT && v->op != HIE_RANGE_GE
           && v->op != HIE_RANGE_SA;
}


static bool
asks_b(const hie_number_value_t *v)
{
    return v->op != HIE_RANGE_LT && v->op != HIE_RANGE_LE
           && v->op != HIE_RANGE_EB;
}


/* Both are compared with lower ends, but for `b` of what is not equal. */
static void
add_ends(rows_t *x, alternative_t *a, const hie_number_value_t *v)
{
    if (asks_a(v)) {
        add_number(x, a, "a", &v->a);
        add_float(x, a, "a", &v->a);
    }
    if (asks_b(v)) {
        add_number(x, a, "b", &v->b);
        if (!v->negate || v->end != NULL) {
            add_float(x, a, "b", &v->b);
        }
    }
}


/* With higher ends. */
static void
add_end(rows_t *x, alternative_t *a, const hie_number_value_t *v)
{
    if (asks_a(v)) {
        add_number(x, a, "end_a", &v->a);
    }
    if (asks_b(v)) {
        add_number(x, a, "end_b", &v->b);
    }
}


static void
number_alternative(rows_t *x, alternative_t *a, int i)
{
    const hie_number_value_t  *v = &x->criterion->numbers[i];

    a->form = (uint32_t) v->op << 8 | (uint32_t) v->negate << 7
              | (uint32_t) hie_slot_is_part(v->of.slot) << 6
              | (uint32_t) (v->unit != 0) << 5
              | (uint32_t) (v->system != 0) << 4
              | (uint32_t) (v->code != 0) << 3 | slot_form(&v->of);
    if (v->end != NULL) {
        a->form |= ((uint32_t) v->end->op << 1 | v->end->negate | 1u << 6)
                   << 16;
    }
    add_slot(a, &v->of);
    if (v->unit != 0) {
        add_int(a, "unit", (int64_t) v->unit);
    } else {
        if (v->system != 0) {
            add_int(a, "system", (int64_t) v->system);
        }
        if (v->code != 0) {
            add_int(a, "code", (int64_t) v->code);
        }
    }
    add_ends(x, a, v);
    if (v->end != NULL) {
        add_end(x, a, v->end);
    }
}


/* A column against an operand. Of the lower ends an index has what is rounded:
 * if one is less than another, then it is so rounded too, or both are equal. */
static const char *
compared(const rows_t *x, const char *column, const char *op,
         const char *name)
{
    const char  *exact = apr_psprintf(x->pool, "d.%s %s %s", column, op,
                                      operand(x, name));
    const char  *rounded = NULL;

    if (strcmp(column, "low") == 0) {
        rounded = "low_float";
    } else if (strcmp(column, "unit_low") == 0) {
        rounded = "unit_float";
    }

    if (rounded == NULL) {
        return exact;
    }

    return apr_psprintf(x->pool, "d.%s %c= %s AND %s", rounded, op[0],
                        operand(x, apr_pstrcat(x->pool, name, FLOAT, NULL)),
                        exact);
}


/* Nearly all numbers are single, and those that are not have an index of their
 * own: by index the two are asked for one after the other. As one condition
 * with OR, PostgreSQL may think it better to read all of a slot. */
static void
number_above(const rows_t *x, const char *low, const char *high,
             const char *op, const char *name)
{
    hie_buf_t   *sql = &x->w->sql;
    const char  *single = compared(x, low, op, name);
    const char  *wide = apr_psprintf(x->pool, "d.%s <> d.%s AND %s", high, low,
                                     compared(x, high, op, name));

    if (!x->by_index) {
        hie_buf_addf(sql, " AND (%s OR %s)", single, wide);
    } else {
        hie_buf_addf(sql, " AND %s", x->by_high ? wide : single);
    }
}


static bool
is_above(const hie_number_value_t *v)
{
    return v->end == NULL && (v->op == HIE_RANGE_GT || v->op == HIE_RANGE_GE
                              || v->op == HIE_RANGE_AP);
}


/* On both ends of a single column, or on two columns. */
static void
number_range(rows_t *x, const hie_number_value_t *v, const char *low,
             const char *high, const char *a, const char *b)
{
    hie_buf_t   *sql = &x->w->sql;
    const char  *op;
    bool         single = low == high;

    switch (v->op) {
    case HIE_RANGE_EQ:
        if (v->negate) {
            hie_buf_addf(sql, " AND (%s OR %s)", compared(x, low, "<", a),
                         compared(x, high, ">=", b));
            break;
        }
        hie_buf_addf(sql, " AND %s AND %s", compared(x, low, ">=", a),
                     compared(x, low, "<", b));
        if (!single) {
            hie_buf_addf(sql, " AND %s", compared(x, high, "<", b));
        }
        break;
    case HIE_RANGE_GT:
    case HIE_RANGE_GE:
        op = v->op == HIE_RANGE_GT ? ">" : ">=";
        if (single) {
            hie_buf_addf(sql, " AND %s", compared(x, low, op, b));
            break;
        }
        number_above(x, low, high, op, b);
        break;
    case HIE_RANGE_LT:
        hie_buf_addf(sql, " AND %s", compared(x, low, "<", a));
        break;
    case HIE_RANGE_LE:
        hie_buf_addf(sql, " AND %s", compared(x, low, "<=", a));
        break;
    case HIE_RANGE_SA:
        hie_buf_addf(sql, " AND %s", compared(x, low, ">", b));
        break;
    case HIE_RANGE_EB:
        hie_buf_addf(sql, " AND %s AND %s", compared(x, low, "<", a),
                     compared(x, high, "<", a));
        break;
    case HIE_RANGE_AP:
        if (single) {
            hie_buf_addf(sql, " AND %s AND %s", compared(x, low, ">=", a),
                         compared(x, low, "<=", b));
            break;
        }
        hie_buf_addf(sql, " AND %s", compared(x, low, "<=", b));
        number_above(x, low, high, ">=", a);
        break;
    }
}


static void
number_condition(rows_t *x)
{
    const hie_number_value_t  *v = &x->criterion->numbers[x->which];

    slot_condition(x, &v->of);
    if (v->end != NULL) {
        number_range(x, v, "low", "low", "a", "b");
        number_range(x, v->end, "high", "high", "end_a", "end_b");
        return;
    }

    if (v->unit != 0) {
        say(x, " AND d.unit = %s", operand(x, "unit"), "");
        number_range(x, v, "unit_low", "unit_high", "a", "b");
        return;
    }

    if (v->system != 0) {
        say(x, " AND d.system = %s", operand(x, "system"), "");
    }
    if (v->code != 0) {
        say(x, " AND d.code = %s", operand(x, "code"), "");
    }
    number_range(x, v, "low", "high", "a", "b");
}


/*
 * Strings and terms.
 */
static void
text_alternative(rows_t *x, alternative_t *a, int i)
{
    const hie_text_value_t  *v = &x->criterion->texts[i];
    hie_str_t                s = hie_string_indexed(v->value);

    a->form = (uint32_t) v->match << 2 | slot_form(&v->of);
    add_slot(a, &v->of);
    add_text(a, "v", s);

    switch (v->match) {
    case HIE_TEXT_PREFIX:
        add_text(a, "w", hie_str(apr_psprintf(x->pool, "%.*s" LAST_CHARACTER,
                                              HIE_PRISTR(s))));
        break;
    case HIE_TEXT_BELOW:
        add_text(a, "from", hie_str(apr_psprintf(x->pool, "%.*s/",
                                                 HIE_PRISTR(s))));
        add_text(a, "to", hie_str(apr_psprintf(x->pool, "%.*s/"
                                               LAST_CHARACTER,
                                               HIE_PRISTR(s))));
        break;
    default:
        break;
    }
}


static void
text_condition(rows_t *x)
{
    const hie_text_value_t  *v = &x->criterion->texts[x->which];
    const char              *s = operand(x, "v");

    slot_condition(x, &v->of);
    switch (v->match) {
    case HIE_TEXT_PREFIX:
        say(x, " AND d.value >= %s AND d.value < %s", s, operand(x, "w"));
        break;
    case HIE_TEXT_CONTAINS:
        say(x, " AND strpos(d.value, %s) > 0", s, "");
        break;
    case HIE_TEXT_ENDS:
        say(x, " AND right(d.value, length(%s)) = %s", s, s);
        break;
    case HIE_TEXT_BELOW:
        say(x, " AND (d.value = %s", s, "");
        say(x, " OR d.value >= %s AND d.value < %s)", operand(x, "from"),
            operand(x, "to"));
        break;
    default:
        say(x, " AND d.value = %s", s, "");
        break;
    }
}


/*
 * Forms.
 */
typedef void alternative_fn(rows_t *x, alternative_t *a, int i);
typedef void condition_fn(rows_t *x);

static void
collect(rows_t *x, hie_find_t *w, const hie_criterion_t *c,
        alternative_fn *fn)
{
    int  i;

    x->w = w;
    x->pool = w->pool;
    x->criterion = c;
    x->n = c->n;
    x->alternatives = apr_pcalloc(w->pool,
                                  sizeof(alternative_t) * (size_t) c->n);
    for (i = 0; i < c->n; i++) {
        fn(x, &x->alternatives[i], i);
    }
}


static void
add_array(rows_t *x, int operand_number)
{
    hie_array_t      *array = apr_palloc(x->pool, sizeof(*array));
    const operand_t  *o;
    operand_kind_t    kind = x->first->operands[operand_number].kind;
    int               i;

    hie_array_init(array, x->pool,
                   kind == OPERAND_INT ? HIE_PG_INT8 : HIE_PG_TEXT, 64);
    for (i = 0; i < x->n; i++) {
        if (x->alternatives[i].form == x->first->form) {
            o = &x->alternatives[i].operands[operand_number];
            if (kind == OPERAND_INT) {
                hie_array_i64(array, o->number);
            } else {
                hie_array_str(array, o->text);
            }
        }
    }
    hie_params_array(&x->w->params, array);
}


/* Makes alternative `i` the one whose form is written next; false: its form
 * has been. */
static bool
begin_form(rows_t *x, int i)
{
    const alternative_t  *a = &x->alternatives[i];
    int                   k;

    for (k = 0; k < i; k++) {
        if (x->alternatives[k].form == a->form) {
            return false;
        }
    }
    x->first = a;
    x->which = i;
    for (k = i, x->members = 0; k < x->n; k++) {
        x->members += x->alternatives[k].form == a->form;
    }

    x->param = x->w->params.n + 1;
    for (k = 0; k < a->n; k++) {
        if (x->members > 1) {
            add_array(x, k);
        } else if (a->operands[k].kind == OPERAND_INT) {
            hie_find_i64(x->w, a->operands[k].number);
        } else {
            hie_find_str(x->w, a->operands[k].text);
        }
    }
    return true;
}


/* "FROM unnest(…) q(…), " where there are several. */
static void
add_values(rows_t *x)
{
    hie_buf_t  *sql = &x->w->sql;
    int         i;

    hie_buf_addz(sql, " FROM ");
    if (x->members == 1) {
        return;
    }
    hie_buf_addz(sql, "unnest(");
    for (i = 0; i < x->first->n; i++) {
        hie_buf_addf(sql, "%s$%d::%s[]", i > 0 ? ", " : "", x->param + i,
                     x->first->operands[i].kind == OPERAND_INT ? "bigint"
                                                               : "text");
    }
    hie_buf_addz(sql, ") AS q(");
    for (i = 0; i < x->first->n; i++) {
        hie_buf_addf(sql, "%s\"%s\"", i > 0 ? ", " : "",
                     x->first->operands[i].name);
    }
    hie_buf_addz(sql, ") CROSS JOIN LATERAL ");
}


/* The rows of one form: their `column`. `and` is a condition more. */
static void
form_set(rows_t *x, condition_fn *fn, const char *column, const char *and)
{
    hie_buf_t  *sql = &x->w->sql;

    hie_buf_addf(sql, "SELECT d.%s", column);
    add_values(x);
    if (x->members == 1) {
        hie_buf_addf(sql, "%s d WHERE ", x->table);
        fn(x);
        hie_buf_addz(sql, and);
        return;
    }
    hie_buf_addf(sql, "(SELECT d.%s FROM %s d WHERE ", column, x->table);
    fn(x);
    hie_buf_addf(sql, "%s OFFSET 0) d", and);
}


static void
all_sets(rows_t *x, condition_fn *fn, const char *column)
{
    const char  *parts[PARTS] = { "" };
    int          i, k, n_parts = 1, n = 0;

    for (i = 0; i < x->n; i++) {
        if (!begin_form(x, i)) {
            continue;
        }
        if (x->criterion->kind == HIE_CRITERION_DATES) {
            n_parts = date_parts(x, parts);
        }
        for (k = 0; k < n_parts; k++) {
            hie_buf_addz(&x->w->sql, n++ > 0 ? " UNION ALL " : "");
            form_set(x, fn, column, parts[k]);
        }
        if (x->criterion->kind == HIE_CRITERION_NUMBERS
            && is_above(&x->criterion->numbers[x->which]))
        {
            x->by_high = true;
            hie_buf_addz(&x->w->sql, " UNION ALL ");
            form_set(x, fn, column, "");
            x->by_high = false;
        }
    }
}


static void
all_conditions(rows_t *x, condition_fn *fn, const char *alias)
{
    hie_buf_t  *sql = &x->w->sql;
    int         i, n = 0;

    hie_buf_addc(sql, '(');
    for (i = 0; i < x->n; i++) {
        if (begin_form(x, i)) {
            hie_buf_addz(sql, n++ > 0 ? " OR " : "");
            hie_buf_addz(sql, "EXISTS (SELECT");
            add_values(x);
            hie_buf_addf(sql, "%s%s d%s WHERE d.rid = %s.rid AND ",
                         x->members > 1 ? "(SELECT * FROM " : "", x->table,
                         "", alias);
            fn(x);
            hie_buf_addz(sql, x->members > 1 ? " OFFSET 0) d)"
                                             : " OFFSET 0)");
        }
    }
    hie_buf_addc(sql, ')');
}


void
hie_criterion_rows(hie_find_t *w, const hie_criterion_t *c,
                   const char *alias)
{
    rows_t         x = { .by_index = alias == NULL };
    condition_fn  *fn;

    switch (c->kind) {
    case HIE_CRITERION_DATES:
        x.table = "hie.resource_date";
        fn = date_condition;
        collect(&x, w, c, date_alternative);
        break;
    case HIE_CRITERION_NUMBERS:
        x.table = "hie.resource_number";
        fn = number_condition;
        collect(&x, w, c, number_alternative);
        break;
    default:
        x.table = "hie.resource_string";
        fn = text_condition;
        collect(&x, w, c, text_alternative);
        break;
    }

    if (alias != NULL) {
        all_conditions(&x, fn, alias);
    } else {
        all_sets(&x, fn, "rid");
    }
}


/* What is above a url are the urls that it begins with, up to a slash each:
 * they can be listed. */
static hie_criterion_t
list_above(hie_find_t *w, const hie_criterion_t *c)
{
    hie_criterion_t      out = *c;
    hie_text_value_t    *t;
    apr_array_header_t  *all;
    hie_str_t            url;
    int                  i;

    all = apr_array_make(w->pool, c->n + 8, sizeof(*t));
    for (i = 0; i < c->n; i++) {
        t = apr_array_push(all);
        *t = c->texts[i];
        for (url = t->value; c->texts[i].match == HIE_TEXT_ABOVE
                             && url.len > 0; url.len--)
        {
            if (url.ptr[url.len - 1] == '/') {
                t = apr_array_push(all);
                *t = c->texts[i];
                t->value = (hie_str_t) { url.ptr, url.len - 1 };
            }
        }
    }
    out.n = all->nelts;
    out.texts = (hie_text_value_t *) all->elts;
    return out;
}


void
hie_criterion_terms(hie_find_t *w, const hie_criterion_t *c)
{
    rows_t           x = { .table = "hie.term", .by_index = true };
    hie_criterion_t  listed = list_above(w, c);

    collect(&x, w, &listed, text_alternative);
    all_sets(&x, text_condition, "key");
}
