/*
 * Values of elements as index values, by the kind of the parameter that leads
 * to them (R4 sections 3.1.1.4.5 to 3.1.1.4.13).
 */

#include "search/private.h"

#include <string.h>

#include "ucum/ucum.h"


static hie_str_t
get(hie_indexer_t *ix, const hie_fhirpath_item_t *item, const char *name)
{
    return hie_doc_get(item->doc, item->node, name, ix->pool);
}


static void
add_key(hie_indexer_t *ix, uint64_t key)
{
    *(uint64_t *) apr_array_push(ix->tokens) = key;
}


static void
add_token(hie_indexer_t *ix, hie_str_t form)
{
    add_key(ix, hie_search_form_key(ix->param->key, ix->form, form));
}


static uint64_t
add_joined(hie_indexer_t *ix, hie_str_t a, const char *between, hie_str_t b)
{
    uint64_t  key;

    key = hie_forms_key(ix->pool, ix->param->key, ix->form, a, between, b);
    add_key(ix, key);
    return key;
}


void
hie_search_present(hie_indexer_t *ix)
{
    APR_ARRAY_PUSH(ix->present, uint32_t) = ix->param->key;
}


static void
add_string(hie_indexer_t *ix, hie_str_t value)
{
    hie_search_string_t  *s;

    if (value.len > 0) {
        s = apr_array_push(ix->strings);
        s->slot = ix->slot;
        s->scope = ix->scope;
        s->value = hie_search_limit(value);
    }
}


/* What the token says. The values of a composite are found by their tokens
 * alone. */
static void
add_term(hie_indexer_t *ix, uint64_t key, uint32_t param, hie_str_t value)
{
    hie_search_term_t  *t;

    if (ix->form == 0 && value.len > 0) {
        t = apr_array_push(ix->terms);
        t->key = key;
        t->param = param;
        t->value = hie_search_limit(value);
    }
}


/* Words are found under a parameter of their own, "Type.code:text". */
static void
take_words(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    int                i;
    uint64_t           key;
    const hie_said_t  *said;

    if (ix->form != 0) {
        return;
    }

    said = hie_forms_words(ix, item);
    for (i = 0; i < said->n_words; i++) {
        key = hie_search_key(ix->param->text_key, said->words[i]);
        add_key(ix, key);
        add_term(ix, key, ix->param->text_key, said->words[i]);
    }
}


/* The forms of hie_forms_code. */
static void
take_code(hie_indexer_t *ix, const hie_code_t *c)
{
    uint64_t  key;

    if (c->code.len > 0) {
        if (!ix->param->bare) {
            add_token(ix, c->code);
        }

        key = add_joined(ix, c->system, "|", c->code);
        add_term(ix, key, ix->param->key, c->code);
    }

    if (c->system.len > 0) {
        add_joined(ix, c->system, "|", HIE_STR_NONE);
    }
}


static void
take_token(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    int                i;
    const hie_said_t  *said;

    said = hie_forms_codes(ix, item);
    for (i = 0; i < said->n_codes; i++) {
        take_code(ix, &said->codes[i]);
    }

    hie_forms_typed(ix, item, add_token);
    take_words(ix, item);
}


/*
 * References.
 */

/* A resource that is carried inside has the token only: what we have of this
 * name is another copy, if any. */
static void
add_carried(hie_indexer_t *ix, hie_str_t type, hie_str_t id)
{
    add_key(ix, hie_search_reference_key(ix->param->key,
                                         hie_search_resource_key(type, id)));
}


/* Of a parameter that finds a part of what another one does, that one's
 * say it. */
static void
add_reference(hie_indexer_t *ix, uint64_t target, bool referring)
{
    hie_search_reference_t  *r;

    if (ix->param->ref_key != ix->param->key) {
        return;
    }

    r = apr_array_push(ix->references);
    r->param = ix->param->key;
    r->referring = referring;
    r->target = target;
    add_key(ix, hie_search_reference_key(r->param, target));
}


static void
add_target(hie_indexer_t *ix, hie_str_t type, hie_str_t id)
{
    add_reference(ix, hie_search_resource_key(type, id),
                  ix->param->r4
                  && hie_search_leads_to(ix->param,
                                         hie_type_find_resource(type)));
}


/* "#id", of a Reference or a canonical: what stands in the same resource. */
static void
add_inside(hie_indexer_t *ix, hie_str_t text)
{
    uint64_t  key;

    if (text.len > 0 && text.ptr[0] == '#'
        && hie_inside_lead(ix->inside, text, &key))
    {
        add_reference(ix, key, false);
    }
}


/* Values lead to a canonical's resource by its url, in whatever version. */
static void
add_canonical(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    hie_str_t  url, version;

    url = hie_str_split(hie_fhirpath_text(item, ix->pool), '|', &version);
    add_term(ix, hie_search_key(ix->param->key, url), ix->param->key, url);
}


static void
take_reference(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    hie_target_fn  *target;

    if (ix->form != 0) {
        hie_forms_reference(ix, item, add_token, NULL);
        return;
    }

    target = item->type == HIE_TYPE_Reference ? add_target : add_carried;
    hie_forms_reference(ix, item, add_token, target);
    take_words(ix, item);
    if (hie_forms_canonical(item)) {
        add_canonical(ix, item);
        add_inside(ix, hie_fhirpath_text(item, ix->pool));
    } else if (item->kind == HIE_FHIRPATH_NODE
               && item->type == HIE_TYPE_Reference)
    {
        add_inside(ix, get(ix, item, "reference"));
    }
}


/*
 * Strings and URIs.
 */

static void
take_text(hie_indexer_t *ix, hie_str_t text)
{
    if (text.len > 0) {
        add_string(ix, hie_fhir_normalize(ix->pool, text));
        add_joined(ix, HIE_STR("exact:"), "", text);
    }
}


/* R4 section 3.1.1.4.9: any of the string parts of a HumanName or Address; of
 * another complex type, those that are in it. Words like a period's dates or
 * the codes of use are none. */
static bool
is_part(hie_str_t name)
{
    static const char *const  not[] = { "use", "system", "type", "id",
                                        "period", "extension", "rank" };
    size_t                    i;

    for (i = 0; i < sizeof(not) / sizeof(not[0]); i++) {
        if (hie_str_eqz(name, not[i])) {
            return false;
        }
    }

    return name.len > 0 && name.ptr[0] != '_';
}


static void
take_parts(hie_indexer_t *ix, const hie_doc_t *d, hie_node_t n)
{
    hie_node_t  c, e;

    for (c = hie_doc_first(d, n); c != HIE_NODE_NONE; c = hie_doc_next(d, c)) {
        if (!is_part(hie_doc_name(d, c, ix->pool))) {
            continue;
        }

        if (hie_doc_kind(d, c) == HIE_NODE_STRING) {
            take_text(ix, hie_doc_string(d, c, ix->pool));
        }

        for (e = hie_doc_first(d, c);
             hie_doc_kind(d, c) == HIE_NODE_ARRAY && e != HIE_NODE_NONE;
             e = hie_doc_next(d, e))
        {
            take_text(ix, hie_doc_string(d, e, ix->pool));
        }
    }
}


static void
take_string(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    if (item->kind != HIE_FHIRPATH_NODE
        || hie_types[item->type].kind == HIE_KIND_PRIMITIVE)
    {
        take_text(ix, hie_fhirpath_text(item, ix->pool));
    } else {
        take_parts(ix, item->doc, item->node);
    }
}


/* R4 section 3.1.1.4.13: behind '|' the url of a resource has its business
 * version. */
static void
add_version(hie_indexer_t *ix, hie_str_t url)
{
    hie_str_t  version;

    version = hie_doc_get(ix->d, 0, "version", ix->pool);
    if (version.len > 0) {
        add_joined(ix, url, "|", version);
    }
}


/* As it is: R4 section 3.1.1.4.13, "precise, case, accent, and escape
 * sensitive"; a canonical without its version too. The term serves :below and
 * :above. */
static void
take_uri(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    hie_str_t  text, version;

    text = hie_fhirpath_text(item, ix->pool);
    if (text.len == 0) {
        return;
    }

    add_token(ix, text);
    if (strcmp(ix->param->code, "url") == 0) {
        add_version(ix, text);
    }

    if (item->type == HIE_TYPE_canonical) {
        text = hie_str_split(text, '|', &version);
        add_token(ix, text);
    }

    add_term(ix, hie_search_key(ix->param->key, text), ix->param->key, text);
}


/*
 * Dates.
 */

static void
add_date(hie_indexer_t *ix, int64_t low, int64_t high)
{
    hie_search_date_t  *x;

    if (low < high) {
        x = apr_array_push(ix->dates);
        x->slot = ix->slot;
        x->scope = ix->scope;
        x->low = low;
        x->high = high;
    }
}


/* The ends of a Period; one that is not there is open. */
static bool
period(hie_indexer_t *ix, const hie_doc_t *d, hie_node_t n, int64_t *low,
       int64_t *high)
{
    bool       any;
    int64_t    ignored;
    hie_str_t  start, end;

    *low = INT64_MIN;
    *high = INT64_MAX;
    start = hie_doc_get(d, n, "start", ix->pool);
    end = hie_doc_get(d, n, "end", ix->pool);

    any = hie_search_date(start, low, &ignored);
    return hie_search_date(end, &ignored, high) || any;
}


/* R4 section 3.1.1.4.6: only the outer limits of a Timing count. */
static bool
timing(hie_indexer_t *ix, const hie_doc_t *d, hie_node_t n, int64_t *low,
       int64_t *high)
{
    bool        any;
    int64_t     a, b;
    hie_node_t  c, bounds;

    any = false;
    *low = INT64_MAX;
    *high = INT64_MIN;
    for (c = hie_doc_first(d, hie_doc_member(d, n, "event"));
         c != HIE_NODE_NONE;
         c = hie_doc_next(d, c))
    {
        if (hie_search_date(hie_doc_string(d, c, ix->pool), &a, &b)) {
            *low = a < *low ? a : *low;
            *high = b > *high ? b : *high;
            any = true;
        }
    }

    bounds = hie_doc_member(d, hie_doc_member(d, n, "repeat"),
                            "boundsPeriod");
    if (period(ix, d, bounds, &a, &b)) {
        *low = a < *low ? a : *low;
        *high = b > *high ? b : *high;
        any = true;
    }

    return any;
}


static void
take_date(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    bool     any;
    int64_t  low, high;

    if (item->kind == HIE_FHIRPATH_NODE && item->type == HIE_TYPE_Period) {
        any = period(ix, item->doc, item->node, &low, &high);

    } else if (item->kind == HIE_FHIRPATH_NODE
               && item->type == HIE_TYPE_Timing)
    {
        any = timing(ix, item->doc, item->node, &low, &high);

    } else {
        any = hie_search_date(hie_fhirpath_text(item, ix->pool), &low, &high);
    }

    if (any) {
        add_date(ix, low, high);
    }
}


/*
 * Numbers and quantities.
 */

static hie_search_number_t *
add_number(hie_indexer_t *ix, uint64_t code, const hie_decimal_t *low,
           const hie_decimal_t *high, uint8_t open)
{
    hie_search_number_t  *x;

    x = apr_array_push(ix->numbers);
    memset(x, 0, sizeof(*x));
    x->slot = ix->slot;
    x->scope = ix->scope;
    x->code = code;
    x->low = *low;
    x->high = *high;
    x->open = open;
    return x;
}


static bool
number(const hie_doc_t *d, hie_node_t n, hie_decimal_t *out)
{
    return hie_doc_kind(d, n) == HIE_NODE_NUMBER
           && hie_decimal_parse(hie_doc_raw(d, n), out);
}


/* A quantity with a comparator says where its value begins or ends. */
static uint8_t
open_side(hie_str_t comparator)
{
    if (hie_str_starts(comparator, "<")) {
        return HIE_SEARCH_OPEN_LOW;
    }

    return hie_str_starts(comparator, ">") ? HIE_SEARCH_OPEN_HIGH : 0;
}


/* Most parameters with quantities find the same one: then the first of them
 * has been worth the conversion. */
#define BEFORE  8

static bool
copy_canonical(hie_indexer_t *ix, hie_search_number_t *x)
{
    int                         i, n = ix->numbers->nelts - 1;
    const hie_search_number_t  *y;

    for (i = n - 1; i >= 0 && i >= n - BEFORE; i--) {
        y = &APR_ARRAY_IDX(ix->numbers, i, hie_search_number_t);
        if (y->unit != 0 && y->code == x->code && y->system == x->system
            && hie_decimal_compare(&y->low, &x->low) == 0)
        {
            x->unit = y->unit;
            x->unit_low = y->unit_low;
            x->unit_high = y->unit_low;
            return true;
        }
    }

    return false;
}


static void
set_canonical(hie_indexer_t *ix, hie_search_number_t *x, hie_str_t code)
{
    hie_str_t      unit;
    hie_decimal_t  value;

    if (copy_canonical(ix, x)) {
        return;
    }

    if (hie_ucum_canonicalize(&x->low, code, ix->pool, &value, &unit, NULL)
        == HIE_OK)
    {
        x->unit = hie_search_text_key(unit);
        x->unit_low = value;
        x->unit_high = value;
    }
}


/* A search names the unit by its code, or by the word that people read; where
 * these differ each has a row (R4 section 3.1.1.4.8). */
static void
add_quantity(hie_indexer_t *ix, const hie_decimal_t *value, uint8_t open,
             hie_str_t system, hie_str_t code, hie_str_t word)
{
    hie_search_number_t  *x;

    if (code.len == 0) {
        code = word;
    }

    x = add_number(ix, code.len > 0 ? hie_search_text_key(code) : 0, value,
                   value, open);
    x->system = system.len > 0 ? hie_search_text_key(system) : 0;
    if (hie_str_eqz(system, HIE_UCUM_SYSTEM)) {
        set_canonical(ix, x, code);
    }

    if (word.len > 0 && !hie_str_eq(word, code)) {
        add_number(ix, hie_search_text_key(word), value, value, open);
    }
}


static void
quantity_at(hie_indexer_t *ix, const hie_doc_t *d, hie_node_t n, uint8_t open)
{
    hie_decimal_t  value;

    if (number(d, hie_doc_member(d, n, "value"), &value)) {
        open |= open_side(hie_doc_get(d, n, "comparator", ix->pool));
        add_quantity(ix, &value, open, hie_doc_get(d, n, "system", ix->pool),
                     hie_doc_get(d, n, "code", ix->pool),
                     hie_doc_get(d, n, "unit", ix->pool));
    }
}


/* The rows of both ends of a Range become one: they come in the same order
 * when both are in the same unit, as the Range's invariant rng-2 wants. */
static void
take_range(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    int                  i, first, middle, end;
    hie_node_t           low, high;
    hie_search_number_t  *x;

    low = hie_doc_member(item->doc, item->node, "low");
    high = hie_doc_member(item->doc, item->node, "high");

    first = ix->numbers->nelts;
    quantity_at(ix, item->doc, low,
                high == HIE_NODE_NONE ? HIE_SEARCH_OPEN_HIGH : 0);
    middle = ix->numbers->nelts;
    quantity_at(ix, item->doc, high,
                low == HIE_NODE_NONE ? HIE_SEARCH_OPEN_LOW : 0);
    end = ix->numbers->nelts;

    x = (hie_search_number_t *) ix->numbers->elts;
    if (end - middle != middle - first) {
        return;                  /* one end, or two that do not compare */
    }

    for (i = 0; i < middle - first; i++) {
        x[first + i].high = x[middle + i].high;
        x[first + i].unit_high = x[middle + i].unit_high;
    }

    ix->numbers->nelts = middle;
}


static void
take_money(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    hie_decimal_t  value;

    if (number(item->doc, hie_doc_member(item->doc, item->node, "value"),
               &value))
    {
        add_quantity(ix, &value, 0, HIE_STR("urn:iso:std:iso:4217"),
                     get(ix, item, "currency"), HIE_STR_NONE);
    }
}


static void
take_quantity(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    if (item->kind != HIE_FHIRPATH_NODE) {
        return;
    }

    switch (item->type) {
    case HIE_TYPE_Range:
        take_range(ix, item);
        return;

    case HIE_TYPE_Money:
        take_money(ix, item);
        return;

    default:
        if (hie_type_is(item->type, HIE_TYPE_Quantity)) {
            quantity_at(ix, item->doc, item->node, 0);
        }

        return;                  /* SampledData has no single value */
    }
}


static void
take_number(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    hie_decimal_t  value;

    if (item->kind == HIE_FHIRPATH_NODE
        && hie_types[item->type].kind != HIE_KIND_PRIMITIVE)
    {
        take_quantity(ix, item);
        return;
    }

    if (hie_decimal_parse(hie_fhirpath_text(item, ix->pool), &value)) {
        add_number(ix, 0, &value, &value, 0);
    }
}


void
hie_search_window(hie_indexer_t *ix, const hie_fhirpath_item_t *low,
                 const hie_fhirpath_item_t *high)
{
    hie_decimal_t  a, b;

    if (hie_decimal_parse(hie_fhirpath_text(low, ix->pool), &a)
        && hie_decimal_parse(hie_fhirpath_text(high, ix->pool), &b))
    {
        add_number(ix, 0, &a, &b, 0);
    }
}


/* Location.position (R4 section 8.6.4, near): degrees as two numbers. */
static void
take_position(hie_indexer_t *ix, const hie_fhirpath_item_t *item)
{
    hie_decimal_t  latitude, longitude;

    if (item->kind == HIE_FHIRPATH_NODE
        && number(item->doc, hie_doc_member(item->doc, item->node,
                                            "latitude"), &latitude)
        && number(item->doc, hie_doc_member(item->doc, item->node,
                                            "longitude"), &longitude))
    {
        add_number(ix, HIE_SEARCH_LATITUDE, &latitude, &latitude, 0);
        add_number(ix, HIE_SEARCH_LONGITUDE, &longitude, &longitude, 0);
    }
}


void
hie_search_take(hie_indexer_t *ix, hie_search_kind_t kind,
               const hie_fhirpath_item_t *item)
{
    switch (kind) {
    case HIE_SEARCH_TOKEN:
        take_token(ix, item);
        return;

    case HIE_SEARCH_REFERENCE:
        take_reference(ix, item);
        return;

    case HIE_SEARCH_STRING:
        take_string(ix, item);
        return;

    case HIE_SEARCH_URI:
        take_uri(ix, item);
        return;

    case HIE_SEARCH_DATE:
        take_date(ix, item);
        return;

    case HIE_SEARCH_NUMBER:
        take_number(ix, item);
        return;

    case HIE_SEARCH_QUANTITY:
        take_quantity(ix, item);
        return;

    case HIE_SEARCH_SPECIAL:
        take_position(ix, item);
        return;

    case HIE_SEARCH_COMPOSITE:
        return;                  /* by its parts */
    }
}
