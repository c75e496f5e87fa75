/*
 * Edits: collected in any order, applied in one pass over the containers that
 * they touch; all other bytes are copied as they stand.
 */

#include "fhir/doc.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <apr_tables.h>

typedef enum {
    OP_REPLACE = 1,
    OP_REMOVE,
    OP_INSERT
} op_kind_t;

typedef struct {
    op_kind_t    kind;
    hie_node_t   node;      /* OP_INSERT: the container */
    hie_node_t   anchor;    /* OP_INSERT: goes after this child; NONE: first */
    const char  *name;      /* NULL: into an array */
    hie_str_t    with;
    int          seq;       /* order of the calls */
} op_t;

struct hie_edit_t {
    const hie_doc_t     *doc;
    apr_array_header_t  *ops;
};

typedef struct {
    const hie_doc_t  *doc;
    const op_t       *op;       /* next one to apply, in tape order */
    const op_t       *end;
    hie_buf_t         out;
    uint32_t          cursor;   /* all text before it is dealt with */
} apply_t;


hie_edit_t *
hie_edit_create(apr_pool_t *pool, const hie_doc_t *d)
{
    hie_edit_t  *e = apr_palloc(pool, sizeof(*e));

    e->doc = d;
    e->ops = apr_array_make(pool, 8, sizeof(op_t));

    return e;
}


static op_t *
add_op(hie_edit_t *e, op_kind_t kind, hie_node_t n)
{
    op_t  *op = apr_array_push(e->ops);

    memset(op, 0, sizeof(*op));
    op->kind = kind;
    op->node = n;
    op->anchor = HIE_NODE_NONE;
    op->seq = e->ops->nelts;

    return op;
}


void
hie_edit_replace(hie_edit_t *e, hie_node_t n, hie_str_t with)
{
    if (n != HIE_NODE_NONE) {
        add_op(e, OP_REPLACE, n)->with = with;
    }
}


/* The root cannot be taken away: there would be no document. */
void
hie_edit_remove(hie_edit_t *e, hie_node_t n)
{
    if (n != 0 && n != HIE_NODE_NONE) {
        add_op(e, OP_REMOVE, n);
    }
}


static op_t *
find_insert(hie_edit_t *e, hie_node_t object, const char *name)
{
    op_t  *op;
    int    i;

    for (i = 0; i < e->ops->nelts; i++) {
        op = &APR_ARRAY_IDX(e->ops, i, op_t);

        if (op->kind == OP_INSERT && op->node == object && op->name != NULL
            && strcmp(op->name, name) == 0)
        {
            return op;
        }
    }

    return NULL;
}


void
hie_edit_set(hie_edit_t *e, hie_node_t object, const char *name,
             hie_str_t with, const char *after)
{
    hie_node_t  n, anchor = HIE_NODE_NONE;
    op_t       *op;

    if (hie_doc_kind(e->doc, object) != HIE_NODE_OBJECT) {
        return;
    }

    n = hie_doc_member(e->doc, object, name);

    if (n != HIE_NODE_NONE) {
        hie_edit_replace(e, n, with);
        return;
    }

    op = find_insert(e, object, name);

    if (op != NULL) {
        op->with = with;
        return;
    }

    if (after != NULL) {
        anchor = hie_doc_member(e->doc, object, after);
        op = anchor == HIE_NODE_NONE ? find_insert(e, object, after) : NULL;

        /* behind one that goes in with this edit: same place, later call */
        if (op != NULL) {
            anchor = op->anchor;
        }
    }

    op = add_op(e, OP_INSERT, object);
    op->name = apr_pstrdup(e->ops->pool, name);
    op->with = with;
    op->anchor = anchor;
}


void
hie_edit_insert(hie_edit_t *e, hie_node_t array, hie_node_t before,
                hie_str_t with)
{
    hie_node_t   c, anchor = HIE_NODE_NONE;
    op_t        *op;

    if (hie_doc_kind(e->doc, array) != HIE_NODE_ARRAY) {
        return;
    }

    for (c = hie_doc_first(e->doc, array);
         c != HIE_NODE_NONE && c != before;
         c = hie_doc_next(e->doc, c))
    {
        anchor = c;
    }

    op = add_op(e, OP_INSERT, array);
    op->with = with;
    op->anchor = anchor;
}


static int
compare_ops(const void *va, const void *vb)
{
    const op_t  *a = va, *b = vb;

    if (a->node != b->node) {
        return a->node < b->node ? -1 : 1;
    }

    if ((a->kind == OP_INSERT) != (b->kind == OP_INSERT)) {
        return a->kind == OP_INSERT ? 1 : -1;
    }

    /* those put first (NONE + 1 is 0) come before those behind a child */
    if (a->anchor != b->anchor) {
        return a->anchor + 1 < b->anchor + 1 ? -1 : 1;
    }

    return (a->seq > b->seq) - (a->seq < b->seq);
}


static void
copy_to(apply_t *ap, uint32_t to)
{
    hie_buf_add(&ap->out, ap->doc->text + ap->cursor, to - ap->cursor);
    ap->cursor = to;
}


/* Where a child with its name starts, and where it ends. */
static uint32_t
child_start(const hie_tape_t *t)
{
    return t->flags & HIE_TAPE_MEMBER ? t->name - 1 : t->start;
}


static uint32_t
child_end(const hie_tape_t *t)
{
    return t->start + t->len;
}


/* What stands before a kept child: white space, and a comma if the child had
 * a sibling before it. `first`: nothing is left before the child. */
static void
copy_lead(apply_t *ap, uint32_t to, bool first)
{
    const char  *p = ap->doc->text + ap->cursor;
    const char  *comma = memchr(p, ',', to - ap->cursor);

    if (first && comma != NULL) {
        ap->cursor += (uint32_t) (comma - p) + 1;

    } else if (!first && comma == NULL) {
        hie_buf_addc(&ap->out, ',');
    }

    copy_to(ap, to);
}


/* A new member or element, indented like the child `like`. */
static void
put_child(apply_t *ap, const op_t *op, const hie_tape_t *like, bool first)
{
    const char  *p, *end;

    if (!first) {
        hie_buf_addc(&ap->out, ',');
    }

    if (like != NULL) {
        end = p = ap->doc->text + child_start(like);

        while (p[-1] == ' ' || p[-1] == '\n' || p[-1] == '\r'
               || p[-1] == '\t')
        {
            p--;
        }

        hie_buf_add(&ap->out, p, (size_t) (end - p));
    }

    if (op->name != NULL) {
        hie_buf_add_json(&ap->out, hie_str(op->name));
        hie_buf_addc(&ap->out, ':');

        if (like != NULL && ap->doc->text[like->start - 1] == ' ') {
            hie_buf_addc(&ap->out, ' ');
        }
    }

    hie_buf_adds(&ap->out, op->with);
}


static void
apply_container(apply_t *ap, hie_node_t n);


/* One child: taken away, replaced, or copied with what is edited in it. */
static bool
apply_child(apply_t *ap, hie_node_t c, bool first)
{
    const hie_tape_t  *t = &ap->doc->nodes[c];
    const op_t        *own = NULL, *op;

    for (op = ap->op; op < ap->end && op->node == c; op++) {
        if (op->kind != OP_INSERT && (own == NULL || own->kind != OP_REMOVE)) {
            own = op;           /* the last call counts; nothing undoes
                                   a removal */
        }
    }

    if (own == NULL) {
        copy_lead(ap, child_start(t), first);

        if (ap->op < ap->end && ap->op->node < c + t->size) {
            apply_container(ap, c);
        }

        copy_to(ap, child_end(t));

        return true;
    }

    while (ap->op < ap->end && ap->op->node < c + t->size) {
        ap->op++;
    }

    if (own->kind == OP_REPLACE) {
        copy_lead(ap, child_start(t), first);
        copy_to(ap, t->start);
        hie_buf_adds(&ap->out, own->with);
    }

    ap->cursor = child_end(t);

    return own->kind == OP_REPLACE;
}


static void
apply_container(apply_t *ap, hie_node_t n)
{
    const hie_tape_t  *like;
    const op_t        *insert = ap->op, *insert_end;
    hie_node_t         c = hie_doc_first(ap->doc, n);
    bool               first = true;

    like = c != HIE_NODE_NONE ? &ap->doc->nodes[c] : NULL;

    while (ap->op < ap->end && ap->op->node == n) {
        ap->op++;
    }

    insert_end = ap->op;
    copy_to(ap, ap->doc->nodes[n].start + 1);

    for (; insert < insert_end && insert->anchor == HIE_NODE_NONE; insert++) {
        put_child(ap, insert, like, first);
        first = false;
    }

    for (; c != HIE_NODE_NONE; c = hie_doc_next(ap->doc, c)) {
        if (apply_child(ap, c, first)) {
            first = false;
        }

        for (; insert < insert_end && insert->anchor == c; insert++) {
            put_child(ap, insert, &ap->doc->nodes[c], first);
            first = false;
        }
    }
}


hie_str_t
hie_edit_apply(hie_edit_t *e, apr_pool_t *pool)
{
    const hie_tape_t  *root = e->doc->nodes;
    const op_t        *ops = (const op_t *) e->ops->elts, *op;
    apply_t            ap;
    size_t             size = root->len;

    if (e->ops->nelts == 0) {
        return hie_doc_bytes(e->doc);
    }

    qsort(e->ops->elts, (size_t) e->ops->nelts, sizeof(op_t), compare_ops);

    for (op = ops; op < ops + e->ops->nelts; op++) {
        if (op->node == 0 && op->kind == OP_REPLACE) {
            return op->with;
        }

        size += op->with.len + 64 + (op->name != NULL ? strlen(op->name) : 0);
    }

    ap.doc = e->doc;
    ap.op = ops;
    ap.end = ops + e->ops->nelts;
    ap.cursor = root->start;
    hie_buf_init(&ap.out, pool, size + 1);

    apply_container(&ap, 0);
    copy_to(&ap, root->start + root->len);

    return hie_buf_str(&ap.out);
}
