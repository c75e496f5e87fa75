/*
 * The bytes of a segment file.
 */

#include "journal/format.h"

#include <endian.h>
#include <string.h>


#define VERSION         1

#define HEADER_VERSION  8
#define HEADER_SALT     16
#define HEADER_NAME     24
#define HEADER_WRITER   50
#define HEADER_CHECK    124

#define RECORD_BACK     4
#define RECORD_SEQ      8
#define RECORD_CRC      16
#define RECORD_CHECK    20

static const char  magic[8] = { 'H', 'I', 'E', 'j', 'n', 'l', '\r', '\n' };


static void
put32(char *at, uint32_t v)
{
    v = htole32(v);
    memcpy(at, &v, sizeof(v));
}


static void
put64(char *at, uint64_t v)
{
    v = htole64(v);
    memcpy(at, &v, sizeof(v));
}


static uint32_t
get32(const char *at)
{
    uint32_t  v;

    memcpy(&v, at, sizeof(v));
    return le32toh(v);
}


static uint64_t
get64(const char *at)
{
    uint64_t  v;

    memcpy(&v, at, sizeof(v));
    return le64toh(v);
}


uint32_t
hie_journal_header_make(char at[HIE_JOURNAL_HEADER], const char *name,
                        const char *writer)
{
    uint32_t  check;

    memset(at, 0, HIE_JOURNAL_HEADER);
    memcpy(at, magic, sizeof(magic));
    put32(at + HEADER_VERSION, VERSION);
    hie_random(at + HEADER_SALT, 8);
    memcpy(at + HEADER_NAME, name, HIE_ULID_LEN);
    memcpy(at + HEADER_WRITER, writer, HIE_ULID_LEN);
    check = hie_crc32c(0, at, HEADER_CHECK);
    put32(at + HEADER_CHECK, check);
    return check;
}


bool
hie_journal_header_read(const char *at, size_t len, hie_journal_header_t *out)
{
    memset(out, 0, sizeof(*out));

    if (len < HIE_JOURNAL_HEADER
        || memcmp(at, magic, sizeof(magic)) != 0
        || get32(at + HEADER_VERSION) != VERSION
        || get32(at + HEADER_CHECK) != hie_crc32c(0, at, HEADER_CHECK))
    {
        return false;
    }

    memcpy(out->name, at + HEADER_NAME, HIE_ULID_LEN);
    memcpy(out->writer, at + HEADER_WRITER, HIE_ULID_LEN);
    out->check = get32(at + HEADER_CHECK);
    return true;
}


size_t
hie_journal_record_size(size_t len)
{
    return (HIE_JOURNAL_RECORD + len + 7) & ~(size_t) 7;
}


void
hie_journal_record_put(char *at, const void *payload, size_t len,
                       uint64_t seq, uint32_t crc)
{
    size_t  size = hie_journal_record_size(len);

    memset(at + size - 8, 0, 8);
    put32(at, (uint32_t) len);
    put32(at + RECORD_BACK, 0);
    put64(at + RECORD_SEQ, seq);
    put32(at + RECORD_CRC, crc);
    put32(at + RECORD_CHECK, 0);
    if (len > 0) {
        memcpy(at + HIE_JOURNAL_RECORD, payload, len);
    }
}


void
hie_journal_record_peek(const char *at, size_t *size, uint64_t *seq)
{
    *size = hie_journal_record_size(get32(at));
    *seq = get64(at + RECORD_SEQ);
}


void
hie_journal_record_seal(char *at, uint32_t header_check, size_t back)
{
    put32(at + RECORD_BACK, (uint32_t) back);
    put32(at + RECORD_CHECK, hie_crc32c(header_check, at, RECORD_CHECK));
}


hie_journal_found_t
hie_journal_record_read(const char *at, size_t len, uint32_t header_check,
                        hie_journal_record_t *out)
{
    uint32_t  length;

    memset(out, 0, sizeof(*out));

    /* Records count from 1, so zeros written ahead are never one. */
    if (len < HIE_JOURNAL_RECORD
        || get64(at + RECORD_SEQ) == 0
        || get32(at + RECORD_CHECK)
           != hie_crc32c(header_check, at, RECORD_CHECK))
    {
        return HIE_JOURNAL_NONE;
    }

    length = get32(at);
    out->size = hie_journal_record_size(length);
    out->back = get32(at + RECORD_BACK);
    out->seq = get64(at + RECORD_SEQ);
    out->crc = get32(at + RECORD_CRC);

    if (len < out->size) {
        return HIE_JOURNAL_PART;
    }
    if (hie_crc32c(0, at + HIE_JOURNAL_RECORD, length) != out->crc) {
        return HIE_JOURNAL_BROKEN;
    }

    out->payload.ptr = at + HIE_JOURNAL_RECORD;
    out->payload.len = length;
    return HIE_JOURNAL_WHOLE;
}
