/* Private to the room: the inside of a message. */

#ifndef HIE_HL7V2_MESSAGE_H
#define HIE_HL7V2_MESSAGE_H

#include "hl7v2/hl7v2.h"

/* Of MSH-1 and MSH-2; 0 where MSH-2 is shorter. */
typedef struct {
    char  field;
    char  component;
    char  repeat;
    char  escape;
    char  sub;
    char  truncate;         /* from 2.7 on */
} hie_hl7_delims_t;

typedef struct {
    uint32_t  first;        /* index of its name in `starts` */
    uint32_t  n;            /* name and fields */
} hie_hl7_segment_t;

struct hie_hl7_t {
    hie_str_t           text;       /* UTF-8 */
    hie_hl7_delims_t    d;
    int                 n;
    hie_hl7_segment_t  *segments;
    uint32_t           *starts;     /* offsets; one more ends each segment */
    hie_str_t           type;
    hie_str_t           control_id;
};

/* Reads MSH-1 and MSH-2 at the front of `bytes`. */
hie_rc_t
hie_hl7_delims(hie_str_t bytes, hie_hl7_delims_t *d, hie_error_t *err);

/* The first line of `bytes`, the MSH segment. Part n of it by the field
 * separator is MSH-n. */
hie_str_t
hie_hl7_first_line(hie_str_t bytes);

/* A byte-order mark of UTF-8 is taken away; other encodings of more than one
 * byte per character, and NUL bytes, are refused. */
hie_rc_t
hie_hl7_check_bytes(hie_str_t *bytes, hie_error_t *err);

/* To UTF-8, by the value of MSH-18 as it stands in the message. */
hie_rc_t
hie_hl7_to_utf8(apr_pool_t *pool, hie_str_t bytes, hie_str_t msh18,
                char repeat, hie_str_t *out, hie_error_t *err);

/* Escape sequences (HL7 v2.5 section 2.7). */
hie_str_t
hie_hl7_unescape(apr_pool_t *pool, hie_str_t raw, const hie_hl7_delims_t *d);
void
hie_hl7_escape(hie_buf_t *b, hie_str_t text, const hie_hl7_delims_t *d);

/* The n-th part (from 1) between separators; ptr NULL if there is none. With
 * separator 0 the whole is part 1. */
hie_str_t
hie_hl7_part(hie_str_t s, char separator, int n);

/* A repetition of a field as it stands; the whole field for repetition -1. */
hie_str_t
hie_hl7_raw(const hie_hl7_t *m, int segment, int field, int repeat);

/* A value of a repetition; both numbers are from 1. */
hie_str_t
hie_hl7_value_of(const hie_hl7_t *m, hie_str_t repetition, int component,
                 int subcomponent, apr_pool_t *pool);

#endif
