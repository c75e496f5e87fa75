-- A schema per node: no writer shares a table with another node.

CREATE TABLE hie.node (
    name     text         COLLATE "C" PRIMARY KEY
                          CHECK (name ~ '^[a-z][a-z0-9_]{0,30}$'),
    created  timestamptz  NOT NULL DEFAULT now()
);


-- All audit logs in one view. The ids are ULIDs: they give a global order.
CREATE FUNCTION hie.unite_audit_logs() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    body text;
BEGIN
    SELECT string_agg(format(
               'SELECT %L::text COLLATE "C" AS node, id, recorded, subject,'
               ' issuer, organization, peer, interaction, type, resource_id,'
               ' query, decision, patients, resources, completed, status,'
               ' bytes, aborted, withheld, disclosed_resources,'
               ' disclosed_patients FROM %I.audit_log',
               n.name, 'hie_node_' || n.name), ' UNION ALL ' ORDER BY n.name)
      INTO body
      FROM hie.node n;

    EXECUTE 'CREATE OR REPLACE VIEW hie.v_all_audit_logs AS ' || body;
END
$function$;


-- An outcome is written once. What a server may fill in it may not rewrite.
CREATE FUNCTION hie.outcome_is_final() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE insufficient_privilege
        USING MESSAGE = 'the outcome of an audit record is final';
END
$function$;


-- Makes the schema of a node unless it is there.
--
-- audit_log has as few indexes as possible, because every request adds a row:
-- * the key is a ULID, ascending in time: insertion goes to the rightmost leaf,
--   and a range of time is a range of ids;
-- * the BRIN on recorded costs a summary per 128 pages;
-- * the partial one holds only rows that wait for their completion.
-- There is none on patients: a GIN would cost more than the row itself.
--
-- Whose data an answer has is in patients and resources where that is known
-- before it leaves. An answer of a server behind the gateway is judged only
-- after its row was promised: what was judged comes with the completion, into
-- withheld, disclosed_resources and disclosed_patients. They are null for all
-- other rows, and where there was no answer that could be judged.
CREATE FUNCTION hie.make_node(node text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    s text := 'hie_node_' || node;
BEGIN
    INSERT INTO hie.node (name) VALUES (node) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    EXECUTE format('CREATE SCHEMA %I', s);

    EXECUTE format('CREATE TABLE %I.audit_log ('
        'recorded timestamptz NOT NULL, '
        'completed timestamptz, '
        'bytes bigint, '
        'status integer, '
        'resources integer NOT NULL, '
        'withheld integer, '
        'disclosed_resources integer, '
        'aborted boolean, '
        'id text COLLATE "C" PRIMARY KEY, '
        'subject text NOT NULL, '
        'issuer text NOT NULL, '
        'organization text NOT NULL, '
        'peer text NOT NULL, '
        'interaction text NOT NULL, '
        'type text NOT NULL, '
        'resource_id text NOT NULL, '
        'query text NOT NULL, '
        'decision text NOT NULL, '
        'patients bigint[] NOT NULL, '
        'disclosed_patients bigint[])', s);
    EXECUTE format('CREATE INDEX audit_log_recorded ON %I.audit_log '
                   'USING brin (recorded)', s);
    EXECUTE format('CREATE INDEX audit_log_open ON %I.audit_log (id) '
                   'WHERE completed IS NULL', s);
    EXECUTE format('CREATE TRIGGER outcome_is_final BEFORE UPDATE '
                   'ON %I.audit_log FOR EACH ROW '
                   'WHEN (OLD.completed IS NOT NULL) '
                   'EXECUTE FUNCTION hie.outcome_is_final()', s);

    EXECUTE format('CREATE TABLE %I.journal_place ('
        'journal text COLLATE "C" NOT NULL, '
        'segment text COLLATE "C" NOT NULL, '
        'place bigint NOT NULL, '
        'PRIMARY KEY (journal, segment))', s);

    EXECUTE format('CREATE TABLE %I.dead_letter ('
        'id text COLLATE "C" PRIMARY KEY, '
        'created timestamptz NOT NULL DEFAULT now(), '
        'source text NOT NULL, '
        'location text NOT NULL, '
        'reason text NOT NULL, '
        'message bytea NOT NULL)', s);

    PERFORM hie.unite_audit_logs();
END
$function$;


-- What a server may do, and no more. In particular it can neither change who
-- did what in an audit log nor remove a row of it; it may add a row, fill in
-- the completion, and read the columns that ON CONFLICT DO UPDATE reads for
-- this, which are the same and the key.
CREATE FUNCTION hie.grant_server(role text, node text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    s text := 'hie_node_' || node;
BEGIN
    EXECUTE format('REVOKE ALL ON SCHEMA hie, %I FROM %I', s, role);
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA hie, %I FROM %I',
                   s, role);
    EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA hie, %I FROM %I',
                   s, role);
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA hie, %I FROM %I',
                   s, role);

    EXECUTE format('GRANT USAGE ON SCHEMA hie, %I TO %I', s, role);
    EXECUTE format('GRANT SELECT ON hie.schema_version, hie.secret TO %I',
                   role);
    EXECUTE format('GRANT USAGE ON SEQUENCE hie.resource_rid TO %I', role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (version, updated,'
                   ' care_from, care_until, method, deleted, patients,'
                   ' tokens, present, ref_params, ref_keys, body) ON hie.resource'
                   ' TO %I', role);
    EXECUTE format('GRANT SELECT, INSERT ON hie.resource_history, hie.label,'
                   ' hie.term TO %I', role);
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON hie.resource_string,'
                   ' hie.resource_date, hie.resource_number,'
                   ' hie.resource_text, hie.consent TO %I', role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON hie.load_state,'
                   ' hie.reindex TO %I', role);
    EXECUTE format('GRANT SELECT, UPDATE ON hie.registry TO %I', role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE'
                   ' ON hie.search_parameter TO %I', role);

    EXECUTE format('GRANT INSERT,'
                   ' SELECT (id, completed, status, bytes, aborted, withheld,'
                   ' disclosed_resources, disclosed_patients),'
                   ' UPDATE (completed, status, bytes, aborted, withheld,'
                   ' disclosed_resources, disclosed_patients)'
                   ' ON %I.audit_log TO %I', s, role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE'
                   ' ON %I.journal_place TO %I', s, role);
    EXECUTE format('GRANT INSERT, SELECT (id) ON %I.dead_letter TO %I',
                   s, role);
END
$function$;

REVOKE ALL ON FUNCTION hie.unite_audit_logs() FROM PUBLIC;
REVOKE ALL ON FUNCTION hie.outcome_is_final() FROM PUBLIC;
REVOKE ALL ON FUNCTION hie.make_node(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION hie.grant_server(text, text) FROM PUBLIC;
