/*
 * hiectl validate: resources in files against FHIR R4 and profiles.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_fnmatch.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include "fhir/fhir.h"
#include "hiectl/hiectl.h"
#include "validation/validation.h"
#include "xml/xml.h"

#define DEPTH       200
#define BYTES_MAX   (256 * 1024 * 1024 - 1)
#define ISSUES_MAX  1000

typedef struct {
    ctl_t                   *ctl;
    hie_validator_t         *validator;
    hie_validate_options_t   options;
    apr_array_header_t      *asked;      /* hie_str_t: --as */
    apr_hash_t              *said;       /* informations, by their text */
    const char              *path;
    long                     line;       /* in NDJSON, from 1; or 0 */
    bool                     xml;        /* the file is FHIR XML */
    long                     resources;
    long                     invalid;
    long                     warnings;
} run_t;


static int
cannot(const char *path, const char *why)
{
    fprintf(stderr, "hiectl: %s: %s\n", path, why);

    return EXIT_FAILED;
}


static int
read_file(const char *path, apr_pool_t *pool, hie_str_t *out)
{
    FILE    *file;
    char    *bytes;
    size_t   size = 65536, n = 0, got;

    file = fopen(path, "rb");
    if (file == NULL) {
        return cannot(path, "cannot be opened");
    }

    bytes = apr_palloc(pool, size);
    while ((got = fread(bytes + n, 1, size - n, file)) > 0) {
        n += got;
        if (n == size) {
            char  *grown;

            if (size > BYTES_MAX / 2) {
                fclose(file);
                return cannot(path, "is too large");
            }

            grown = apr_palloc(pool, size * 2);
            memcpy(grown, bytes, n);
            bytes = grown;
            size *= 2;
        }
    }

    got = (size_t) ferror(file);
    fclose(file);
    *out = (hie_str_t) { bytes, n };

    return got != 0 ? cannot(path, "cannot be read") : EXIT_DONE;
}


/*
 * Profiles.
 */

static int
add_document(run_t *r, const hie_doc_t *d, hie_node_t n, const char *path)
{
    hie_error_t  err;
    hie_doc_t   *sub = hie_doc_sub(r->ctl->pool, d, n);

    if (hie_validator_add(r->validator, sub, &err) != HIE_OK) {
        fprintf(stderr, "hiectl: %s: %s%s%s\n", path, err.where,
                err.where[0] != '\0' ? ": " : "", err.detail);
        return EXIT_FAILED;
    }

    return EXIT_DONE;
}


/* A resource, or a Bundle of them. */
static int
add_file(run_t *r, const char *path)
{
    apr_pool_t   *pool = r->ctl->pool;
    hie_error_t   err;
    hie_doc_t    *d;
    hie_node_t    n;
    hie_str_t     bytes;
    int           code;

    code = read_file(path, pool, &bytes);
    if (code != EXIT_DONE) {
        return code;
    }

    if (hie_doc_parse(pool, bytes, DEPTH, &d, &err) != HIE_OK) {
        fprintf(stderr, "hiectl: %s: %s: %s\n", path, err.where, err.detail);
        return EXIT_FAILED;
    }

    if (!hie_str_eqz(hie_doc_get(d, 0, "resourceType", pool), "Bundle")) {
        return add_document(r, d, 0, path);
    }

    for (n = hie_doc_first(d, hie_doc_member(d, 0, "entry"));
         n != HIE_NODE_NONE && code == EXIT_DONE; n = hie_doc_next(d, n))
    {
        code = add_document(r, d, hie_doc_member(d, n, "resource"), path);
    }

    return code;
}


/* A file, or the JSON files of a directory. */
static int
add_path(run_t *r, const char *path)
{
    apr_array_header_t  *found;
    struct stat          info;
    const char          *pattern;
    int                  i, code = EXIT_DONE;

    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return add_file(r, path);
    }

    pattern = apr_pstrcat(r->ctl->pool, path, "/*.json", NULL);
    if (apr_match_glob(pattern, &found, r->ctl->pool) != APR_SUCCESS) {
        return cannot(path, "cannot be read");
    }

    for (i = 0; i < found->nelts && code == EXIT_DONE; i++) {
        code = add_file(r, apr_pstrcat(r->ctl->pool, path, "/",
                                       APR_ARRAY_IDX(found, i, char *),
                                       NULL));
    }

    return code;
}


/*
 * Output.
 */

static const char *
severity(const hie_issue_t *issue)
{
    switch (issue->severity) {
    case HIE_ISSUE_WARNING:
        return "warning";
    case HIE_ISSUE_INFORMATION:
        return "information";
    default:
        return "error";
    }
}


/* What is not known here would be said of every resource again. */
static bool
said_before(run_t *r, const hie_issue_t *i)
{
    hie_str_t  text;

    if (i->severity != HIE_ISSUE_INFORMATION) {
        return false;
    }

    if (apr_hash_get(r->said, i->text.ptr, (apr_ssize_t) i->text.len)
        != NULL)
    {
        return true;
    }

    text = hie_str_dup(r->ctl->pool, i->text);
    apr_hash_set(r->said, text.ptr, (apr_ssize_t) text.len, r);

    return false;
}


static void
print_issue(run_t *r, const hie_issue_t *i)
{
    unsigned long  line = i->line;

    if (said_before(r, i)) {
        return;
    }

    if (r->line > 0) {
        line = (unsigned long) r->line;
    }

    printf("%s:", r->path);
    if (line > 0) {
        printf("%lu:%u:", line, i->column);
    }

    printf(" %s: %.*s%s%.*s (%s%s%.*s)\n", severity(i),
           HIE_PRISTR(i->expression), i->expression.len > 0 ? ": " : "",
           HIE_PRISTR(i->text), i->code, i->rule.len > 0 ? ", " : "",
           HIE_PRISTR(i->rule));
}


static void
print_issues(run_t *r, const hie_issues_t *issues, apr_pool_t *pool)
{
    hie_str_t  out;
    int        i;

    if (r->ctl->json) {
        out = hie_validation_outcome(pool, issues);
        printf("%.*s\n", HIE_PRISTR(out));
        return;
    }

    for (i = 0; i < issues->n; i++) {
        print_issue(r, &issues->issues[i]);
    }

    if (issues->more) {
        printf("%s: there are more issues than are listed\n", r->path);
    }
}


/* What is no JSON has one issue. */
static void
print_broken(run_t *r, const hie_error_t *err, apr_pool_t *pool)
{
    hie_str_t  out;

    r->invalid++;
    if (r->ctl->json) {
        out = hie_fhir_outcome(pool, err);
        printf("%.*s\n", HIE_PRISTR(out));

    } else if (r->line > 0) {
        printf("%s:%ld: error: %s: %s (structure)\n", r->path, r->line,
               err->where, err->detail);

    } else {
        printf("%s: error: %s: %s (structure)\n", r->path, err->where,
               err->detail);
    }
}


/*
 * Resources.
 */

static void
validate_one(run_t *r, hie_str_t bytes, apr_pool_t *pool)
{
    hie_issues_t  issues;
    hie_error_t   err;
    hie_doc_t    *d;
    int           i;

    r->resources++;
    if (hie_doc_parse(pool, bytes, 2 * DEPTH + 1, &d, &err) != HIE_OK) {
        print_broken(r, &err, pool);
        return;
    }

    if (hie_validate(r->validator, d, 0, &r->options, pool, &issues, NULL)
        != HIE_OK)
    {
        r->invalid++;
    }

    r->warnings += issues.n_warnings;
    for (i = 0; i < issues.n && r->xml; i++) {
        issues.issues[i].line = 0;
    }

    print_issues(r, &issues, pool);
}


/* FHIR XML has its own places: those of the JSON that is made of it are not
 * given. */
static void
validate_xml(run_t *r, hie_str_t bytes, apr_pool_t *pool)
{
    hie_error_t  err;
    hie_str_t    json;

    r->xml = true;
    if (hie_xml_to_json(pool, bytes, DEPTH, 0, &json, &err) == HIE_OK) {
        validate_one(r, json, pool);
    } else {
        r->resources++;
        print_broken(r, &err, pool);
    }

    r->xml = false;
}


static void
validate_lines(run_t *r, hie_str_t rest)
{
    hie_str_t    line;
    apr_pool_t  *pool;

    for (r->line = 1; rest.ptr != NULL; r->line++) {
        line = hie_str_trim(hie_str_split(rest, '\n', &rest));
        if (line.len > 0) {
            pool = hie_pool_create(r->ctl->pool, "line");
            validate_one(r, line, pool);
            apr_pool_destroy(pool);
        }
    }

    r->line = 0;
}


static int
validate_file(run_t *r, const char *path)
{
    apr_pool_t  *pool = hie_pool_create(r->ctl->pool, "file");
    size_t       n = strlen(path);
    hie_str_t    bytes;
    int          code;

    r->path = path;
    code = read_file(path, pool, &bytes);
    if (code == EXIT_DONE) {
        if (n > 7 && strcmp(path + n - 7, ".ndjson") == 0) {
            validate_lines(r, bytes);
        } else if (hie_str_trim(bytes).len > 0
                   && (hie_str_trim(bytes).ptr[0] == '<'
                       || hie_str_starts(bytes, "\xef\xbb\xbf<")))
        {
            validate_xml(r, bytes, pool);
        } else {
            validate_one(r, bytes, pool);
        }
    }

    apr_pool_destroy(pool);

    return code;
}


/* Options in front of the files. The number of arguments that they took, or
 * -1 when it is said what was wrong. */
static int
take_options(run_t *r, int argc, char **argv, int *code)
{
    int  i;

    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--best-practice") == 0) {
            r->options.flags |= HIE_VALIDATE_BEST_PRACTICE;
            continue;
        }

        if (i + 1 == argc) {
            *code = ctl_usage("'%s' is no option of 'validate', or needs an "
                              "argument", argv[i]);
            return -1;
        }

        if (strcmp(argv[i], "--profile") == 0) {
            *code = add_path(r, argv[++i]);
        } else if (strcmp(argv[i], "--as") == 0) {
            *(hie_str_t *) apr_array_push(r->asked) = hie_str(argv[++i]);
        } else {
            *code = ctl_usage("'%s' is no option of 'validate'", argv[i]);
        }

        if (*code != EXIT_DONE) {
            return -1;
        }
    }

    return i;
}


static int
result(run_t *r, int failed)
{
    if (!r->ctl->json) {
        printf("%ld resources, %ld not valid, %ld warnings\n", r->resources,
               r->invalid, r->warnings);
    }

    return failed > 0 || r->invalid > 0 ? EXIT_FAILED : EXIT_DONE;
}


int
ctl_validate(ctl_t *ctl, int argc, char **argv)
{
    run_t        r = { .ctl = ctl };
    hie_error_t  err;
    int          i, code = EXIT_DONE, failed = 0;

    r.validator = hie_validator_create(ctl->pool, NULL);
    r.asked = apr_array_make(ctl->pool, 2, sizeof(hie_str_t));
    r.said = apr_hash_make(ctl->pool);
    r.options.flags = HIE_VALIDATE_ALL & ~HIE_VALIDATE_BEST_PRACTICE;
    r.options.max_issues = ISSUES_MAX;
    r.options.now = apr_time_now();

    i = take_options(&r, argc, argv, &code);
    if (i < 0) {
        return code;
    }

    if (i == argc) {
        return ctl_usage("'validate' expects at least one file");
    }

    if (hie_validator_ready(r.validator, &err) != HIE_OK) {
        return ctl_failed(&err);
    }

    r.options.profiles = (const hie_str_t *) r.asked->elts;
    r.options.n_profiles = r.asked->nelts;

    for ( ; i < argc; i++) {
        failed += validate_file(&r, argv[i]) != EXIT_DONE;
    }

    return result(&r, failed);
}
