/*
 * toX() and convertsToX() (N1 section 5.5).
 */

#include "fhirpath/private.h"
#include "fhirpath/calls.h"


static bool
to_boolean(const fp_item_t *in, fp_item_t *out)
{
    static const char *const  yes[] = { "true", "t", "yes", "y", "1", "1.0" };
    static const char *const  no[] = { "false", "f", "no", "n", "0", "0.0" };
    size_t                    i;
    hie_decimal_t             one = hie_decimal_int(1);

    out->kind = HIE_FHIRPATH_BOOLEAN;
    switch (in->kind) {
    case HIE_FHIRPATH_BOOLEAN:
        out->boolean = in->boolean;
        return true;

    case HIE_FHIRPATH_INTEGER:
        out->boolean = in->integer == 1;
        return in->integer == 0 || in->integer == 1;

    case HIE_FHIRPATH_DECIMAL:
        out->boolean = hie_decimal_compare(&in->decimal, &one) == 0;
        return out->boolean || hie_decimal_is_zero(&in->decimal);

    case HIE_FHIRPATH_STRING:
        for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
            out->boolean = hie_str_ieqz(in->string, yes[i]);
            if (out->boolean || hie_str_ieqz(in->string, no[i])) {
                return true;
            }
        }

        return false;

    default:
        return false;
    }
}


/* [+-]digits, with [.digits] if `point`. */
static bool
is_numeral(hie_str_t s, bool point)
{
    size_t  i, digits = 0;

    i = s.len > 0 && (s.ptr[0] == '+' || s.ptr[0] == '-');
    for ( ; i < s.len; i++) {
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9') {
            digits++;
        } else if (s.ptr[i] == '.' && point && digits > 0) {
            point = false;
            digits = 0;
        } else {
            return false;
        }
    }

    return digits > 0;
}


static bool
to_integer(const fp_item_t *in, fp_item_t *out)
{
    hie_decimal_t  v;

    out->kind = HIE_FHIRPATH_INTEGER;
    switch (in->kind) {
    case HIE_FHIRPATH_BOOLEAN:
        out->integer = in->boolean;
        return true;

    case HIE_FHIRPATH_INTEGER:
        out->integer = in->integer;
        return true;

    case HIE_FHIRPATH_STRING:
        return is_numeral(in->string, false)
               && hie_decimal_parse(in->string, &v)
               && hie_decimal_to_int(&v, &out->integer)
               && out->integer >= FP_INTEGER_MIN
               && out->integer <= FP_INTEGER_MAX;

    default:
        return false;
    }
}


static bool
to_decimal(const fp_item_t *in, fp_item_t *out)
{
    hie_decimal_t  v;

    out->kind = HIE_FHIRPATH_DECIMAL;
    switch (in->kind) {
    case HIE_FHIRPATH_BOOLEAN:
        v = hie_decimal_int(in->boolean ? 10 : 0);
        v.exponent = -1;
        out->decimal = v;
        return true;

    case HIE_FHIRPATH_INTEGER:
        out->decimal = hie_decimal_int(in->integer);
        return true;

    case HIE_FHIRPATH_DECIMAL:
        out->decimal = in->decimal;
        return true;

    case HIE_FHIRPATH_STRING:
        if (is_numeral(in->string, true)
            && hie_decimal_parse(in->string, &v))
        {
            out->decimal = v;
            return true;
        }

        return false;

    default:
        return false;
    }
}


static bool
to_quantity(apr_pool_t *pool, const fp_item_t *in, fp_item_t *out)
{
    fp_item_t                 n;
    hie_fhirpath_quantity_t  *q;

    out->kind = HIE_FHIRPATH_QUANTITY;
    if (in->kind == HIE_FHIRPATH_QUANTITY) {
        out->quantity = in->quantity;
        return true;
    }

    q = apr_pcalloc(pool, sizeof(*q));
    out->quantity = q;
    if (in->kind == HIE_FHIRPATH_STRING) {
        return hie_fp_quantity_parse(in->string, q);
    }

    if (!to_decimal(in, &n)) {
        return false;
    }

    q->value = n.decimal;
    q->unit = HIE_STR("1");
    return true;
}


static bool
to_time(const fp_item_t *in, uint8_t kind, fp_item_t *out)
{
    fp_time_t  t;

    out->kind = kind;
    if (in->kind == HIE_FHIRPATH_STRING) {
        if (!hie_fp_time_parse(in->string, kind, &t)) {
            return false;
        }

        out->time = t;
        return true;
    }

    out->time = in->time;
    if (kind == HIE_FHIRPATH_DATE && in->kind == HIE_FHIRPATH_DATETIME) {
        out->time.hour = 0;
        out->time.minute = 0;
        out->time.second = 0;
        out->time.nano = 0;
        out->time.digits = 0;
        out->time.zone = HIE_FHIRPATH_NO_ZONE;
        if (out->time.precision > HIE_PRECISION_DAY) {
            out->time.precision = HIE_PRECISION_DAY;
        }

        return true;
    }

    return in->kind == kind
           || (kind == HIE_FHIRPATH_DATETIME
               && in->kind == HIE_FHIRPATH_DATE);
}


static bool
convert(apr_pool_t *pool, const fp_item_t *in, uint8_t kind, fp_item_t *out)
{
    memset(out, 0, sizeof(*out));
    switch (kind) {
    case HIE_FHIRPATH_BOOLEAN:
        return to_boolean(in, out);
    case HIE_FHIRPATH_INTEGER:
        return to_integer(in, out);
    case HIE_FHIRPATH_DECIMAL:
        return to_decimal(in, out);
    case HIE_FHIRPATH_QUANTITY:
        return to_quantity(pool, in, out);
    case HIE_FHIRPATH_STRING:
        out->kind = HIE_FHIRPATH_STRING;
        return in->kind != HIE_FHIRPATH_TYPE;
    default:
        return to_time(in, kind, out);
    }
}


/* toQuantity(unit): in that unit, if it can be. */
static hie_rc_t
in_unit(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
        fp_item_t *v, bool *done)
{
    hie_rc_t                  rc;
    fp_item_t                 unit;
    hie_fhirpath_quantity_t  *q;

    if (n->args == NULL || !*done) {
        return HIE_OK;
    }

    rc = hie_fp_argument(run, n->args, scope, HIE_FHIRPATH_STRING, &unit,
                         done);
    if (rc == HIE_OK && *done) {
        q = apr_pcalloc(run->pool, sizeof(*q));
        *done = hie_fp_quantity_convert(v->quantity, unit.string, q);
        v->quantity = q;
    }

    return rc;
}


/* `*there` false: no input. `*done` false: it cannot be converted. */
static hie_rc_t
converted(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
          uint32_t base, uint8_t kind, fp_item_t *out, bool *there,
          bool *done)
{
    hie_str_t  text;
    fp_item_t  in, v;

    *done = false;
    *there = run->top > base;
    if (!*there) {
        return HIE_OK;
    }

    if (run->top - base > 1) {
        return hie_fp_fail(run, n, HIE_INVALID, "expected one item before "
                           "%s(), found %u", n->function->name,
                           run->top - base);
    }

    in = run->items[base];
    run->top = base;
    if (!hie_fp_value(run, &in, &v)) {
        *there = hie_fp_has_value(&in)
                 || hie_types[in.type].kind != HIE_KIND_PRIMITIVE;
        return HIE_OK;
    }

    *done = convert(run->pool, &v, kind, out);
    if (kind == HIE_FHIRPATH_STRING && *done) {
        text = hie_fhirpath_text(&in, run->pool);
        out->string = text;
    }

    return kind == HIE_FHIRPATH_QUANTITY ? in_unit(run, n, scope, out, done)
                                         : HIE_OK;
}


static hie_rc_t
to(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope, uint32_t base,
   uint8_t kind)
{
    bool       there, done;
    hie_rc_t   rc;
    fp_item_t  v;

    rc = converted(run, n, scope, base, kind, &v, &there, &done);
    if (rc == HIE_OK && done) {
        *fp_push(run) = v;
    }

    return rc;
}


static hie_rc_t
converts(fp_run_t *run, const fp_node_t *n, const fp_scope_t *scope,
         uint32_t base, uint8_t kind)
{
    bool       there, done;
    hie_rc_t   rc;
    fp_item_t  v;

    rc = converted(run, n, scope, base, kind, &v, &there, &done);
    if (rc == HIE_OK && there) {
        hie_fp_set_boolean(run, base, done);
    }

    return rc;
}


#define CONVERSION(type, kind)                                                \
    hie_rc_t                                                                  \
    hie_fp_call_to##type(fp_run_t *run, const fp_node_t *n,                   \
                         const fp_scope_t *scope, uint32_t base)              \
    {                                                                         \
        return to(run, n, scope, base, kind);                                 \
    }                                                                         \
                                                                              \
    hie_rc_t                                                                  \
    hie_fp_call_convertsTo##type(fp_run_t *run, const fp_node_t *n,           \
                                 const fp_scope_t *scope, uint32_t base)      \
    {                                                                         \
        return converts(run, n, scope, base, kind);                           \
    }

CONVERSION(Boolean, HIE_FHIRPATH_BOOLEAN)
CONVERSION(Integer, HIE_FHIRPATH_INTEGER)
CONVERSION(Decimal, HIE_FHIRPATH_DECIMAL)
CONVERSION(String, HIE_FHIRPATH_STRING)
CONVERSION(Date, HIE_FHIRPATH_DATE)
CONVERSION(DateTime, HIE_FHIRPATH_DATETIME)
CONVERSION(Time, HIE_FHIRPATH_TIME)
CONVERSION(Quantity, HIE_FHIRPATH_QUANTITY)
