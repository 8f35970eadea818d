-- Every entry of the audit trail has a link that carries the digest of the link before it, so that
-- whoever changes, removes or slips in an entry, with whatever rights, breaks a chain that anybody
-- can check.

-- ``day`` is UTC's and never runs backwards; ``number`` counts its entries from 1.
CREATE TABLE audit_links (
    audit_id bigint PRIMARY KEY,
    day      date NOT NULL,
    number   bigint NOT NULL CHECK (number > 0),
    previous bytea NOT NULL CHECK (length(previous) = 32),
    sha256   bytea NOT NULL CHECK (length(sha256) = 32),
    UNIQUE (day, number)
);

-- The last link once more: without it nobody would miss entries taken from the end.
CREATE TABLE audit_head (
    alone  boolean PRIMARY KEY DEFAULT true CHECK (alone),
    day    date NOT NULL,
    number bigint NOT NULL,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32)
);
INSERT INTO audit_head (day, number, sha256)
VALUES ('-infinity', 0, decode(repeat('00', 32), 'hex'));

-- A text preceded by its length in bytes: no two lists of texts read the same.
CREATE FUNCTION netstring(value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT octet_length(convert_to(value, 'UTF8')) || ':' || value || ','
$$;

-- service/chaining.py digests the same bytes.
CREATE FUNCTION audit_sha256(previous bytea, day date, number bigint, entry audit) RETURNS bytea
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT sha256(convert_to(
        netstring(encode(previous, 'hex')) || netstring(to_char(day, 'YYYY-MM-DD'))
        || netstring(number::text) || netstring(entry.id::text)
        || netstring(to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        || netstring(entry.actor) || netstring(entry.action) || netstring(entry.subject)
        || netstring(entry.detail::text), 'UTF8'))
$$;

CREATE FUNCTION link_audit(entries audit[]) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    head  audit_head;
    entry audit;
    day   date;
BEGIN
    -- Held until the transaction ends: a link is made of what is committed, one after another.
    SELECT * INTO STRICT head FROM audit_head FOR UPDATE;
    FOREACH entry IN ARRAY entries LOOP
        day := greatest((entry.at AT TIME ZONE 'UTC')::date, head.day);
        head.number := CASE WHEN day = head.day THEN head.number + 1 ELSE 1 END;
        head.day := day;
        INSERT INTO audit_links (audit_id, day, number, previous, sha256)
        VALUES (entry.id, head.day, head.number, head.sha256,
                audit_sha256(head.sha256, head.day, head.number, entry))
        RETURNING audit_links.sha256 INTO head.sha256;
    END LOOP;
    UPDATE audit_head SET day = head.day, number = head.number, sha256 = head.sha256;
END $$;

CREATE FUNCTION link_added_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM link_audit(coalesce((
        SELECT array_agg(a ORDER BY a.id) FROM audit AS a WHERE a.id IN (SELECT id FROM added)), '{}'));
    RETURN NULL;
END $$;

SELECT link_audit(coalesce((SELECT array_agg(a ORDER BY a.id) FROM audit AS a), '{}'));
CREATE TRIGGER linked AFTER INSERT ON audit REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION link_added_audit();

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_links
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON audit_links EXECUTE FUNCTION refuse_change();

-- Nobody dates an entry back, and only the trigger makes links.
REVOKE INSERT ON audit FROM moderation_app;
GRANT INSERT (actor, action, subject, detail) ON audit TO moderation_app;
REVOKE EXECUTE ON FUNCTION link_audit(audit[]) FROM PUBLIC;
GRANT SELECT ON audit_links, audit_head TO moderation_app;
