/*
 * What operations write.
 */

#include "terminology/private.h"


void
hie_out_key(hie_buf_t *b, const char *name)
{
    char  last = b->len > 0 ? b->ptr[b->len - 1] : '{';

    if (last != '{' && last != '[') {
        hie_buf_addc(b, ',');
    }

    if (name != NULL) {
        hie_buf_add_json(b, hie_str(name));
        hie_buf_addc(b, ':');
    }
}


void
hie_out_text(hie_buf_t *b, const char *name, hie_str_t value)
{
    if (value.len > 0) {
        hie_out_key(b, name);
        hie_buf_add_json(b, value);
    }
}


void
hie_out_raw(hie_buf_t *b, const char *name, hie_str_t json)
{
    if (json.len > 0) {
        hie_out_key(b, name);
        hie_buf_adds(b, json);
    }
}


void
hie_out_bool(hie_buf_t *b, const char *name, bool value)
{
    hie_out_raw(b, name, value ? HIE_STR("true") : HIE_STR("false"));
}


void
hie_out_parameter(hie_buf_t *b, const char *name, const char *type,
                  hie_str_t value)
{
    if (value.len == 0) {
        return;
    }

    hie_out_key(b, NULL);
    hie_buf_addz(b, "{\"name\":");
    hie_buf_add_json(b, hie_str(name));
    hie_buf_addf(b, ",\"value%s\":", type);

    if (hie_str_eqz(hie_str(type), "Boolean")
        || hie_str_eqz(hie_str(type), "Integer")
        || hie_str_eqz(hie_str(type), "Decimal"))
    {
        hie_buf_adds(b, value);
    } else {
        hie_buf_add_json(b, value);
    }

    hie_buf_addc(b, '}');
}


void
hie_out_coding(hie_buf_t *b, const char *name, hie_str_t system,
               hie_str_t version, hie_str_t code, hie_str_t display)
{
    hie_out_key(b, name);
    hie_buf_addc(b, '{');
    hie_out_text(b, "system", system);
    hie_out_text(b, "version", version);
    hie_out_text(b, "code", code);
    hie_out_text(b, "display", display);
    hie_buf_addc(b, '}');
}


void
hie_out_designation(hie_buf_t *b, const designation_t *d)
{
    hie_out_key(b, NULL);
    hie_buf_addc(b, '{');
    hie_out_text(b, "language", d->language);
    hie_out_raw(b, "use", d->use);
    hie_out_text(b, "value", d->value);
    hie_buf_addc(b, '}');
}
