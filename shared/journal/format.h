/*
 * The bytes of a segment file. Pure.
 *
 * Integers are little-endian. A file is a header of 128 bytes, records, and
 * zeros that were written ahead:
 *
 *   header   0 magic[8]    8 version u32   12 zero u32   16 salt u64
 *           24 name[26]   50 writer[26]    76 zeros     124 check u32
 *   record   0 length u32  4 back u32       8 seq u64    16 crc u32
 *           20 check u32  24 payload[length], zeros up to a multiple of 8
 *
 * `writer` is the name of the first segment of the same writer: segments that
 * share it hold one order. `crc` is the CRC-32C of the payload. `check` covers
 * the 124 or 20 bytes before it; that of a record starts with the check of its
 * segment's header, which is random because of the salt. So bytes of another
 * segment, or such that a sender put into a payload, never pass for a record.
 *
 * `back` is the distance to the first record that was synced together with
 * this one. It tells a crash from damage: records of one batch may reach the
 * disk in any order when power fails, and none of them was acknowledged; but
 * a batch is only written after the one before it is durable.
 */

#ifndef HIE_JOURNAL_FORMAT_H
#define HIE_JOURNAL_FORMAT_H

#include "base/base.h"

#define HIE_JOURNAL_HEADER  128
#define HIE_JOURNAL_RECORD  24

typedef struct {
    char      name[HIE_ULID_LEN + 1];
    char      writer[HIE_ULID_LEN + 1];
    uint32_t  check;
} hie_journal_header_t;

/* Returns the check, which seals the records. */
uint32_t
hie_journal_header_make(char at[HIE_JOURNAL_HEADER], const char *name,
                        const char *writer);
bool
hie_journal_header_read(const char *at, size_t len, hie_journal_header_t *out);

typedef struct {
    hie_str_t  payload;      /* ptr NULL while only the head is known */
    size_t     size;         /* head, payload and padding */
    size_t     back;
    uint64_t   seq;
    uint32_t   crc;
} hie_journal_record_t;

/* Bytes that a payload takes in a segment. */
size_t
hie_journal_record_size(size_t len);
/* Writes a record that is not sealed yet. */
void
hie_journal_record_put(char *at, const void *payload, size_t len,
                       uint64_t seq, uint32_t crc);
/* Size and seq of a record that was put. */
void
hie_journal_record_peek(const char *at, size_t *size, uint64_t *seq);
void
hie_journal_record_seal(char *at, uint32_t header_check, size_t back);

typedef enum {
    HIE_JOURNAL_NONE = 1,    /* no record begins here, as far as one sees */
    HIE_JOURNAL_PART,        /* a head; the payload goes on after `len` */
    HIE_JOURNAL_BROKEN,      /* a head, and a payload that is not its */
    HIE_JOURNAL_WHOLE
} hie_journal_found_t;

/* `out` is set as far as the result says. */
hie_journal_found_t
hie_journal_record_read(const char *at, size_t len, uint32_t header_check,
                        hie_journal_record_t *out);

#endif
