-- The raw content of Binary resources, beside the documents that describe it.
--
-- A content is written once, in the transaction of the version that it belongs
-- to, and never changed: whoever has read the version reads the same chunks
-- whenever. It is kept as long as the version is, in the history too.

CREATE SEQUENCE hie.binary_content;

-- Which content a version has. A version without a row has its data, if any,
-- in its document.
CREATE TABLE hie.binary (
    version  bigint  NOT NULL,
    content  bigint  NOT NULL,
    size     bigint  NOT NULL,
    id       text    COLLATE "C" NOT NULL,
    PRIMARY KEY (id, version)
);

-- All chunks of a content have the same size but for the last. What comes is
-- mostly compressed already: it is not tried again.
CREATE TABLE hie.binary_chunk (
    content  bigint   NOT NULL,
    seq      integer  NOT NULL,
    data     bytea    NOT NULL,
    PRIMARY KEY (content, seq)
);

ALTER TABLE hie.binary_chunk ALTER COLUMN data SET STORAGE EXTERNAL;


-- To be called after hie.grant_server, which takes all away first.
CREATE FUNCTION hie.grant_binary(role text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    EXECUTE format('GRANT USAGE ON SEQUENCE hie.binary_content TO %I', role);
    EXECUTE format('GRANT SELECT, INSERT ON hie.binary, hie.binary_chunk'
                   ' TO %I', role);
END
$function$;

REVOKE ALL ON FUNCTION hie.grant_binary(text) FROM PUBLIC;
