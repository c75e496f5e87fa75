/*
 * A search parameter from bytes: "Type?name=value", taken as it stands. What
 * is accepted has values in order; what is not says why.
 */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "search/search.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(bool ok)
{
    if (!ok) {
        abort();
    }
}


static void
look(const hie_criterion_t *c, int depth)
{
    int  i, k;

    require((c->n > 0 || c->kind == HIE_CRITERION_TOKENS) && depth < 10);
    for (i = 0; i < c->n; i++) {
        switch (c->kind) {
        case HIE_CRITERION_STRINGS:
        case HIE_CRITERION_TERMS:
        case HIE_CRITERION_TEXT:
            require(c->texts[i].value.len > 0
                    && c->texts[i].value.len <= HIE_SEARCH_TEXT_MAX);
            break;

        case HIE_CRITERION_DATES:
        case HIE_CRITERION_UPDATED:
            require(c->dates[i].a < c->dates[i].b);
            break;

        case HIE_CRITERION_NUMBERS:
            require(hie_decimal_compare(&c->numbers[i].a, &c->numbers[i].b)
                    <= 0);
            break;

        case HIE_CRITERION_IDS:
            require(hie_fhir_is_id(c->ids[i]));
            break;

        case HIE_CRITERION_CHAIN:
        case HIE_CRITERION_HAS:
            require(c->chains[i].type != HIE_TYPE_NONE);
            for (k = 0; k < c->chains[i].criteria->n; k++) {
                look(&c->chains[i].criteria->criteria[k], depth + 1);
            }

            break;

        default:
            break;
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hie_rc_t               rc;
    hie_str_t              type, name, value;
    apr_pool_t            *pool;
    hie_error_t            err = { .rc = 0 };
    hie_criterion_t        c;
    static apr_pool_t     *root;
    static hie_search_t   *s;
    hie_search_rules_t     rules = { HIE_STR("http://h.example/fhir"),
                                     INT64_C(1600000000000000), 3, 50 };

    if (s == NULL) {
        apr_initialize();
        root = hie_pool_create(NULL, "search");
        s = hie_search_create(root, NULL);
    }

    pool = hie_pool_create(NULL, "fuzz");
    type = hie_str_split((hie_str_t) { (const char *) data, size }, '?',
                         &name);
    name = hie_str_split(name, '=', &value);

    rc = hie_search_criterion(s, hie_type_find(type), name, value, &rules,
                              pool, &c, &err);
    if (rc == HIE_OK) {
        look(&c, 0);
    } else {
        require((rc == HIE_INVALID || rc == HIE_NOT_FOUND
                 || rc == HIE_TOO_COSTLY)
                && err.detail[0] != '\0');
    }

    apr_pool_destroy(pool);
    return 0;
}
