/*
 * A comparison of _filter (R4 section 3.1.3.2) as a criterion: mostly what
 * the parameter does by itself, with a prefix or a modifier.
 */

#include "search/criterion.h"

#include <string.h>

#include <apr_strings.h>

/* What separates and escapes in a value. */
#define ALL  "\\,|$"

static const char *const  names[] = {
    [HIE_COMPARE_EQ] = "eq", [HIE_COMPARE_NE] = "ne", [HIE_COMPARE_CO] = "co",
    [HIE_COMPARE_SW] = "sw", [HIE_COMPARE_EW] = "ew", [HIE_COMPARE_GT] = "gt",
    [HIE_COMPARE_LT] = "lt", [HIE_COMPARE_GE] = "ge", [HIE_COMPARE_LE] = "le",
    [HIE_COMPARE_AP] = "ap", [HIE_COMPARE_SA] = "sa", [HIE_COMPARE_EB] = "eb",
    [HIE_COMPARE_PR] = "pr", [HIE_COMPARE_PO] = "po", [HIE_COMPARE_SS] = "ss",
    [HIE_COMPARE_SB] = "sb", [HIE_COMPARE_IN] = "in", [HIE_COMPARE_NI] = "ni",
    [HIE_COMPARE_RE] = "re"
};


hie_compare_t
hie_compare_find(hie_str_t name)
{
    size_t  i;

    for (i = HIE_COMPARE_EQ; i < sizeof(names) / sizeof(names[0]); i++) {
        if (hie_str_eqz(name, names[i])) {
            return (hie_compare_t) i;
        }
    }

    return HIE_COMPARE_NONE;
}


static hie_rc_t
not_applicable(hie_criterion_parse_t *p)
{
    return hie_fail(p->err, HIE_INVALID, "",
                    "_filter: \"%s\" does not apply to \"%.*s\": it is another "
                    "kind of parameter", names[p->compare],
                    HIE_PRISTR(p->whole));
}


/* A parameter of its own from here on. */
static hie_rc_t
with_modifier(hie_criterion_parse_t *p, const char *modifier)
{
    p->compare = HIE_COMPARE_NONE;
    p->modifier = hie_str(modifier);
    return hie_criterion_value(p);
}


/* All of it is one value: these characters have no meaning. */
static void
escape(hie_criterion_parse_t *p, const char *these)
{
    size_t     i;
    hie_buf_t  out;

    hie_buf_init(&out, p->pool, p->value.len + 8);
    for (i = 0; i < p->value.len; i++) {
        if (strchr(these, p->value.ptr[i]) != NULL) {
            hie_buf_addc(&out, '\\');
        }

        hie_buf_addc(&out, p->value.ptr[i]);
    }

    p->value = hie_buf_str(&out);
}


/* R4 section 3.1.3.2: names that stand for systems. */
static void
expand(hie_criterion_parse_t *p, const char *before)
{
    size_t     i;
    hie_str_t  head, rest;
    static const struct {
        const char  *name;
        const char  *system;
    } known[] = {
        { "loinc|", "http://loinc.org|" },
        { "snomed|", "http://snomed.info/sct|" },
        { "rxnorm|", "http://www.nlm.nih.gov/research/umls/rxnorm|" },
        { "ucum|", "http://unitsofmeasure.org|" }
    };

    head = HIE_STR_NONE;
    rest = p->value;
    if (before[0] != '\0') {
        head = hie_str_split(p->value, before[0], &rest);
    }

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (rest.ptr != NULL && hie_str_starts(rest, known[i].name)) {
            rest.ptr += strlen(known[i].name);
            rest.len -= strlen(known[i].name);
            rest = hie_forms_join(p->pool, hie_str(known[i].system), "", rest);
            p->value = hie_forms_join(p->pool, head, before, rest);
            return;
        }
    }
}


/* R4: "an item has an unequal value". Which item of several has which token
 * is not known: there is a value, and none is equal. */
static hie_rc_t
unequal(hie_criterion_parse_t *p)
{
    hie_rc_t                rc;
    hie_chain_t            *chain;
    hie_criteria_t         *all;
    hie_criterion_parse_t   q = *p;
    const hie_parameter_t  *def = p->out->def;

    all = apr_palloc(p->pool, sizeof(*all));
    all->n = 2;
    all->criteria = apr_pcalloc(p->pool, sizeof(*all->criteria) * 2);
    all->criteria[0].def = def;
    all->criteria[1].def = def;

    q.out = &all->criteria[0];
    q.value = HIE_STR("false");
    rc = with_modifier(&q, "missing");
    if (rc != HIE_OK) {
        return rc;
    }

    q = *p;
    q.out = &all->criteria[1];
    q.compare = HIE_COMPARE_EQ;
    rc = hie_criterion_compare(&q);
    all->criteria[1].negate = true;

    chain = apr_pcalloc(p->pool, sizeof(*chain));
    chain->criteria = all;
    p->out->kind = HIE_CRITERION_GROUP;
    p->out->n = 1;
    p->out->chains = chain;
    return rc;
}


static hie_rc_t
present(hie_criterion_parse_t *p)
{
    if (hie_str_eqz(p->value, "true")) {
        p->value = HIE_STR("false");
    } else if (hie_str_eqz(p->value, "false")) {
        p->value = HIE_STR("true");
    } else {
        return hie_criterion_wrong(p, "true or false");
    }

    return with_modifier(p, "missing");
}


static hie_rc_t
texts(hie_criterion_parse_t *p, hie_criterion_kind_t kind)
{
    uint32_t  key = p->out->def->key;

    escape(p, ALL);
    switch (p->compare) {
    case HIE_COMPARE_EQ:
        return hie_criterion_texts(p, kind, key, HIE_TEXT_EXACT);

    case HIE_COMPARE_CO:
        return hie_criterion_texts(p, kind, key, HIE_TEXT_CONTAINS);

    case HIE_COMPARE_SW:
        return hie_criterion_texts(p, kind, key, HIE_TEXT_PREFIX);

    case HIE_COMPARE_EW:
        return hie_criterion_texts(p, kind, key, HIE_TEXT_ENDS);

    default:
        return not_applicable(p);
    }
}


static hie_rc_t
words(hie_criterion_parse_t *p)
{
    if (p->compare != HIE_COMPARE_CO && p->compare != HIE_COMPARE_EQ) {
        return not_applicable(p);
    }

    escape(p, ALL);
    return with_modifier(p, NULL);
}


static hie_rc_t
token(hie_criterion_parse_t *p)
{
    expand(p, "");
    escape(p, "\\,$");
    switch (p->compare) {
    case HIE_COMPARE_EQ:
        return with_modifier(p, NULL);

    case HIE_COMPARE_SS:         /* the value subsumes: what is below it */
        return with_modifier(p, "below");

    case HIE_COMPARE_SB:
        return with_modifier(p, "above");

    case HIE_COMPARE_IN:
        return with_modifier(p, "in");

    case HIE_COMPARE_NI:
        return with_modifier(p, "not-in");

    default:
        return not_applicable(p);
    }
}


static hie_rc_t
uri(hie_criterion_parse_t *p)
{
    if (p->compare != HIE_COMPARE_EQ) {
        return texts(p, HIE_CRITERION_TERMS);
    }

    escape(p, ALL);
    return with_modifier(p, NULL);
}


/* With the prefix that the comparison is called by. */
static hie_rc_t
range(hie_criterion_parse_t *p)
{
    int       i;
    bool      overlap;
    hie_rc_t  rc;

    overlap = p->compare == HIE_COMPARE_PO;
    switch (p->compare) {
    case HIE_COMPARE_EQ:
    case HIE_COMPARE_NE:
    case HIE_COMPARE_GT:
    case HIE_COMPARE_LT:
    case HIE_COMPARE_GE:
    case HIE_COMPARE_LE:
    case HIE_COMPARE_AP:
    case HIE_COMPARE_SA:
    case HIE_COMPARE_EB:
        p->value = hie_forms_join(p->pool, hie_str(names[p->compare]), "",
                                  p->value);
        break;

    case HIE_COMPARE_PO:
        if (p->out->def->kind == HIE_SEARCH_DATE) {
            p->value = hie_forms_join(p->pool, HIE_STR("eq"), "", p->value);
            break;
        }

        /* fall through */
    default:
        return not_applicable(p);
    }

    rc = with_modifier(p, NULL);
    for (i = 0; rc == HIE_OK && overlap && i < p->out->n; i++) {
        p->out->dates[i].op = HIE_RANGE_AP;
    }

    return rc;
}


/* ne of what has an order is about one of the values, as the prefix is. */
static bool
is_unequal(const hie_criterion_parse_t *p)
{
    hie_search_kind_t  kind = p->out->def->kind;

    return p->compare == HIE_COMPARE_NE
           && (kind == HIE_SEARCH_STRING || kind == HIE_SEARCH_TOKEN
               || kind == HIE_SEARCH_URI || kind == HIE_SEARCH_REFERENCE);
}


static hie_rc_t
by_kind(hie_criterion_parse_t *p)
{
    switch (p->out->def->kind) {
    case HIE_SEARCH_STRING:
        return texts(p, HIE_CRITERION_STRINGS);

    case HIE_SEARCH_TOKEN:
        return token(p);

    case HIE_SEARCH_URI:
        return uri(p);

    case HIE_SEARCH_REFERENCE:
        escape(p, ALL);
        return p->compare == HIE_COMPARE_RE || p->compare == HIE_COMPARE_EQ
               ? with_modifier(p, NULL) : not_applicable(p);

    case HIE_SEARCH_QUANTITY:
        escape(p, "\\,");
        expand(p, "|");
        return range(p);

    case HIE_SEARCH_DATE:
    case HIE_SEARCH_NUMBER:
        escape(p, ALL);
        return range(p);

    case HIE_SEARCH_COMPOSITE:
    case HIE_SEARCH_SPECIAL:
        break;
    }

    return p->compare == HIE_COMPARE_EQ ? with_modifier(p, NULL)
                                        : not_applicable(p);
}


hie_rc_t
hie_criterion_compare(hie_criterion_parse_t *p)
{
    const char  *code = p->out->def->code;

    if (p->modifier.ptr != NULL) {
        return hie_criterion_modifier(p);
    }

    if (strcmp(code, "_text") == 0 || strcmp(code, "_content") == 0) {
        return words(p);
    }

    if (p->compare == HIE_COMPARE_PR) {
        return present(p);
    }

    return is_unequal(p) ? unequal(p) : by_kind(p);
}
