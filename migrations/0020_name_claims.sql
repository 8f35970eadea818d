-- Which claim took an upload: whoever never heard what his claim took gives it back by this name.
ALTER TABLE uploads ADD COLUMN claim uuid;
GRANT UPDATE (claim) ON uploads TO moderation_app;
