-- Resources, what they are found by, and consent.
--
-- Fixed-width columns stand first: a tuple is taken apart from the left, and
-- the columns of a read are reached without walking over the text ones.

CREATE SCHEMA hie;

CREATE TABLE hie.schema_version (
    version  integer      PRIMARY KEY,
    name     text         NOT NULL,
    applied  timestamptz  NOT NULL DEFAULT now()
);

CREATE SEQUENCE hie.resource_rid;

-- The current version of each resource. A deleted one keeps its row and its
-- patients, for whom it is withheld or gone.
--
-- A contained resource that a search parameter of its container leads to has a
-- row too, for chains: of the type '#Type', which nobody else asks for, under
-- the id 'Type/id#id', without a body, with the patients of its container.
CREATE TABLE hie.resource (
    rid         bigint       NOT NULL DEFAULT nextval('hie.resource_rid'),
    -- hash of 'Type/id': one number tells all resources apart, and references
    -- have it too
    key         bigint       PRIMARY KEY,
    version     bigint       NOT NULL,
    updated     timestamptz  NOT NULL,
    -- the time of care that it is about; what has none is about all times
    care_from   timestamptz  NOT NULL DEFAULT '-infinity',
    care_until  timestamptz  NOT NULL DEFAULT 'infinity',
    -- the request that made the version: 1 PUT, 2 POST, 3 DELETE, 4 PATCH
    method      smallint     NOT NULL DEFAULT 1,
    deleted     boolean      NOT NULL DEFAULT false,
    -- of a contained resource the key of what contains it
    owner       bigint,
    type        text         COLLATE "C" NOT NULL,
    id          text         COLLATE "C" NOT NULL,
    patients    bigint[]     NOT NULL,
    tokens      bigint[]     NOT NULL,
    -- keys of the search parameters that have a value
    present     integer[]    NOT NULL DEFAULT '{}',
    -- resources of ours that it refers to, two arrays side by side: the key
    -- of the search parameter, and that of the resource. Under 0 stands what
    -- it refers to elsewhere, but patients.
    ref_params  integer[]    NOT NULL DEFAULT '{}',
    ref_keys    bigint[]     NOT NULL DEFAULT '{}',
    body        bytea        COMPRESSION lz4 NOT NULL
);

ALTER SEQUENCE hie.resource_rid OWNED BY hie.resource.rid;

-- The history of a type, and of all types one by one. It stands before the
-- next one, which of two that are as good on an empty table is chosen then.
CREATE INDEX resource_updated ON hie.resource (type, updated, rid);

-- Pages are in the order of rid. With type in front the index serves a search
-- without criteria, which would otherwise walk over the rows of other types.
CREATE UNIQUE INDEX resource_rid_key ON hie.resource (type, rid);

-- What a resource contains.
CREATE INDEX resource_owner ON hie.resource (owner) WHERE owner IS NOT NULL;

-- A token's hash covers its resource type. The pending list is what makes
-- bulk insertion fast; every search reads all of it, hence the small limit.
CREATE INDEX resource_tokens ON hie.resource USING gin (tokens)
    WITH (fastupdate = on, gin_pending_list_limit = 256);

-- Which tokens are frequent decides how a search goes about: a token that is
-- not among these should be rare.
ALTER TABLE hie.resource ALTER COLUMN tokens SET STATISTICS 1000;

-- All that is about a patient.
CREATE INDEX resource_patients ON hie.resource USING gin (patients)
    WITH (fastupdate = on, gin_pending_list_limit = 64);

-- Superseded versions only; `superseded` is when the next one was made.
CREATE TABLE hie.resource_history (
    rid         bigint       NOT NULL,
    version     bigint       NOT NULL,
    updated     timestamptz  NOT NULL,
    superseded  timestamptz  NOT NULL,
    method      smallint     NOT NULL,
    deleted     boolean      NOT NULL,
    type        text         COLLATE "C" NOT NULL,
    id          text         COLLATE "C" NOT NULL,
    patients    bigint[]     NOT NULL,
    body        bytea        COMPRESSION lz4 NOT NULL,
    PRIMARY KEY (type, id, version)
);

CREATE INDEX resource_history_updated
    ON hie.resource_history (type, updated, rid, version);

-- What a search compares by order. A slot is the hash of type and parameter,
-- or, of a composite, with the code of its first component, whose system is
-- the scope then.
--
-- No index is unique: the old values of a resource are taken away and its new
-- ones written by one statement.
CREATE TABLE hie.resource_string (
    rid    bigint  NOT NULL,
    slot   bigint  NOT NULL,
    scope  bigint,
    value  text    COLLATE "C" NOT NULL
);

CREATE INDEX resource_string_value
    ON hie.resource_string (slot, value, rid);
CREATE INDEX resource_string_rid ON hie.resource_string (rid);

-- Microseconds since 1970, the end excluded. Most are times to the second:
-- these end in the order in which they begin, and have no index of their ends.
CREATE TABLE hie.resource_date (
    rid    bigint  NOT NULL,
    slot   bigint  NOT NULL,
    low    bigint  NOT NULL,
    high   bigint  NOT NULL,
    scope  bigint
);

CREATE INDEX resource_date_low ON hie.resource_date (slot, low, rid, high);
CREATE INDEX resource_date_end
    ON hie.resource_date (slot, (high - 1000000), rid)
    WHERE high <> low + 1000000;
CREATE INDEX resource_date_long
    ON hie.resource_date (slot, high, low, rid)
    WHERE high > low + 86400000000;
CREATE INDEX resource_date_rid ON hie.resource_date (rid);

-- What a parameter and a composite find by the same number is one row: the slot
-- of the composite, in which the scope is, stands beside that of the parameter.
-- As written, with system and code of the unit, and in the canonical unit of
-- UCUM where there is one. Both ends are included. low_float and unit_float are
-- the lower ends once more, rounded: an index compares these several times
-- faster than decimal numbers, and what it finds is compared exactly.
CREATE TABLE hie.resource_number (
    rid         bigint   NOT NULL,
    slot        bigint,
    part        bigint,
    unit        bigint,
    system      bigint,
    code        bigint,
    scope       bigint,
    low_float   float8   NOT NULL,
    unit_float  float8,
    low         numeric  NOT NULL,
    high        numeric  NOT NULL,
    unit_low    numeric,
    unit_high   numeric
);

CREATE INDEX resource_number_low ON hie.resource_number (slot, low_float, rid)
    WHERE slot IS NOT NULL;
CREATE INDEX resource_number_high ON hie.resource_number (slot, high, rid)
    WHERE high <> low AND slot IS NOT NULL;
CREATE INDEX resource_number_unit_low
    ON hie.resource_number (slot, unit, unit_float, rid)
    WHERE unit IS NOT NULL AND slot IS NOT NULL;
CREATE INDEX resource_number_unit_high
    ON hie.resource_number (slot, unit, unit_high, rid)
    WHERE unit_high <> unit_low AND slot IS NOT NULL;
CREATE INDEX resource_number_part_low
    ON hie.resource_number (part, low_float, rid)
    WHERE part IS NOT NULL;
CREATE INDEX resource_number_part_high ON hie.resource_number (part, high, rid)
    WHERE high <> low AND part IS NOT NULL;
CREATE INDEX resource_number_part_unit_low
    ON hie.resource_number (part, unit, unit_float, rid)
    WHERE unit IS NOT NULL AND part IS NOT NULL;
CREATE INDEX resource_number_part_unit_high
    ON hie.resource_number (part, unit, unit_high, rid)
    WHERE unit_high <> unit_low AND part IS NOT NULL;
CREATE INDEX resource_number_rid ON hie.resource_number (rid);

-- All words; those of the narrative have weight A, the others D.
CREATE TABLE hie.resource_text (
    rid    bigint    NOT NULL,
    words  tsvector  COMPRESSION lz4 NOT NULL
);

CREATE INDEX resource_text_rid ON hie.resource_text (rid);
CREATE INDEX resource_text_words ON hie.resource_text USING gin (words)
    WITH (fastupdate = on, gin_pending_list_limit = 512);

-- What tokens say: codes, urls, and the words that go with codes. One row for
-- all that have the token; it stays when the last of them is gone.
CREATE TABLE hie.term (
    key    bigint  PRIMARY KEY,
    slot   bigint  NOT NULL,
    value  text    COLLATE "C" NOT NULL
);

CREATE INDEX term_value ON hie.term (slot, value);

-- The labels of meta (1 profile, 2 security, 3 tag) that resources have had,
-- each once for a type; the token is that by which _profile, _security and _tag
-- find those that have it.
CREATE TABLE hie.label (
    key    bigint    PRIMARY KEY,
    token  bigint    NOT NULL,
    kind   smallint  NOT NULL,
    type   text      COLLATE "C" NOT NULL,
    value  text      COLLATE "C" NOT NULL
);

CREATE INDEX label_type ON hie.label (type);

-- What can be enforced of each Consent, a row per patient.
CREATE TABLE hie.consent (
    patient      bigint       NOT NULL,
    valid_from   timestamptz  NOT NULL DEFAULT '-infinity',
    valid_until  timestamptz  NOT NULL DEFAULT 'infinity',
    base_permit  boolean      NOT NULL,
    consent_id   text         COLLATE "C" NOT NULL,
    permit       bigint[]     NOT NULL,
    deny         bigint[]     NOT NULL
);

CREATE INDEX consent_patient ON hie.consent (patient);
CREATE INDEX consent_id ON hie.consent (consent_id);

-- One row. Three random UUIDs hold 366 bits of the server's strong randomness.
CREATE TABLE hie.secret (
    single  boolean  PRIMARY KEY DEFAULT true CHECK (single),
    value   bytea    NOT NULL CHECK (length(value) = 32)
);

INSERT INTO hie.secret (value)
    VALUES (sha256(uuid_send(gen_random_uuid())
                   || uuid_send(gen_random_uuid())
                   || uuid_send(gen_random_uuid())));

CREATE TABLE hie.load_state (
    digest   text         COLLATE "C" PRIMARY KEY,
    done     bigint       NOT NULL,
    updated  timestamptz  NOT NULL DEFAULT now()
);

-- The generation of the search parameters that stored SearchParameter resources
-- define, beside those of R4. One row. What is written by an older generation
-- than this is refused. `base` is our own URL, as the last writer of a
-- SearchParameter knew it.
CREATE TABLE hie.registry (
    single      boolean  PRIMARY KEY DEFAULT true CHECK (single),
    generation  bigint   NOT NULL,
    base        text     NOT NULL DEFAULT ''
);

INSERT INTO hie.registry (generation) VALUES (0);

-- Those that are served, by the id of the resource. `mark` tells whether what
-- it defines is still the same, `generation` since when it is.
CREATE TABLE hie.search_parameter (
    id          text    COLLATE "C" PRIMARY KEY,
    url         text    COLLATE "C" NOT NULL,
    mark        bigint  NOT NULL,
    generation  bigint  NOT NULL
);

-- By which generation all rows of a type are found. A pass over them is done
-- by whoever has locked the row; `pass` is its generation, `place` the rid that
-- it has come to, from `first` to `last`.
CREATE TABLE hie.reindex (
    type    text    COLLATE "C" PRIMARY KEY,
    wanted  bigint  NOT NULL,
    done    bigint  NOT NULL DEFAULT 0,
    pass    bigint  NOT NULL DEFAULT 0,
    first   bigint  NOT NULL DEFAULT 0,
    last    bigint  NOT NULL DEFAULT 0,
    place   bigint  NOT NULL DEFAULT 0,
    rows    bigint  NOT NULL DEFAULT 0
);

-- A statement that finds something else than what it was made for fails as a
-- serialisation failure does: its transaction has lost against another one.
CREATE FUNCTION hie.conflict() RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$;
