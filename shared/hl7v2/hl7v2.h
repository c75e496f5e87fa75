/*
 * hl7v2: HL7 v2 messages (2.1 to 2.8): framing, parsing, acknowledgement,
 * transformation to FHIR R4. Pure: no I/O, no clock.
 */

#ifndef HIE_HL7V2_H
#define HIE_HL7V2_H

#include "base/base.h"

/*
 * Framing: MLLP release 1. 0x0B, the message, 0x1C 0x0D. A frame may arrive
 * in any pieces and a piece may hold many frames. Bytes between frames are
 * tolerated when they are CR or LF.
 */
typedef struct {
    apr_pool_t  *pool;       /* of the connection */
    apr_pool_t  *own;        /* below it: holds the partial frame */
    size_t       max;        /* bytes of a message */
    char        *buf;
    size_t       len;
    size_t       size;
    int          state;
} hie_mllp_t;

void
hie_mllp_init(hie_mllp_t *m, apr_pool_t *pool, size_t max_message);

/* Takes bytes from the front of `in`. HIE_OK: `frame` is one message, valid
 * until the next call. HIE_NOT_FOUND: all is taken, the frame is not complete.
 * HIE_INVALID: bytes that are no frame; HIE_TOO_LARGE. After an error the
 * connection is of no more use. Every byte is looked at once. */
hie_rc_t
hie_mllp_feed(hie_mllp_t *m, hie_str_t *in, hie_str_t *frame,
              hie_error_t *err);

/* Whether part of a frame is waiting. */
bool
hie_mllp_partial(const hie_mllp_t *m);

/* Frees the partial frame's memory between frames, if it has grown large. */
void
hie_mllp_rest(hie_mllp_t *m);


/*
 * Messages.
 */
typedef struct hie_hl7_t  hie_hl7_t;

/* `bytes` must outlive the message. Delimiters are taken from MSH-1 and MSH-2.
 * Text is brought to UTF-8 by MSH-18 (HL7 table 0211; empty: UTF-8 if it is
 * well formed, else ISO 8859-1 is NOT assumed: an error). Segments end with
 * CR; LF and CR LF are tolerated. The error names the place as an ERL
 * (segment^sequence^field) and says why. */
hie_rc_t
hie_hl7_parse(apr_pool_t *pool, hie_str_t bytes, hie_hl7_t **out,
              hie_error_t *err);

/* Number of segments; the name of the i-th. */
int
hie_hl7_segments(const hie_hl7_t *m);
hie_str_t
hie_hl7_segment(const hie_hl7_t *m, int i);
/* The first segment `name` at or after `from`; -1 if there is none. */
int
hie_hl7_find(const hie_hl7_t *m, const char *name, int from);
/* Repetitions of a field (from 1 as in the standard). */
int
hie_hl7_repeats(const hie_hl7_t *m, int segment, int field);
/* A value; field, component and subcomponent count from 1, repetition from 0.
 * Escapes resolved in `pool`; HL7 null ("") and absent are both empty, with
 * ptr NULL only for absent. */
hie_str_t
hie_hl7_value(const hie_hl7_t *m, int segment, int field, int repeat,
              int component, int subcomponent, apr_pool_t *pool);

/* MSH-9 as "ADT^A01"; MSH-10. */
hie_str_t
hie_hl7_type(const hie_hl7_t *m);
hie_str_t
hie_hl7_control_id(const hie_hl7_t *m);


/*
 * Acknowledgement, original mode (HL7 v2.5 section 2.9.2): MSH and MSA, ERR
 * from 2.5 on (MSA-3 before). Works on any bytes: where MSH-2 cannot be read,
 * with the recommended encoding characters, and where MSH-1 cannot be, with
 * an empty MSA-2. Sender and receiver are swapped byte for byte.
 */
typedef enum { HIE_ACK_AA = 1, HIE_ACK_AE, HIE_ACK_AR } hie_ack_t;

/* `err` (NULL with AA) gives ERR-2 by its `where`, ERR-3 by its rc (table
 * 0357), ERR-8 by its detail. The result is not framed. */
hie_str_t
hie_hl7_ack(apr_pool_t *pool, hie_str_t message, hie_ack_t code,
            const hie_error_t *err, apr_time_t now, const char *control_id);

/* Puts the result into a frame. */
hie_str_t
hie_mllp_frame(apr_pool_t *pool, hie_str_t message);


/*
 * To FHIR: a Bundle of type transaction, whose entries are conditional
 * updates and creates by identifier, after the HL7 v2-to-FHIR mapping guide
 * (1.0.0). ADT^A01 A04 A08 A31: Patient, Encounter. ORU^R01: Patient,
 * Encounter, Observation, DiagnosticReport.
 */
typedef struct {
    const char  *identifier_system;  /* prefix of a namespace, "urn:id:" */
    const char  *timezone;           /* for times without a zone, "+00:00" */
} hie_hl7_options_t;

/* HIE_UNSUPPORTED: a message type or event that is not transformed (AR);
 * HIE_UNPROCESSABLE: content (AE), where and why; HIE_TOO_LARGE: more than
 * 10000 segments, or a Bundle that would be out of proportion. */
hie_rc_t
hie_hl7_to_fhir(const hie_hl7_t *m, const hie_hl7_options_t *options,
                apr_pool_t *pool, hie_str_t *bundle, hie_error_t *err);

#endif
