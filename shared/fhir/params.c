/*
 * Search parameters: look-ups in the generated table.
 */

#include "fhir/model.h"


const hie_param_t *
hie_fhir_param(hie_str_t type, hie_str_t code)
{
    const hie_param_t  *p, *end;
    int                 i = hie_model_type(type);

    if (i < 0) {
        return NULL;
    }

    p = hie_model_params + hie_model_params_of[i];
    end = hie_model_params + hie_model_params_of[i + 1];

    for (; p < end; p++) {
        if (hie_str_eqz(code, p->code)) {
            return p;
        }
    }

    return NULL;
}


const hie_param_t *
hie_fhir_params(size_t i)
{
    return i < hie_model_n_params ? &hie_model_params[i] : NULL;
}
