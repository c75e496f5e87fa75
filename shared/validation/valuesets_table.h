/*
 * The value sets of the required bindings of R4, as tools/gen-valuesets
 * writes them.
 */

#ifndef HIE_VALIDATION_VALUESETS_TABLE_H
#define HIE_VALIDATION_VALUESETS_TABLE_H

#include "base/base.h"

/* How a value set is judged that nobody can list. */
typedef enum {
    HIE_SYNTAX_NONE = 0,     /* it is listed */
    HIE_SYNTAX_MIME,
    HIE_SYNTAX_LANGUAGE,
    HIE_SYNTAX_UCUM,
    HIE_SYNTAX_CURRENCY
} value_set_syntax_t;

typedef struct {
    const char  *system;
    uint16_t     first;      /* codes in byte order, in hie_codes */
    uint16_t     n;
} code_group_t;

typedef struct {
    const char  *url;        /* the array is in byte order of these */
    uint8_t      syntax;     /* value_set_syntax_t */
    uint16_t     first;      /* in hie_code_groups, one for each system */
    uint16_t     n;
} value_set_t;

extern const value_set_t   hie_value_sets[];
extern const size_t        hie_n_value_sets;
extern const code_group_t  hie_code_groups[];
extern const char *const   hie_codes[];

#endif
