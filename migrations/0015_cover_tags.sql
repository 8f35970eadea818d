-- With everything that pages are sorted by, a tag's cases are read from this alone, whose entries
-- stand side by side, while each row of the table would be in another place.
-- What a build that was cut off left behind is built anew.
-- no-transaction
DROP INDEX CONCURRENTLY IF EXISTS case_tags_received;
-- no-transaction
CREATE UNIQUE INDEX CONCURRENTLY case_tags_received
    ON case_tags (tag, received_at, upload_id) INCLUDE (rank);
