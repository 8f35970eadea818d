-- The index that covers pages takes the place of the one that only kept tags unique, so that a case
-- costs no more entries than before.
ALTER TABLE case_tags
    DROP CONSTRAINT case_tags_pkey,
    ADD CONSTRAINT case_tags_pkey PRIMARY KEY USING INDEX case_tags_received;
