#include "validation/validator.h"


hie_code_answer_t
hie_loaded_has(hie_validator_t *v, hie_str_t url, hie_str_t system,
               hie_str_t code)
{
    return HIE_CODE_UNKNOWN;
}
