/*
 * Look-ups in the tables of the type system.
 */

#include <string.h>

#include "fhir/definitions_table.h"


/* As name_hash() of tools/gen-definitions. */
static uint32_t
hash_name(hie_str_t name)
{
    size_t    i;
    uint32_t  h;

    for (i = 0, h = 0; i < name.len; i++) {
        h = h * 31 + (unsigned char) name.ptr[i];
    }

    return (h * 2654435761u) >> 16;
}


static int
compare_name(hie_str_t name, hie_type_t type)
{
    int          c;
    size_t       n;
    const char  *there;

    if (name.len == 0) {
        return -1;               /* ptr may be NULL */
    }

    there = hie_types[type].name;
    n = strlen(there);
    c = memcmp(name.ptr, there, name.len < n ? name.len : n);
    return c != 0 ? c : (name.len > n) - (name.len < n);
}


hie_type_t
hie_type_find(hie_str_t name)
{
    int     c;
    size_t  low, high, mid;

    for (low = 0, high = hie_n_types - 1; low < high; ) {
        mid = low + (high - low) / 2;
        c = compare_name(name, hie_types_by_name[mid]);
        if (c == 0) {
            return hie_types_by_name[mid];
        }

        if (c < 0) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }

    return HIE_TYPE_NONE;
}


hie_type_t
hie_type_find_resource(hie_str_t name)
{
    int         c;
    hie_type_t  low, high, mid;

    for (low = HIE_TYPE_Account, high = HIE_TYPE_VisionPrescription + 1;
         low < high;
         /* void */)
    {
        mid = (hie_type_t) (low + (high - low) / 2);
        c = compare_name(name, mid);
        if (c == 0) {
            return mid;
        }

        if (c < 0) {
            high = mid;
        } else {
            low = (hie_type_t) (mid + 1);
        }
    }

    return HIE_TYPE_NONE;
}


bool
hie_type_is(hie_type_t type, hie_type_t ancestor)
{
    for ( ; type != HIE_TYPE_NONE; type = hie_types[type].base) {
        if (type == ancestor) {
            return true;
        }
    }

    return false;
}


const hie_element_t *
hie_element_find(hie_type_t type, hie_str_t name)
{
    uint32_t                at, mask;
    const hie_element_t    *e;
    const hie_type_info_t  *t;

    t = &hie_types[type];
    if (t->n == 0) {
        return NULL;
    }

    mask = t->hash_size - 1u;
    at = hash_name(name) & mask;
    while (hie_element_hash[t->hash + at] != 0) {
        e = &hie_elements[t->first + hie_element_hash[t->hash + at] - 1];
        if (e->name_len == name.len
            && memcmp(e->name, name.ptr, name.len) == 0)
        {
            return e;
        }

        at = (at + 1) & mask;
    }

    return NULL;
}


const hie_element_t *
hie_element_stem(hie_type_t type, hie_str_t name)
{
    uint16_t                i;
    const hie_element_t    *e;
    const hie_type_info_t  *t;

    t = &hie_types[type];
    for (i = 0; i < t->n; i++) {
        e = &hie_elements[t->first + i];
        if (e->stem_len == name.len
            && memcmp(e->name, name.ptr, name.len) == 0)
        {
            return e;
        }
    }

    return NULL;
}
