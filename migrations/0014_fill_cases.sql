-- no-transaction
-- The cases of uploads that ended before there were any, some at a time, so that nobody is held up.
-- Each batch is locked before it is read, since another may be changing an upload just now.
DO $$
DECLARE
    batch uuid[];
    last  uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    LOOP
        batch := ARRAY(SELECT id FROM uploads
                        WHERE id > last AND state IN ('done', 'failed')
                        ORDER BY id LIMIT 1000 FOR SHARE);
        EXIT WHEN cardinality(batch) = 0;
        PERFORM keep_cases(batch);
        last := batch[cardinality(batch)];
        COMMIT;
    END LOOP;
END $$;
