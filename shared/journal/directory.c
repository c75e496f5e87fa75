/*
 * The reader's view of the directory.
 */

#include "journal/reader.h"

#include "journal/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <apr_tables.h>


/* Seconds after which a segment that is still in the making is taken for one
 * whose maker crashed. Making one takes seconds at most. */
#define STALE  3600


/* A stream of its own: its position is not that of r->dirfd. */
static DIR *
open_list(const hie_journal_reader_t *r)
{
    DIR  *d;
    int   fd;

    fd = openat(r->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    d = fdopendir(fd);
    if (d == NULL) {
        close(fd);
    }
    return d;
}


static int
compare(const void *a, const void *b)
{
    return memcmp(a, b, HIE_ULID_LEN);
}


/* Names of all segments, sorted: elements of HIE_ULID_LEN bytes. */
static apr_array_header_t *
list(const hie_journal_reader_t *r, apr_pool_t *pool)
{
    apr_array_header_t  *names = apr_array_make(pool, 16, HIE_ULID_LEN);
    struct dirent       *entry;
    DIR                 *d = open_list(r);

    if (d == NULL) {
        return NULL;
    }

    while ((entry = readdir(d)) != NULL) {
        if (hie_journal_file_is(entry->d_name, HIE_JOURNAL_SUFFIX)) {
            memcpy(apr_array_push(names), entry->d_name, HIE_ULID_LEN);
        }
    }
    closedir(d);

    qsort(names->elts, (size_t) names->nelts, HIE_ULID_LEN, compare);
    return names;
}


static hie_journal_source_t *
source_new(hie_journal_reader_t *r, const char *name)
{
    hie_journal_source_t  *s = r->spare;
    uint64_t              *offset;

    if (s != NULL) {
        r->spare = s->next;
    } else {
        s = apr_palloc(r->pool, sizeof(*s));
    }

    memset(s, 0, sizeof(*s));
    s->state = HIE_JOURNAL_FOUND;
    s->fd = -1;
    memcpy(s->name, name, HIE_ULID_LEN);

    offset = apr_hash_get(r->sought, s->name, HIE_ULID_LEN);
    if (offset != NULL) {
        s->offset = *offset;
        apr_hash_set(r->sought, s->name, HIE_ULID_LEN, NULL);
    }

    return s;
}


static void
source_vanish(hie_journal_reader_t *r, hie_journal_source_t *s)
{
    hie_journal_source_close(r, s);
    s->state = HIE_JOURNAL_GONE;
}


bool
hie_journal_reader_scan(hie_journal_reader_t *r)
{
    hie_journal_source_t  **at = &r->first, *s;
    apr_array_header_t     *names;
    apr_pool_t             *pool;
    const char             *name;
    int                     i;

    pool = hie_pool_create(NULL, "journal scan");
    names = list(r, pool);
    if (names == NULL) {
        apr_pool_destroy(pool);
        return false;
    }

    for (i = 0; i < names->nelts; i++) {
        name = names->elts + (size_t) i * HIE_ULID_LEN;

        while (*at != NULL && memcmp((*at)->name, name, HIE_ULID_LEN) < 0) {
            source_vanish(r, *at);
            at = &(*at)->next;
        }
        if (*at == NULL || memcmp((*at)->name, name, HIE_ULID_LEN) > 0) {
            s = source_new(r, name);
            s->next = *at;
            *at = s;
        }
        at = &(*at)->next;
    }
    for (s = *at; s != NULL; s = s->next) {
        source_vanish(r, s);
    }

    apr_pool_destroy(pool);
    return true;
}


static bool
is_stale(int fd)
{
    struct stat  st;

    return fstat(fd, &st) == 0
           && st.st_mtime < time(NULL) - STALE
           && flock(fd, LOCK_EX | LOCK_NB) == 0;
}


void
hie_journal_reader_tidy(hie_journal_reader_t *r)
{
    struct dirent  *entry;
    DIR            *d = open_list(r);
    int             fd;

    if (d == NULL) {
        return;
    }

    while ((entry = readdir(d)) != NULL) {
        if (!hie_journal_file_is(entry->d_name, HIE_JOURNAL_NEW)) {
            continue;
        }
        fd = openat(r->dirfd, entry->d_name,
                    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0) {
            if (is_stale(fd)) {
                unlinkat(r->dirfd, entry->d_name, 0);
            }
            close(fd);
        }
    }

    closedir(d);
}
