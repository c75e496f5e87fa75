/*
 * $meta-add and $meta-delete (FHIR R4 section 3.2.0.10.1, operations on
 * Resource): profiles, security labels and tags of a resource, as a write like
 * any other. A label is known by its system and code, a profile by its URL.
 */

#include <string.h>

#include <apr_strings.h>

#include "exchange/write.h"

typedef struct {
    const hie_doc_t  *given;         /* where valueMeta is */
    hie_node_t        meta;
    bool              remove;
} labels_t;

/* The lists of Meta that are sets, each with what it stands behind. */
static const struct {
    const char  *name;
    const char  *after;
} lists[] = {
    { "profile", "source" }, { "security", "profile" }, { "tag", "security" }
};


static bool
same_label(const hie_doc_t *a, hie_node_t x, const hie_doc_t *b, hie_node_t y,
           apr_pool_t *pool)
{
    if (hie_doc_kind(a, x) == HIE_NODE_STRING) {
        return hie_str_eq(hie_doc_string(a, x, pool),
                          hie_doc_string(b, y, pool));
    }

    return hie_str_eq(hie_doc_get(a, x, "system", pool),
                      hie_doc_get(b, y, "system", pool))
           && hie_str_eq(hie_doc_get(a, x, "code", pool),
                         hie_doc_get(b, y, "code", pool));
}


static bool
contains(const hie_doc_t *a, hie_node_t list, const hie_doc_t *b,
         hie_node_t y, apr_pool_t *pool)
{
    hie_node_t  x;

    for (x = hie_doc_first(a, list);
         x != HIE_NODE_NONE;
         x = hie_doc_next(a, x))
    {
        if (same_label(a, x, b, y, pool)) {
            return true;
        }
    }

    return false;
}


static void
add_raw(hie_buf_t *b, const hie_doc_t *d, hie_node_t n)
{
    hie_buf_addc(b, b->len == 0 ? '[' : ',');
    hie_buf_adds(b, hie_doc_raw(d, n));
}


/* One list as it is to be; empty: without it. */
static hie_str_t
merge_list(const labels_t *l, const hie_doc_t *now, hie_node_t old,
           hie_node_t given, apr_pool_t *pool)
{
    hie_buf_t   b;
    hie_node_t  n;

    hie_buf_init(&b, pool, 256);
    for (n = hie_doc_first(now, old);
         n != HIE_NODE_NONE;
         n = hie_doc_next(now, n))
    {
        if (!l->remove || !contains(l->given, given, now, n, pool)) {
            add_raw(&b, now, n);
        }
    }

    for (n = hie_doc_first(l->given, given);
         !l->remove && n != HIE_NODE_NONE;
         n = hie_doc_next(l->given, n))
    {
        if (!contains(now, old, l->given, n, pool)) {
            add_raw(&b, l->given, n);
        }
    }

    if (b.len > 0) {
        hie_buf_addc(&b, ']');
    }

    return hie_buf_str(&b);
}


/* A resource without meta gets one with what is given. */
static void
make_meta(const labels_t *l, hie_edit_t *e, apr_pool_t *pool)
{
    size_t      i;
    hie_buf_t   b;
    hie_str_t   list;
    hie_node_t  given;

    hie_buf_init(&b, pool, 256);
    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        given = hie_doc_member(l->given, l->meta, lists[i].name);
        list = merge_list(l, l->given, HIE_NODE_NONE, given, pool);
        if (list.len > 0) {
            hie_buf_addf(&b, "%c\"%s\":", b.len == 0 ? '{' : ',',
                         lists[i].name);
            hie_buf_adds(&b, list);
        }
    }

    if (b.len > 0) {
        hie_buf_addc(&b, '}');
        hie_edit_set(e, 0, "meta", hie_buf_str(&b), "id");
    }
}


static hie_rc_t
edit_labels(void *baton, const hie_doc_t *now, apr_pool_t *pool,
            hie_str_t *bytes, hie_error_t *err)
{
    bool             changed = false;
    size_t           i;
    hie_str_t        list;
    hie_edit_t      *e;
    hie_node_t       meta, old, given;
    const labels_t  *l = baton;

    *bytes = hie_doc_bytes(now);
    meta = hie_doc_member(now, 0, "meta");
    if (hie_doc_member(now, meta, "_profile") != HIE_NODE_NONE) {
        return hie_fail(err, HIE_UNPROCESSABLE, "",
                        "the profiles of the resource have extensions: change "
                        "them by an update");
    }

    e = hie_edit_create(pool, now);
    for (i = 0; meta != HIE_NODE_NONE
                && i < sizeof(lists) / sizeof(lists[0]); i++)
    {
        old = hie_doc_member(now, meta, lists[i].name);
        given = hie_doc_member(l->given, l->meta, lists[i].name);
        list = merge_list(l, now, old, given, pool);
        if (hie_doc_count(now, old) == 0 && list.len == 0) {
            continue;
        }

        if (list.len == 0) {
            hie_edit_remove(e, old);
            changed = true;
        } else if (given != HIE_NODE_NONE) {
            hie_edit_set(e, meta, lists[i].name, list, lists[i].after);
            changed |= !hie_str_eq(list, hie_doc_raw(now, old));
        }
    }

    if (meta == HIE_NODE_NONE && !l->remove) {
        make_meta(l, e, pool);
        changed = true;
    }

    if (changed) {
        *bytes = hie_edit_apply(e, pool);
    }

    return HIE_OK;
}


/* Each list an array, of the right kind of element. */
static hie_rc_t
check_meta(const labels_t *l, hie_error_t *err)
{
    size_t           i;
    hie_node_t       list, n;
    hie_node_kind_t  kind;

    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        list = hie_doc_member(l->given, l->meta, lists[i].name);
        kind = i == 0 ? HIE_NODE_STRING : HIE_NODE_OBJECT;
        if (list != HIE_NODE_NONE
            && hie_doc_kind(l->given, list) != HIE_NODE_ARRAY)
        {
            return hie_fail(err, HIE_INVALID, "Parameters.parameter",
                            "meta.%s: expected an array", lists[i].name);
        }

        for (n = hie_doc_first(l->given, list);
             n != HIE_NODE_NONE;
             n = hie_doc_next(l->given, n))
        {
            if (hie_doc_kind(l->given, n) != kind) {
                return hie_fail(err, HIE_INVALID, "Parameters.parameter",
                                "meta.%s: expected %s", lists[i].name,
                                i == 0 ? "canonical URLs" : "Codings");
            }
        }
    }

    return HIE_OK;
}


static hie_rc_t
read_parameters(hie_job_t *job, labels_t *l)
{
    hie_rc_t    rc;
    hie_str_t   body;
    hie_doc_t  *d;
    hie_node_t  list, n;

    rc = hie_request_body(job, &body);
    if (rc == HIE_OK) {
        rc = hie_doc_parse(job->pool, body, job->rt->config->fhir.max_depth,
                           &d, &job->error);
    }

    if (rc != HIE_OK) {
        return rc;
    }

    l->given = d;
    l->meta = HIE_NODE_NONE;
    list = hie_doc_member(d, 0, "parameter");
    for (n = hie_doc_first(d, list);
         n != HIE_NODE_NONE;
         n = hie_doc_next(d, n))
    {
        if (hie_str_eqz(hie_doc_get(d, n, "name", job->pool), "meta")) {
            l->meta = hie_doc_member(d, n, "valueMeta");
        }
    }

    if (!hie_str_eqz(hie_doc_get(d, 0, "resourceType", job->pool),
                     "Parameters")
        || hie_doc_kind(d, l->meta) != HIE_NODE_OBJECT)
    {
        return hie_fail(&job->error, HIE_INVALID, "Parameters.parameter",
                        "expected Parameters with a parameter \"meta\" that "
                        "has a valueMeta");
    }

    return check_meta(l, &job->error);
}


static hie_rc_t
respond_meta(hie_job_t *job, const hie_write_t *w)
{
    hie_rc_t    rc;
    hie_buf_t   b;
    hie_doc_t  *d;

    rc = hie_doc_parse(job->pool, w->body, job->rt->config->fhir.max_depth,
                       &d, &job->error);
    if (rc != HIE_OK) {
        return rc;
    }

    hie_buf_init(&b, job->pool, 512);
    hie_buf_addz(&b, "{\"resourceType\":\"Parameters\",\"parameter\":["
                 "{\"name\":\"return\",\"valueMeta\":");
    hie_buf_adds(&b, hie_doc_raw(d, hie_doc_member(d, 0, "meta")));
    hie_buf_addz(&b, "}]}");
    hie_respond(job, 200, hie_buf_str(&b));
    hie_respond_version(job, w->version, w->updated);
    return HIE_OK;
}


static hie_rc_t
change_labels(hie_job_t *job, bool remove)
{
    hie_rc_t           rc;
    labels_t           l;
    hie_write_t        w;
    hie_write_rules_t  rules = hie_write_rules(job);

    memset(&w, 0, sizeof(w));
    w.kind = HIE_WRITE_PATCH;
    w.where = "";
    w.type = job->todo.type;
    w.id = job->todo.id;
    w.if_match = hie_request_header(&job->request, "If-Match");
    w.edit = edit_labels;
    w.baton = &l;
    l.remove = remove;

    if (job->todo.id.len == 0 || job->todo.version != 0) {
        return hie_fail(&job->error, HIE_UNPROCESSABLE, "",
                        "labels are changed at the current version of a "
                        "resource: expected [type]/[id]");
    }

    rc = hie_write_permit(job, &w);
    if (rc == HIE_OK) {
        rc = read_parameters(job, &l);
    }

    if (rc == HIE_OK) {
        rc = hie_write_run(job->rt->store, &rules, &w, 1, &job->error);
        hie_write_audit(job, &w);
    }

    return rc == HIE_OK ? respond_meta(job, &w) : rc;
}


hie_rc_t
hie_do_meta_add(hie_job_t *job)
{
    return change_labels(job, false);
}


hie_rc_t
hie_do_meta_delete(hie_job_t *job)
{
    return change_labels(job, true);
}
