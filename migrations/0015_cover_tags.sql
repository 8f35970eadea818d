-- no-transaction
-- With everything that pages are sorted by, a tag's cases are read from this alone, whose entries
-- stand side by side, while each row of the table would be in another place.
CREATE UNIQUE INDEX CONCURRENTLY case_tags_received
    ON case_tags (tag, received_at, upload_id) INCLUDE (rank);
