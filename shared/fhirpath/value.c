/*
 * Nodes as values of System (R4 section 2.9.3.1), values as text.
 */

#include "fhirpath/private.h"

const char *const  hie_fp_kind_names[] = {
    [HIE_FHIRPATH_NODE]     = "FHIR",
    [HIE_FHIRPATH_BOOLEAN]  = "System.Boolean",
    [HIE_FHIRPATH_INTEGER]  = "System.Integer",
    [HIE_FHIRPATH_DECIMAL]  = "System.Decimal",
    [HIE_FHIRPATH_STRING]   = "System.String",
    [HIE_FHIRPATH_DATE]     = "System.Date",
    [HIE_FHIRPATH_DATETIME] = "System.DateTime",
    [HIE_FHIRPATH_TIME]     = "System.Time",
    [HIE_FHIRPATH_QUANTITY] = "System.Quantity",
    [HIE_FHIRPATH_TYPE]     = "System.TypeInfo"
};


const char *
hie_fhirpath_type_name(const hie_fhirpath_item_t *item)
{
    if (item->kind == HIE_FHIRPATH_NODE) {
        return item->type != 0 ? hie_types[item->type].name : "";
    }

    return hie_fp_kind_names[item->kind];
}


static uint8_t
kind_of_type(hie_type_t type)
{
    switch (type) {
    case HIE_TYPE_boolean:
        return HIE_FHIRPATH_BOOLEAN;
    case HIE_TYPE_integer: case HIE_TYPE_unsignedInt:
    case HIE_TYPE_positiveInt:
        return HIE_FHIRPATH_INTEGER;
    case HIE_TYPE_decimal:
        return HIE_FHIRPATH_DECIMAL;
    case HIE_TYPE_date:
        return HIE_FHIRPATH_DATE;
    case HIE_TYPE_dateTime: case HIE_TYPE_instant:
        return HIE_FHIRPATH_DATETIME;
    case HIE_TYPE_time:
        return HIE_FHIRPATH_TIME;
    default:
        return hie_types[type].kind == HIE_KIND_PRIMITIVE
               ? HIE_FHIRPATH_STRING : 0;
    }
}


/* A Quantity of UCUM, or without unit; one with a comparator is no value. */
static bool
quantity_value(const fp_item_t *item, apr_pool_t *pool, fp_item_t *out)
{
    hie_str_t                 system, code;
    hie_decimal_t             value;
    const hie_doc_t          *d = item->doc;
    hie_fhirpath_quantity_t  *q;

    if (hie_doc_member(d, item->node, "comparator") != HIE_NODE_NONE
        || hie_doc_kind(d, hie_doc_member(d, item->node, "value"))
           != HIE_NODE_NUMBER
        || !hie_decimal_parse(hie_doc_raw(d, hie_doc_member(d, item->node,
                                                            "value")), &value))
    {
        return false;
    }

    system = hie_doc_get(d, item->node, "system", pool);
    code = hie_doc_get(d, item->node, "code", pool);
    if (code.ptr == NULL
        && hie_doc_member(d, item->node, "unit") == HIE_NODE_NONE)
    {
        code = HIE_STR("1");

    } else if (code.ptr == NULL
               || !hie_str_eqz(system, "http://unitsofmeasure.org"))
    {
        return false;
    }

    q = apr_pcalloc(pool, sizeof(*q));
    q->value = value;
    q->unit = code;
    out->kind = HIE_FHIRPATH_QUANTITY;
    out->quantity = q;
    return true;
}


static bool
number_value(const fp_item_t *item, uint8_t kind, fp_item_t *out)
{
    hie_decimal_t  value;

    if (hie_doc_kind(item->doc, item->node) != HIE_NODE_NUMBER
        || !hie_decimal_parse(hie_doc_raw(item->doc, item->node), &value))
    {
        return false;
    }

    if (kind == HIE_FHIRPATH_INTEGER) {
        return hie_decimal_to_int(&value, &out->integer);
    }

    out->decimal = value;
    return true;
}


bool
hie_fhirpath_value(const hie_fhirpath_item_t *item, apr_pool_t *pool,
                   hie_fhirpath_item_t *out)
{
    uint8_t          kind;
    hie_str_t        text;
    fp_item_t        in = *item;
    hie_node_kind_t  json;

    if (in.kind != HIE_FHIRPATH_NODE) {
        *out = in;
        return true;
    }

    if (hie_type_is(in.type, HIE_TYPE_Quantity)) {
        return quantity_value(&in, pool, out);
    }

    kind = kind_of_type(in.type);
    json = hie_doc_kind(in.doc, in.node);
    memset(out, 0, sizeof(*out));
    out->kind = kind;

    switch (kind) {
    case 0:
        return false;

    case HIE_FHIRPATH_BOOLEAN:
        out->boolean = json == HIE_NODE_TRUE;
        return json == HIE_NODE_TRUE || json == HIE_NODE_FALSE;

    case HIE_FHIRPATH_INTEGER:
    case HIE_FHIRPATH_DECIMAL:
        return number_value(&in, kind, out);

    default:
        text = hie_doc_string(in.doc, in.node, pool);
        if (kind == HIE_FHIRPATH_STRING) {
            out->string = text;
            return text.ptr != NULL;
        }

        return text.ptr != NULL && hie_fp_time_parse(text, kind, &out->time);
    }
}


bool
hie_fp_value(fp_run_t *run, const fp_item_t *item, fp_item_t *out)
{
    size_t           len = 0;
    hie_node_kind_t  kind;

    if (item->kind == HIE_FHIRPATH_STRING) {
        len = item->string.len;

    } else if (item->kind == HIE_FHIRPATH_NODE) {
        kind = hie_doc_kind(item->doc, item->node);
        if (kind == HIE_NODE_STRING || kind == HIE_NODE_NUMBER) {
            len = hie_doc_raw(item->doc, item->node).len;
        }
    }

    fp_charge(run, len / FP_STEP_BYTES);
    return hie_fhirpath_value(item, run->pool, out);
}


hie_node_t
hie_fp_lookup(fp_run_t *run, const hie_doc_t *d, hie_node_t object,
              hie_str_t name)
{
    uint32_t    seen = 0;
    hie_node_t  n;

    n = hie_doc_member_seen(d, object, name, &seen);
    fp_charge(run, seen / 16);
    return n;
}


bool
hie_fp_has_value(const fp_item_t *item)
{
    hie_node_kind_t  kind;

    if (item->kind != HIE_FHIRPATH_NODE) {
        return true;
    }

    kind = hie_doc_kind(item->doc, item->node);
    return hie_types[item->type].kind == HIE_KIND_PRIMITIVE
           && (kind == HIE_NODE_STRING || kind == HIE_NODE_NUMBER
               || kind == HIE_NODE_TRUE || kind == HIE_NODE_FALSE);
}


static void
add_decimal(hie_buf_t *b, const hie_decimal_t *v)
{
    char  text[HIE_DECIMAL_TEXT_MAX];

    hie_buf_add(b, text, hie_decimal_print(v, text));
}


static void
add_quantity(hie_buf_t *b, const hie_fhirpath_quantity_t *q)
{
    add_decimal(b, &q->value);
    if (q->calendar) {
        hie_buf_addf(b, " %.*s", HIE_PRISTR(q->unit));
        if (hie_decimal_compare(&q->value, &(hie_decimal_t) { .low = 1 })
            != 0)
        {
            hie_buf_addc(b, 's');
        }

    } else {
        hie_buf_addf(b, " '%.*s'", HIE_PRISTR(q->unit));
    }
}


hie_str_t
hie_fhirpath_text(const hie_fhirpath_item_t *item, apr_pool_t *pool)
{
    fp_item_t  value;
    hie_buf_t  b;

    if (item->kind == HIE_FHIRPATH_TYPE) {
        return hie_str(item->type != 0 ? hie_types[item->type].name
                                       : hie_fp_kind_names[item->kind_of]);
    }

    /* a number keeps its lexeme, a time too */
    if (item->kind == HIE_FHIRPATH_NODE) {
        if (hie_doc_kind(item->doc, item->node) == HIE_NODE_STRING) {
            return hie_doc_string(item->doc, item->node, pool);
        }

        if (!hie_type_is(item->type, HIE_TYPE_Quantity)
            || !hie_fhirpath_value(item, pool, &value))
        {
            return hie_doc_raw(item->doc, item->node);
        }

    } else {
        value = *item;
    }

    if (value.kind == HIE_FHIRPATH_STRING) {
        return value.string;
    }

    if (value.kind == HIE_FHIRPATH_BOOLEAN) {
        return value.boolean ? HIE_STR("true") : HIE_STR("false");
    }

    hie_buf_init(&b, pool, 48);
    switch (value.kind) {
    case HIE_FHIRPATH_INTEGER:
        hie_buf_addf(&b, "%lld", (long long) value.integer);
        break;

    case HIE_FHIRPATH_DECIMAL:
        add_decimal(&b, &value.decimal);
        break;

    case HIE_FHIRPATH_QUANTITY:
        add_quantity(&b, value.quantity);
        break;

    default:
        hie_fp_time_print(&b, value.kind, &value.time);
        break;
    }

    return hie_buf_str(&b);
}


/*
 * Single values of the stack.
 */
void
hie_fp_set_boolean(fp_run_t *run, uint32_t base, bool v)
{
    fp_item_t  *item;

    run->top = base;
    item = fp_push(run);
    memset(item, 0, sizeof(*item));
    item->kind = HIE_FHIRPATH_BOOLEAN;
    item->boolean = v;
}


void
hie_fp_set_truth(fp_run_t *run, uint32_t base, fp_truth_t v)
{
    run->top = base;
    if (v != FP_EMPTY) {
        hie_fp_set_boolean(run, base, v == FP_TRUE);
    }
}


static fp_item_t *
set(fp_run_t *run, uint32_t base, hie_fhirpath_kind_t kind)
{
    hie_fp_set_boolean(run, base, false);
    run->items[base].kind = kind;
    return &run->items[base];
}


/* Beyond 32 bits there is no Integer: the result is empty (N1 section 6.6). */
void
hie_fp_set_integer(fp_run_t *run, uint32_t base, int64_t v)
{
    run->top = base;
    if (v >= FP_INTEGER_MIN && v <= FP_INTEGER_MAX) {
        set(run, base, HIE_FHIRPATH_INTEGER)->integer = v;
    }
}


void
hie_fp_set_string(fp_run_t *run, uint32_t base, hie_str_t v)
{
    set(run, base, HIE_FHIRPATH_STRING)->string = v;
}


void
hie_fp_set_decimal(fp_run_t *run, uint32_t base, const hie_decimal_t *v)
{
    hie_decimal_t  copy = *v;

    set(run, base, HIE_FHIRPATH_DECIMAL)->decimal = copy;
}


void
hie_fp_set_time(fp_run_t *run, uint32_t base, uint8_t kind,
                const fp_time_t *v)
{
    fp_time_t  copy = *v;

    set(run, base, kind)->time = copy;
}


void
hie_fp_set_quantity(fp_run_t *run, uint32_t base, const hie_decimal_t *value,
                    hie_str_t unit, bool calendar)
{
    hie_fhirpath_quantity_t  *q = apr_pcalloc(run->pool, sizeof(*q));

    q->value = *value;
    q->unit = unit;
    q->calendar = calendar;
    set(run, base, HIE_FHIRPATH_QUANTITY)->quantity = q;
}


hie_rc_t
hie_fp_single(fp_run_t *run, const fp_node_t *node, uint32_t base,
              fp_item_t *out, bool *there)
{
    *there = false;
    if (run->top == base) {
        return HIE_OK;
    }

    if (run->top - base > 1) {
        return hie_fp_fail(run, node, HIE_INVALID, "expected one item, found "
                           "%u", run->top - base);
    }

    if (hie_fp_value(run, &run->items[base], out)) {
        *there = true;
        return HIE_OK;
    }

    if (hie_types[run->items[base].type].kind == HIE_KIND_PRIMITIVE
        || hie_type_is(run->items[base].type, HIE_TYPE_Quantity))
    {
        return HIE_OK;
    }

    return hie_fp_fail(run, node, HIE_INVALID, "expected a value, found a %s",
                       hie_fhirpath_type_name(&run->items[base]));
}


hie_rc_t
hie_fp_single_kind(fp_run_t *run, const fp_node_t *node, uint32_t base,
                   hie_fhirpath_kind_t kind, fp_item_t *out, bool *there)
{
    hie_rc_t  rc;

    rc = hie_fp_single(run, node, base, out, there);
    if (rc != HIE_OK || !*there || out->kind == kind) {
        return rc;
    }

    if (kind == HIE_FHIRPATH_DECIMAL && out->kind == HIE_FHIRPATH_INTEGER) {
        out->decimal = hie_decimal_int(out->integer);
        out->kind = kind;
        return HIE_OK;
    }

    *there = false;
    return hie_fp_fail(run, node, HIE_INVALID, "expected a %s, found a %s",
                       hie_fp_kind_names[kind], hie_fp_kind_names[out->kind]);
}


hie_rc_t
hie_fp_argument(fp_run_t *run, const fp_node_t *arg, const fp_scope_t *scope,
                hie_fhirpath_kind_t kind, fp_item_t *out, bool *there)
{
    uint32_t  base = run->top;
    hie_rc_t  rc;

    *there = false;
    rc = hie_fp_eval(run, arg, scope);
    if (rc == HIE_OK) {
        rc = hie_fp_single_kind(run, arg, base, kind, out, there);
    }

    run->top = base;
    return rc;
}
