/*
 * The snapshot of a profile that has only a differential (R4 section 5.1.0.5):
 * the elements of the profile that it is derived from, with what the
 * differential says laid over them. Of a type of R4 nothing is repeated: its
 * elements are checked by its own definition, so that what it says of the
 * elements that the differential names is all that is needed.
 */

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "validation/profile.h"

#define BASE        "http://hl7.org/fhir/StructureDefinition/"
#define DEPTH       200
#define LEVELS_MAX  30

/* Of all that a validator makes; what others wrote may ask for much. */
#define BYTES_MAX   ((size_t) 64 * 1024 * 1024)

typedef struct {
    hie_str_t  name;
    hie_str_t  raw;              /* JSON */
} member_t;

/* An element of the snapshot in the making. */
typedef struct {
    hie_str_t            id;
    apr_array_header_t  *members;
    bool                 said;   /* by the differential */
} made_t;

typedef struct {
    hie_validator_t     *v;
    apr_pool_t          *pool;
    profile_t           *p;
    int                  index;  /* in the differential */
    apr_array_header_t  *list;   /* made_t * */
    apr_hash_t          *by_id;
    hie_error_t         *err;
} maker_t;


static hie_rc_t
refuse(maker_t *m, hie_str_t id, const char *what)
{
    char  where[80];

    apr_snprintf(where, sizeof(where),
                 "StructureDefinition.differential.element[%d]", m->index);
    return hie_fail(m->err, HIE_INVALID, where, "%.*s: %.*s: %s",
                    (int) (m->p->url.len < 160 ? m->p->url.len : 160),
                    m->p->url.ptr, (int) (id.len < 100 ? id.len : 100),
                    id.ptr, what);
}


static made_t *
find(maker_t *m, hie_str_t id)
{
    return apr_hash_get(m->by_id, id.ptr, (apr_ssize_t) id.len);
}


static member_t *
member(const made_t *made, hie_str_t name)
{
    int        i;
    member_t  *members = (member_t *) made->members->elts;

    for (i = 0; i < made->members->nelts; i++) {
        if (hie_str_eq(members[i].name, name)) {
            return &members[i];
        }
    }

    return NULL;
}


static void
set(made_t *made, hie_str_t name, hie_str_t raw)
{
    member_t  *there = member(made, name);

    if (there == NULL) {
        there = apr_array_push(made->members);
        there->name = name;
    }

    there->raw = raw;
}


static hie_str_t
quoted(maker_t *m, hie_str_t s)
{
    hie_buf_t  b;

    hie_buf_init(&b, m->pool, s.len + 8);
    hie_buf_add_json(&b, s);
    return hie_buf_str(&b);
}


static made_t *
make(maker_t *m, hie_str_t id)
{
    made_t  *made = apr_pcalloc(m->pool, sizeof(*made));

    made->id = id;
    made->members = apr_array_make(m->pool, 8, sizeof(member_t));
    set(made, HIE_STR("id"), quoted(m, id));
    APR_ARRAY_PUSH(m->list, made_t *) = made;
    apr_hash_set(m->by_id, id.ptr, (apr_ssize_t) id.len, made);
    return made;
}


/* The invariants of both hold; of anything else the later word. */
static void
merge(maker_t *m, made_t *made, const hie_doc_t *d, hie_node_t element)
{
    hie_buf_t   b;
    hie_str_t   name, raw;
    member_t   *there;
    hie_node_t  n;

    for (n = hie_doc_first(d, element); n != HIE_NODE_NONE;
         n = hie_doc_next(d, n))
    {
        name = hie_doc_name(d, n, m->pool);
        raw = hie_doc_raw(d, n);
        there = member(made, name);

        if (hie_str_eqz(name, "id")) {
            continue;
        }

        if (there != NULL && hie_str_eqz(name, "constraint")
            && there->raw.len > 2 && raw.len > 2)
        {
            hie_buf_init(&b, m->pool, there->raw.len + raw.len);
            hie_buf_add(&b, there->raw.ptr, there->raw.len - 1);
            hie_buf_addc(&b, ',');
            hie_buf_add(&b, raw.ptr + 1, raw.len - 1);
            raw = hie_buf_str(&b);
        }

        set(made, name, raw);
    }
}


/*
 * What R4 says of an element, as far as it is needed to compile one.
 */

static bool
is_choice(const hie_element_t *e)
{
    return (e->flags & HIE_ELEMENT_CHOICE) != 0;
}


/* Of all rows of a choice, or of this one. */
static void
set_types(maker_t *m, made_t *made, const hie_element_t *e, bool all)
{
    hie_buf_t                     b;
    const hie_element_t          *row;
    const hie_type_info_t        *t;

    hie_buf_init(&b, m->pool, 128);
    for (row = e; row < hie_elements + hie_n_elements
                  && row->order == e->order; row++)
    {
        t = &hie_types[row->type];
        hie_buf_addf(&b, "%s{\"code\":\"%s\"}", row == e ? "[" : ",",
                     t->kind == HIE_KIND_BACKBONE ? "BackboneElement"
                                                  : t->name);
        if (!all) {
            break;
        }
    }

    hie_buf_addc(&b, ']');
    set(made, HIE_STR("type"), hie_buf_str(&b));
}


/* The path is the type's name where that is defined in place. What R4 says of
 * how many there are is not repeated for a slice, of which it does not say
 * it. */
static void
set_base(maker_t *m, made_t *made, hie_type_t type, const hie_element_t *e)
{
    hie_buf_t               b;
    const char             *min, *max;
    const hie_type_info_t  *t = &hie_types[e->type];

    hie_buf_init(&b, m->pool, 128);
    if (t->kind == HIE_KIND_BACKBONE) {
        hie_buf_addf(&b, "{\"path\":\"%s\"", t->name);
    } else {
        hie_buf_addf(&b, "{\"path\":\"%s.%.*s\"", hie_types[type].name,
                     e->stem_len, e->name);
    }

    min = apr_psprintf(m->pool, "%d", e->min);
    max = e->max == 0 ? "\"*\"" : apr_psprintf(m->pool, "\"%d\"", e->max);
    hie_buf_addf(&b, ",\"min\":%s,\"max\":%s}", min, max);
    set(made, HIE_STR("base"), hie_buf_str(&b));
    if (memchr(made->id.ptr, ':', made->id.len) == NULL) {
        set(made, HIE_STR("min"), hie_str(min));
        set(made, HIE_STR("max"), hie_str(max));
    }
}


static made_t *
ensure(maker_t *m, hie_str_t id, hie_type_t type, const hie_element_t *e)
{
    made_t  *made = find(m, id);

    if (made == NULL) {
        made = make(m, id);
        if (e != NULL) {
            set_types(m, made, e, is_choice(e));
            set_base(m, made, type, e);
        }
    }

    return made;
}


/*
 * Ids.
 */

/* The only type of an element, by what was made of it; or NONE. */
static hie_type_t
single_type(maker_t *m, const made_t *made)
{
    hie_doc_t   *d;
    member_t    *t = member(made, HIE_STR("type"));
    hie_node_t   first;

    if (t == NULL || hie_doc_parse(m->pool, t->raw, DEPTH, &d, NULL) != HIE_OK
        || hie_doc_count(d, 0) != 1)
    {
        return HIE_TYPE_NONE;
    }

    first = hie_doc_first(d, 0);
    return hie_type_find(hie_doc_get(d, first, "code", m->pool));
}


static hie_type_t
type_below(maker_t *m, hie_type_t type, const hie_element_t *e,
           const made_t *made, hie_str_t slice)
{
    const hie_element_t  *row;

    if (e == NULL) {
        return HIE_TYPE_NONE;
    }

    if (!is_choice(e)) {
        return hie_types[e->type].kind == HIE_KIND_RESOURCE ? HIE_TYPE_NONE
               : e->type;
    }

    row = slice.len > 0 ? hie_element_find(type, slice) : NULL;
    return row != NULL && row->order == e->order ? row->type
           : single_type(m, made);
}


/* A choice is sliced by type, extensions by their url, without saying so. */
static hie_rc_t
slice_of(maker_t *m, made_t *made, hie_str_t name, const hie_element_t *e,
         hie_str_t id)
{
    if (member(made, HIE_STR("slicing")) != NULL) {
        return HIE_OK;
    }

    if (e != NULL && is_choice(e)) {
        set(made, HIE_STR("slicing"),
            HIE_STR("{\"discriminator\":[{\"type\":\"type\",\"path\":"
                    "\"$this\"}],\"rules\":\"open\"}"));
        return HIE_OK;
    }

    if (hie_str_eqz(name, "extension")
        || hie_str_eqz(name, "modifierExtension"))
    {
        set(made, HIE_STR("slicing"),
            HIE_STR("{\"discriminator\":[{\"type\":\"value\",\"path\":"
                    "\"url\"}],\"rules\":\"open\"}"));
        return HIE_OK;
    }

    return refuse(m, id, "a slice of an element that is not sliced");
}


static hie_str_t
join(maker_t *m, hie_str_t a, const char *between, hie_str_t b)
{
    hie_buf_t  buf;

    hie_buf_init(&buf, m->pool, a.len + b.len + 8);
    hie_buf_adds(&buf, a);
    hie_buf_addz(&buf, between);
    hie_buf_adds(&buf, b);
    return hie_buf_str(&buf);
}


/* A slice that has the name of a member is of that member's type. */
static made_t *
ensure_slice(maker_t *m, hie_str_t id, hie_type_t type,
             const hie_element_t *e, hie_str_t slice)
{
    bool                  is_new = find(m, id) == NULL;
    made_t               *made = ensure(m, id, type, e);
    const hie_element_t  *row;

    row = e != NULL && is_choice(e) ? hie_element_find(type, slice) : NULL;
    if (is_new && row != NULL && row->order == e->order) {
        set_types(m, made, row, false);
    }

    return made;
}


/* What a slice is one of: the element, or its slice "a" for "a/b". */
static made_t *
sliced_by(maker_t *m, made_t *element, hie_str_t slice)
{
    while (slice.len > 0 && slice.ptr[slice.len - 1] != '/') {
        slice.len--;
    }

    if (slice.len == 0) {
        return element;
    }

    slice.len--;
    return find(m, join(m, element->id, ":", slice));
}


/* One step down; "valueQuantity" is value[x], sliced by its type. */
static hie_rc_t
step(maker_t *m, hie_str_t id, hie_str_t segment, bool last,
     hie_type_t *type, made_t **at)
{
    bool                  choice;
    made_t               *made;
    hie_str_t             slice, below, name;
    hie_rc_t              rc;
    const hie_element_t  *e = NULL;

    name = hie_str_split(segment, ':', &slice);
    choice = name.len > 3 && memcmp(name.ptr + name.len - 3, "[x]", 3) == 0;
    if (choice) {
        name.len -= 3;
    }

    if (*type != HIE_TYPE_NONE) {
        e = hie_element_stem(*type, name);
        if (e == NULL) {
            e = hie_element_find(*type, name);
            slice = name;
        }

        if (e == NULL) {
            return refuse(m, id, "there is no such element");
        }

        name = (hie_str_t) { e->name, e->stem_len };
        e = hie_element_stem(*type, name);
    }

    below = join(m, (*at)->id, ".", name);
    if (e != NULL ? is_choice(e) : choice) {
        below = join(m, below, "[x]", HIE_STR(""));
    }

    made = ensure(m, below, *type, e);
    if (slice.len > 0) {
        made = sliced_by(m, made, slice);
        if (made == NULL) {
            return refuse(m, id, "it is a slice of one that is not known");
        }

        rc = slice_of(m, made, name, e, id);
        if (rc != HIE_OK) {
            return rc;
        }

        below = join(m, below, ":", slice);
        if (!last && find(m, below) == NULL && !(e != NULL && is_choice(e))) {
            return refuse(m, id, "it is below a slice that is not known");
        }

        made = ensure_slice(m, below, *type, e, slice);
    }

    *type = type_below(m, *type, e, made, slice);
    *at = made;
    return HIE_OK;
}


/* The element that an id of the differential means, with all above it. */
static hie_rc_t
walk(maker_t *m, hie_str_t id, made_t **out)
{
    int         levels = 0;
    hie_rc_t    rc = HIE_OK;
    hie_str_t   rest, segment;
    hie_type_t  type = m->p->type;

    segment = hie_str_split(id, '.', &rest);
    *out = APR_ARRAY_IDX(m->list, 0, made_t *);
    if (!hie_str_eqz(segment, hie_types[type].name)) {
        return refuse(m, id, "it does not begin with the profile's type");
    }

    while (rc == HIE_OK && rest.ptr != NULL) {
        segment = hie_str_split(rest, '.', &rest);
        if (segment.len == 0 || ++levels > LEVELS_MAX) {
            return refuse(m, id, "it is no id of an element");
        }

        rc = step(m, id, segment, rest.ptr == NULL, &type, out);
    }

    return rc;
}


/*
 * Laying over.
 */

static uint64_t
limit(hie_str_t raw, uint64_t otherwise)
{
    uint64_t  value;

    if (raw.len > 1 && raw.ptr[0] == '"') {
        raw.ptr++;
        raw.len -= 2;
    }

    return hie_str_u64(raw, &value) ? value : otherwise;
}


static uint64_t
limit_of(const made_t *made, const char *name, uint64_t otherwise)
{
    member_t  *there = member(made, hie_str(name));

    return there != NULL ? limit(there->raw, otherwise) : otherwise;
}


/* A profile may narrow how many there are, not widen. */
static hie_rc_t
lay_over(maker_t *m, made_t *made, const hie_doc_t *d, hie_node_t element)
{
    uint64_t  min = limit_of(made, "min", 0);
    uint64_t  max = limit_of(made, "max", UINT64_MAX);

    if (made->said) {
        return refuse(m, made->id, "it is there twice");
    }

    made->said = true;
    merge(m, made, d, element);
    if (limit_of(made, "min", 0) < min) {
        return refuse(m, made->id, "its min is less than that of the base");
    }

    if (limit_of(made, "max", UINT64_MAX) > max) {
        return refuse(m, made->id, "its max is more than that of the base");
    }

    return limit_of(made, "min", 0) <= limit_of(made, "max", UINT64_MAX)
           ? HIE_OK : refuse(m, made->id, "its min is more than its max");
}


/* An id should be there; what it would be follows from path and name. */
static hie_str_t
id_of(maker_t *m, const hie_doc_t *d, hie_node_t element)
{
    hie_str_t  id, path, slice;

    id = hie_doc_get(d, element, "id", m->pool);
    path = hie_doc_get(d, element, "path", m->pool);
    slice = hie_doc_get(d, element, "sliceName", m->pool);
    if (id.len > 0) {
        return id;
    }

    return slice.len > 0 ? join(m, path, ":", slice) : path;
}


static hie_rc_t
take_differential(maker_t *m, const hie_doc_t *d)
{
    hie_rc_t    rc = HIE_OK;
    made_t     *made;
    hie_node_t  n;

    for (n = hie_doc_first(d, hie_doc_member(d, hie_doc_member(
                               d, 0, "differential"), "element"));
         rc == HIE_OK && n != HIE_NODE_NONE; n = hie_doc_next(d, n))
    {
        rc = walk(m, id_of(m, d, n), &made);
        if (rc == HIE_OK) {
            rc = lay_over(m, made, d, n);
        }

        if (rc == HIE_OK && m->list->nelts > HIE_PROFILE_ELEMENTS_MAX) {
            rc = refuse(m, made->id, "there are too many elements");
        }

        m->index++;
    }

    return rc;
}


static void
take_base(maker_t *m, const hie_doc_t *d)
{
    made_t     *made;
    hie_node_t  n;

    for (n = hie_doc_first(d, hie_doc_member(d, hie_doc_member(
                               d, 0, "snapshot"), "element"));
         n != HIE_NODE_NONE; n = hie_doc_next(d, n))
    {
        made = make(m, id_of(m, d, n));
        merge(m, made, d, n);
    }
}


static hie_rc_t
write_snapshot(maker_t *m)
{
    int         i, k;
    made_t     *made;
    member_t   *members;
    hie_buf_t   b;

    hie_buf_init(&b, m->v->pool, 4096);
    hie_buf_addz(&b, "{\"snapshot\":{\"element\":[");
    for (i = 0; i < m->list->nelts; i++) {
        made = APR_ARRAY_IDX(m->list, i, made_t *);
        members = (member_t *) made->members->elts;
        hie_buf_addz(&b, i > 0 ? ",{" : "{");
        for (k = 0; k < made->members->nelts; k++) {
            hie_buf_addz(&b, k > 0 ? "," : "");
            hie_buf_add_json(&b, members[k].name);
            hie_buf_addc(&b, ':');
            hie_buf_adds(&b, members[k].raw);
        }

        hie_buf_addc(&b, '}');
    }

    hie_buf_addz(&b, "]}}");
    m->v->made += b.len;
    return hie_doc_parse(m->v->pool, hie_buf_str(&b), DEPTH,
                         (hie_doc_t **) &m->p->doc, m->err);
}


/*
 * What it is derived from.
 */

static bool
is_type(hie_str_t url, hie_type_t type)
{
    hie_str_t  rest;

    url = hie_str_split(url, '|', &rest);
    if (!hie_str_starts(url, BASE)) {
        return false;
    }

    url.ptr += sizeof(BASE) - 1;
    url.len -= sizeof(BASE) - 1;
    return hie_type_is(type, hie_type_find(url));
}


static hie_rc_t
base_of(maker_t *m, const hie_doc_t **d)
{
    hie_str_t         url, rest;
    profile_t        *own;
    const profile_t  *base;

    *d = NULL;
    url = hie_doc_get(m->p->doc, 0, "baseDefinition", m->pool);
    if (is_type(url, m->p->type)) {
        return HIE_OK;
    }

    base = hie_profile_find(m->v, url);
    if (base == NULL || base->type != m->p->type) {
        return hie_fail(m->err, HIE_INVALID,
                        "StructureDefinition.baseDefinition",
                        "%.*s: neither a type of R4 nor a profile of it that "
                        "is known: %.*s", (int) (m->p->url.len < 160
                                                 ? m->p->url.len : 160),
                        m->p->url.ptr, (int) (url.len < 160 ? url.len : 160),
                        url.ptr);
    }

    url = hie_str_split(url, '|', &rest);
    own = apr_hash_get(m->v->profiles, url.ptr, (apr_ssize_t) url.len);
    if (own != NULL && hie_profile_snapshot(m->v, own, m->err) != HIE_OK) {
        return HIE_INVALID;
    }

    *d = base->doc;
    return HIE_OK;
}


hie_rc_t
hie_profile_snapshot(hie_validator_t *v, profile_t *p, hie_error_t *err)
{
    hie_rc_t          rc;
    made_t           *root;
    maker_t           m = { .v = v, .p = p, .err = err };
    const hie_doc_t  *base = NULL, *d = p->doc;

    if (!p->differential) {
        return HIE_OK;
    }

    if (p->busy) {
        return hie_fail(err, HIE_INVALID,
                        "StructureDefinition.baseDefinition",
                        "%.*s: it is derived from itself",
                        (int) (p->url.len < 160 ? p->url.len : 160),
                        p->url.ptr);
    }

    p->busy = true;
    apr_pool_create(&m.pool, v->pool);
    m.list = apr_array_make(m.pool, 64, sizeof(made_t *));
    m.by_id = apr_hash_make(m.pool);

    rc = v->made < BYTES_MAX ? base_of(&m, &base)
         : hie_fail(err, HIE_INVALID, "StructureDefinition.differential",
                    "%.*s: the snapshots of all profiles are too large",
                    (int) (p->url.len < 160 ? p->url.len : 160), p->url.ptr);
    if (rc == HIE_OK && base != NULL) {
        take_base(&m, base);
    } else if (rc == HIE_OK) {
        root = make(&m, hie_str(hie_types[p->type].name));
        set(root, HIE_STR("base"),
            hie_str(apr_psprintf(m.pool, "{\"path\":\"%s\",\"min\":0,"
                                 "\"max\":\"*\"}", hie_types[p->type].name)));
    }

    if (rc == HIE_OK) {
        rc = take_differential(&m, d);
    }

    if (rc == HIE_OK) {
        rc = write_snapshot(&m);
    }

    apr_pool_destroy(m.pool);
    p->differential = rc != HIE_OK;
    p->busy = false;
    return rc;
}
