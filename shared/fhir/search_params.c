/*
 * Look-ups in the tables of search parameters and compartments.
 */

#include <string.h>

#include "fhir/search_params.h"


/* The first row of a type, or where it would stand. */
static size_t
first_of(hie_type_t type)
{
    size_t  low, high, mid;

    for (low = 0, high = hie_n_search_params; low < high; ) {
        mid = low + (high - low) / 2;
        if (hie_search_params[mid].type < type) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }

    return low;
}


const hie_search_param_t *
hie_search_params_of(hie_type_t type, size_t *n)
{
    size_t  first;

    first = first_of(type);
    *n = first_of((hie_type_t) (type + 1)) - first;
    return &hie_search_params[first];
}


static int
compare(hie_str_t code, const char *there)
{
    int     c;
    size_t  n;

    if (code.len == 0) {
        return -1;               /* ptr may be NULL */
    }

    n = strlen(there);
    c = memcmp(code.ptr, there, code.len < n ? code.len : n);
    return c != 0 ? c : (code.len > n) - (code.len < n);
}


static const hie_search_param_t *
find_in(hie_type_t type, hie_str_t code)
{
    int                        c;
    size_t                     low, high, mid;
    const hie_search_param_t  *rows;

    rows = hie_search_params_of(type, &high);
    for (low = 0; low < high; ) {
        mid = low + (high - low) / 2;
        c = compare(code, rows[mid].code);
        if (c == 0) {
            return &rows[mid];
        }

        if (c < 0) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }

    return NULL;
}


const hie_search_param_t *
hie_search_param_find(hie_type_t type, hie_str_t code)
{
    const hie_search_param_t  *p;

    for ( ; type != HIE_TYPE_NONE; type = hie_types[type].base) {
        p = find_in(type, code);
        if (p != NULL) {
            return p;
        }
    }

    return NULL;
}


/* The first row at or behind a compartment and a type. */
static size_t
first_row(hie_type_t compartment, hie_type_t type)
{
    size_t                        low, high, mid;
    const hie_compartment_row_t  *r;

    for (low = 0, high = hie_n_compartment_rows; low < high; ) {
        mid = low + (high - low) / 2;
        r = &hie_compartment_rows[mid];
        if (r->compartment < compartment
            || (r->compartment == compartment && r->type < type))
        {
            low = mid + 1;
        } else {
            high = mid;
        }
    }

    return low;
}


const hie_compartment_row_t *
hie_compartment_of(hie_type_t compartment, hie_type_t type, size_t *n)
{
    size_t  first, end;

    first = first_row(compartment, type);
    end = type == HIE_TYPE_NONE
          ? first_row((hie_type_t) (compartment + 1), HIE_TYPE_NONE)
          : first_row(compartment, (hie_type_t) (type + 1));
    *n = end - first;
    return *n == 0 ? NULL : &hie_compartment_rows[first];
}
