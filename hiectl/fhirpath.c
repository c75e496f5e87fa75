/*
 * hiectl fhirpath: an expression over a resource, one line of JSON for each
 * item of the result.
 */

#include <stdio.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_time.h>

#include "fhirpath/fhirpath.h"
#include "hiectl/hiectl.h"
#include "xml/xml.h"

#define MAX_BYTES  (256 * 1024 * 1024)
#define MAX_DEPTH  200


static int
cannot(const char *path, const char *what)
{
    fprintf(stderr, "hiectl: %s: %s\n", path, what);
    return EXIT_FAILED;
}


static void
complain(const hie_error_t *err)
{
    fprintf(stderr, "hiectl: expression%s%s: %s\n",
            err->where[0] != '\0' ? ":" : "", err->where, err->detail);
}


static int
read_bytes(apr_pool_t *pool, const char *path, hie_str_t *out)
{
    char         *bytes, message[120];
    apr_file_t   *file;
    apr_size_t    got = 0;
    apr_finfo_t   info;
    apr_status_t  status;

    status = apr_file_open(&file, path, APR_READ, 0, pool);
    if (status == APR_SUCCESS) {
        status = apr_file_info_get(&info, APR_FINFO_SIZE, file);
    }

    if (status != APR_SUCCESS) {
        return cannot(path, apr_strerror(status, message, sizeof(message)));
    }

    if (info.size > MAX_BYTES) {
        return cannot(path, "more than 256 MB");
    }

    bytes = apr_palloc(pool, (apr_size_t) info.size + 1);
    status = apr_file_read_full(file, bytes, (apr_size_t) info.size, &got);
    apr_file_close(file);
    if (status != APR_SUCCESS && !APR_STATUS_IS_EOF(status)) {
        return cannot(path, apr_strerror(status, message, sizeof(message)));
    }

    out->ptr = bytes;
    out->len = got;
    return EXIT_DONE;
}


/* JSON of a resource cannot begin with '<', nor with a byte order mark. */
static bool
is_xml(hie_str_t bytes)
{
    if (hie_str_starts(bytes, "\xef\xbb\xbf")) {
        bytes.ptr += 3;
        bytes.len -= 3;
    }

    bytes = hie_str_trim(bytes);
    return bytes.len > 0 && bytes.ptr[0] == '<';
}


static int
read_resource(apr_pool_t *pool, const char *path, hie_fhirpath_item_t *out)
{
    hie_rc_t      rc = HIE_OK;
    hie_str_t     bytes;
    hie_doc_t    *d;
    hie_error_t   err;

    if (read_bytes(pool, path, &bytes) != EXIT_DONE) {
        return EXIT_FAILED;
    }

    if (is_xml(bytes)) {
        rc = hie_xml_to_json(pool, bytes, MAX_DEPTH, 0, &bytes, &err);
    }

    if (rc == HIE_OK) {
        rc = hie_doc_parse(pool, bytes, 2 * MAX_DEPTH + 1, &d, &err);
    }

    if (rc != HIE_OK) {
        fprintf(stderr, "hiectl: %s: %s: %s\n", path, err.where, err.detail);
        return EXIT_FAILED;
    }

    *out = hie_fhirpath_resource(d, 0);
    if (out->type == HIE_TYPE_NONE) {
        return cannot(path, "no resource of FHIR R4");
    }

    return EXIT_DONE;
}


static void
add_quantity(hie_buf_t *b, const hie_fhirpath_quantity_t *q)
{
    char  text[HIE_DECIMAL_TEXT_MAX];

    hie_decimal_print(&q->value, text);
    hie_buf_addf(b, "{\"value\":%s,\"unit\":", text);
    hie_buf_add_json(b, q->unit);
    hie_buf_addc(b, '}');
}


static void
add_value(hie_buf_t *b, const hie_fhirpath_item_t *item)
{
    hie_str_t  raw;

    switch (item->kind) {
    case HIE_FHIRPATH_NODE:
        raw = hie_doc_raw(item->doc, item->node);
        hie_buf_adds(b, raw.len > 0 ? raw : HIE_STR("null"));
        break;

    case HIE_FHIRPATH_BOOLEAN: case HIE_FHIRPATH_INTEGER:
    case HIE_FHIRPATH_DECIMAL:
        hie_buf_adds(b, hie_fhirpath_text(item, b->pool));
        break;

    case HIE_FHIRPATH_QUANTITY:
        add_quantity(b, item->quantity);
        break;

    default:
        hie_buf_add_json(b, hie_fhirpath_text(item, b->pool));
        break;
    }
}


/* Line breaks outside of strings mean nothing, and inside JSON has none. */
static void
print_item(apr_pool_t *pool, FILE *to, const hie_fhirpath_item_t *item)
{
    size_t     i;
    hie_buf_t  b;

    hie_buf_init(&b, pool, 256);
    hie_buf_addf(&b, "{\"type\":\"%s\",\"value\":",
                 hie_fhirpath_type_name(item));
    add_value(&b, item);
    if (item->kind == HIE_FHIRPATH_NODE && item->sibling != HIE_NODE_NONE) {
        hie_buf_addz(&b, ",\"element\":");
        hie_buf_adds(&b, hie_doc_raw(item->doc, item->sibling));
    }

    hie_buf_addz(&b, "}\n");
    for (i = 0; i + 1 < b.len; i++) {
        if (b.ptr[i] == '\n' || b.ptr[i] == '\r') {
            b.ptr[i] = ' ';
        }
    }

    fwrite(b.ptr, 1, b.len, to);
}


static void
on_trace(const hie_fhirpath_env_t *env, hie_str_t name,
         const hie_fhirpath_list_t *list)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        fprintf(stderr, "%.*s: ", HIE_PRISTR(name));
        print_item(env->pool, stderr, &list->items[i]);
    }
}


static hie_rc_t
on_html(const hie_fhirpath_env_t *env, const hie_fhirpath_item_t *item,
        bool *out, hie_error_t *err)
{
    *out = hie_xhtml_check(hie_fhirpath_text(item, env->pool), NULL)
           == HIE_OK;
    return HIE_OK;
}


int
ctl_fhirpath(ctl_t *ctl, int argc, char **argv)
{
    size_t                  i;
    hie_error_t             err;
    hie_fhirpath_t         *fp;
    hie_fhirpath_env_t      env = { .pool = ctl->pool };
    hie_fhirpath_item_t     focus;
    hie_fhirpath_list_t     list;
    hie_fhirpath_options_t  options = { HIE_TYPE_NONE, true };

    if (argc != 3) {
        return ctl_usage("'fhirpath' expects an expression and a file");
    }

    hie_xml_init();
    if (read_resource(ctl->pool, argv[2], &focus) != EXIT_DONE) {
        return EXIT_FAILED;
    }

    options.context = focus.type;
    if (hie_fhirpath_compile(ctl->pool, hie_str(argv[1]), &options, &fp, &err)
        != HIE_OK)
    {
        complain(&err);
        return EXIT_USAGE;
    }

    env.now = apr_time_now();
    env.trace = on_trace;
    env.html_checks = on_html;
    if (hie_fhirpath_eval(fp, &env, &focus, &list, &err) != HIE_OK) {
        complain(&err);
        return EXIT_FAILED;
    }

    for (i = 0; i < list.n; i++) {
        print_item(ctl->pool, stdout, &list.items[i]);
    }

    return EXIT_DONE;
}
