/*
 * Private to the room: JSON written member by member. Commas are found by
 * what stands before; what turns out empty is taken back, since FHIR has no
 * empty strings, objects or arrays (R4 section 2.6.2.1).
 */

#ifndef HIE_HL7V2_JW_H
#define HIE_HL7V2_JW_H

#include <apr_strings.h>

#include "base/base.h"

/* Opens '{' or '['; name NULL inside an array. Returns a mark for close. */
size_t
hie_jw_open(hie_buf_t *b, const char *name, char bracket);
/* Closes it; false, and nothing is left of it, if it was empty. */
bool
hie_jw_close(hie_buf_t *b, size_t mark, char bracket);
/* A string; nothing if it is blank. Control characters that FHIR does not
 * allow become spaces. */
void
hie_jw_text(hie_buf_t *b, const char *name, hie_str_t v);
void
hie_jw_z(hie_buf_t *b, const char *name, const char *v);
/* A FHIR code: no spaces around, single ones inside (R4 section 2.24.0.1). */
void
hie_jw_code(hie_buf_t *b, const char *name, hie_str_t v);
/* JSON text as it stands. */
void
hie_jw_raw(hie_buf_t *b, const char *name, hie_str_t json);

#endif
