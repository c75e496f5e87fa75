/*
 * Private to the room: from a message to FHIR R4, after the HL7 v2-to-FHIR
 * mapping guide 1.0.0 (hl7.fhir.uv.v2mappings). Names in comments such as
 * PID[Patient] or CX[Identifier] are the guide's tables.
 */

#ifndef HIE_HL7V2_TOFHIR_H
#define HIE_HL7V2_TOFHIR_H

#include <apr_hash.h>

#include "hl7v2/jw.h"
#include "hl7v2/message.h"

/* A repetition of a field. */
typedef struct {
    int  segment;
    int  field;
    int  repeat;
} hie_at_t;

#define HIE_AT(s, f, r)  ((hie_at_t) { (s), (f), (r) })

typedef struct {
    const hie_hl7_t  *m;
    apr_pool_t       *pool;
    const char       *system;       /* prefix of local systems */
    char              zone[8];      /* of times without one */
    hie_str_t         facility;     /* MSH-4.1, or "unknown" */
    hie_str_t         event;        /* of MSH-9 */
    bool              snapshot;     /* ADT: what it says replaces */
    hie_buf_t         out;          /* the Bundle */
    uint32_t          run;          /* number of the next entry */
    hie_at_t          last;         /* the repetition that was read last */
    hie_str_t         last_raw;
    apr_hash_t       *seen;         /* conditional target: fullUrl or count */
    hie_str_t         patient;      /* fullUrl of the current ones, or empty */
    hie_str_t         encounter;
    hie_str_t         who;          /* the patient's identifier, in keys */
    hie_str_t         order;        /* key of the current OBR */
} hie_tofhir_t;

/* A value with subcomponent 1, trimmed; with a subcomponent. */
hie_str_t
hie_tofhir_get(hie_tofhir_t *t, hie_at_t at, int component);
hie_str_t
hie_tofhir_sub(hie_tofhir_t *t, hie_at_t at, int component, int sub);

/* A repetition as it stands. Those of a field in their order are found from
 * the one before; from the start of the field a long one takes too long. */
hie_str_t
hie_tofhir_raw(hie_tofhir_t *t, hie_at_t at);

/* Whether the Bundle is larger than such a message may make it. What is
 * written for each of many segments has to stop then. */
bool
hie_tofhir_full(const hie_tofhir_t *t);

/* The first segment `name` from `from` up to `end`, or -1. */
int
hie_tofhir_find(hie_tofhir_t *t, const char *name, int from, int end);

/*
 * Entries of the Bundle. The resource is written between begin and end:
 * begin opens it with its type and gives its fullUrl.
 */
typedef struct {
    const char  *type;
    hie_str_t    system;     /* conditional on this identifier; no value: */
    hie_str_t    value;      /* a plain create */
    bool         update;     /* PUT, else POST with ifNoneExist */
} hie_target_t;

hie_str_t
hie_tofhir_begin(hie_tofhir_t *t, const char *type);
void
hie_tofhir_end(hie_tofhir_t *t, const hie_target_t *target);
/* The fullUrl of an entry with this target, or empty; remembers `url`. */
hie_str_t
hie_tofhir_known(hie_tofhir_t *t, const hie_target_t *target);
void
hie_tofhir_remember(hie_tofhir_t *t, const hie_target_t *target,
                    hie_str_t url);
/* `value`, made different from all others of this type in the Bundle. */
hie_str_t
hie_tofhir_unique(hie_tofhir_t *t, const char *type, hie_str_t value);

/*
 * Codes (codes.c).
 */
typedef struct {
    const char  *v2;
    const char  *code;
    const char  *display;
    const char  *system;
} hie_v2code_t;

/* `table` as "0001"; NULL where the guide's concept map has no row. */
const hie_v2code_t *
hie_code_map(const char *table, hie_str_t code);
bool
hie_code_is_identifier_type(hie_str_t code);
/* The URI of a coding system by its name in table 0396 (or OID, or URI).
 * Empty for an empty name. */
hie_str_t
hie_code_system(hie_tofhir_t *t, hie_str_t name, hie_str_t code);

/*
 * Dates (datetime.c).
 */
typedef struct {
    int   part[6];          /* year, month, day, hour, minute, second */
    int   n;                /* how many of them */
    char  fraction[5];      /* digits */
    bool  zoned;
    char  zone[8];          /* "+01:00" */
} hie_dtm_t;

bool
hie_dtm_parse(hie_str_t raw, hie_dtm_t *out);
/* dateTime; with `date` only as far as the day. */
hie_str_t
hie_dtm_text(hie_tofhir_t *t, const hie_dtm_t *d, bool date);
/* Members: dateTime, date, instant (left out where not exact enough). */
void
hie_dt_datetime(hie_tofhir_t *t, hie_buf_t *b, const char *name,
                hie_str_t raw);
void
hie_dt_date(hie_tofhir_t *t, hie_buf_t *b, const char *name, hie_str_t raw);
void
hie_dt_instant(hie_tofhir_t *t, hie_buf_t *b, const char *name,
               hie_str_t raw);
/* TM to time; false if it is none. */
bool
hie_dt_time(hie_buf_t *b, const char *name, hie_str_t raw);
/* Period of two values; nothing if both are empty. */
void
hie_dt_period(hie_tofhir_t *t, hie_buf_t *b, const char *name,
              hie_str_t start, hie_str_t end);

/*
 * Data types (datatypes.c). `name` NULL inside an array.
 */

/* HD to a URI: its universal id, else the namespace below our prefix, else
 * the sending facility below it. */
hie_str_t
hie_dt_system(hie_tofhir_t *t, hie_str_t ns, hie_str_t id, hie_str_t type);
/* system of CX.4, EI.2-4, XCN.9 … */
hie_str_t
hie_dt_cx_system(hie_tofhir_t *t, hie_at_t at);
hie_str_t
hie_dt_ei_system(hie_tofhir_t *t, hie_at_t at);

/* CX; `type` (table 0203) is used where CX.5 is empty. */
void
hie_dt_identifier(hie_tofhir_t *t, hie_buf_t *b, const char *name,
                  hie_at_t at, const char *type);
/* An identifier of given parts; `type` may be NULL. */
void
hie_dt_identifier_of(hie_buf_t *b, const char *name, hie_str_t system,
                     hie_str_t value, const char *type);
/* CE, CWE, CNE, IS, ID; `table` (may be NULL) is the field's HL7 table. */
void
hie_dt_concept(hie_tofhir_t *t, hie_buf_t *b, const char *name, hie_at_t at,
               const char *table);
/* An array of one for every repetition. */
void
hie_dt_concepts(hie_tofhir_t *t, hie_buf_t *b, const char *name, int segment,
                int field, const char *table);
/* One coding {system, code}. */
void
hie_dt_coding(hie_buf_t *b, const char *name, hie_str_t system,
              hie_str_t code, hie_str_t display);
/* A required code that the concept map does not have: it is kept in the
 * extension alternate-codes. `name` is the element with "_" before. */
void
hie_dt_alternate(hie_buf_t *b, const char *name, const char *table,
                 hie_str_t code);
void
hie_dt_name(hie_tofhir_t *t, hie_buf_t *b, const char *name, hie_at_t at);
void
hie_dt_address(hie_tofhir_t *t, hie_buf_t *b, const char *name,
               hie_at_t at);
/* `use` where XTN.2 is empty. */
void
hie_dt_telecom(hie_tofhir_t *t, hie_buf_t *b, hie_at_t at, const char *use);
/* XCN as a reference without target: identifier and display. */
void
hie_dt_person(hie_tofhir_t *t, hie_buf_t *b, const char *name, hie_at_t at);
/* XON likewise. */
void
hie_dt_organization(hie_tofhir_t *t, hie_buf_t *b, const char *name,
                    hie_at_t at);
/* Text whose repetitions are lines, appended. */
void
hie_dt_lines(hie_tofhir_t *t, hie_buf_t *text, int segment, int field);
/* NM as a FHIR decimal; false if it is no number. */
bool
hie_dt_decimal(apr_pool_t *pool, hie_str_t raw, hie_str_t *out);

/*
 * Resources.
 */
hie_rc_t
hie_to_patient(hie_tofhir_t *t, int pid, int end, hie_error_t *err);
void
hie_to_encounter(hie_tofhir_t *t, int pid, int pv1);
/* The OBR and OBX of one patient: the segments from `from` up to `end`. */
void
hie_to_results(hie_tofhir_t *t, int from, int end);
/* OBX to Observation (to_observation.c); returns the fullUrl. */
hie_str_t
hie_to_observation(hie_tofhir_t *t, int obr, int obx, int end);
/* OBX-5 to value[x], component or dataAbsentReason (to_value.c). */
void
hie_to_value(hie_tofhir_t *t, hie_buf_t *b, int obx);

#endif
