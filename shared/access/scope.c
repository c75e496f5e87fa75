/*
 * Scopes of SMART App Launch 2.2 (section "Scopes for requesting FHIR
 * resources") and of its first version, which the second maps.
 */

#include "access/private.h"


static const struct {
    char       letter;
    hie_may_t  may;
} letters[] = {
    { 'c', HIE_MAY_CREATE }, { 'r', HIE_MAY_READ }, { 'u', HIE_MAY_UPDATE },
    { 'd', HIE_MAY_DELETE }, { 's', HIE_MAY_SEARCH }
};

#define N_LETTERS  (sizeof(letters) / sizeof(letters[0]))

#define MAY_WRITE  (HIE_MAY_CREATE | HIE_MAY_UPDATE | HIE_MAY_DELETE)
#define MAY_LOOK   (HIE_MAY_READ | HIE_MAY_SEARCH)


/* What stands after the dot; 0 if it is nothing that we know. Letters out of
 * order grant nothing (which the guide allows), and a scope narrowed by
 * "?param=value" grants nothing either: it could only be granted too wide. */
static unsigned
parse_may(hie_str_t s)
{
    unsigned  may = 0;
    size_t    i = 0, k;

    if (hie_str_eqz(s, "read")) {
        return MAY_LOOK;
    }
    if (hie_str_eqz(s, "write")) {
        return MAY_WRITE;
    }
    if (hie_str_eqz(s, "*")) {
        return MAY_LOOK | MAY_WRITE;
    }

    for (k = 0; k < N_LETTERS && i < s.len; k++) {
        if (s.ptr[i] == letters[k].letter) {
            may |= letters[k].may;
            i++;
        }
    }
    return i == s.len ? may : 0;
}


static bool
is_type(hie_str_t s)
{
    size_t  i;
    char    c;

    if (hie_str_eqz(s, "*")) {
        return true;
    }
    if (s.len == 0 || s.ptr[0] < 'A' || s.ptr[0] > 'Z') {
        return false;
    }
    for (i = 1; i < s.len; i++) {
        c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) {
            return false;
        }
    }
    return true;
}


void
hie_scope_add(hie_str_t scope, bool administrators, hie_principal_t *out,
              int max)
{
    hie_str_t  context, type, rest, may;
    unsigned   bits;

    if (hie_str_eqz(scope, "hie/admin")) {
        out->administrator = out->administrator || administrators;
        return;
    }

    /* patient/ scopes are bound to one patient of a launch. Without that
     * bound they would grant everybody's data, so they grant nothing. */
    context = hie_str_split(scope, '/', &rest);
    if (!hie_str_eqz(context, "user") && !hie_str_eqz(context, "system")) {
        return;
    }

    type = hie_str_split(rest, '.', &may);
    bits = parse_may(may);
    if (!is_type(type) || bits == 0 || out->n_scopes == max) {
        return;
    }

    out->scopes[out->n_scopes++] = (hie_scope_t) { type, bits };
}


bool
hie_access_permits(const hie_principal_t *p, hie_may_t may, hie_str_t type)
{
    int  i;

    if (p == NULL || may == 0) {
        return false;
    }
    for (i = 0; i < p->n_scopes; i++) {
        if ((p->scopes[i].may & may) == may
            && (hie_str_eqz(p->scopes[i].type, "*")
                || hie_str_eq(p->scopes[i].type, type)))
        {
            return true;
        }
    }
    return false;
}
