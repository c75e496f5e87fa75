/*
 * What the files of base share among themselves.
 */

#ifndef HIE_BASE_PRIVATE_H
#define HIE_BASE_PRIVATE_H

#include "base/base.h"

/* Length of the character at `p`, of which at least one byte is there. Where
 * the bytes are not well formed `*ok` is false and the length is that of the
 * part to be replaced by one U+FFFD. */
size_t
hie_utf8_next(const unsigned char *p, size_t len, bool *ok);

/* Removes a character from the end of `z` that was cut in two by a limit. */
void
hie_utf8_cut(char *z);

/* The keyed hash beneath hie_hash64. */
uint64_t
hie_siphash(uint64_t key0, uint64_t key1, const void *ptr, size_t len);

/* hie_crc32c without the instructions that not every processor has. */
uint32_t
hie_crc32c_table(uint32_t crc, const void *ptr, size_t len);

#endif
