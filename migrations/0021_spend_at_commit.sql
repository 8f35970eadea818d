-- Everybody who pays changes the same rows of spending, and holds them to the end of his transaction.
-- So they are changed as late as can be, or all uploads together would be no faster than one after
-- the other, each with its ways to the database and back.

DROP TRIGGER keep_spending ON attempts;
-- Whoever has budgets to look at sees his own price in them at once, as did all code before this
-- file; others put it off by the function below.
CREATE CONSTRAINT TRIGGER keep_spending AFTER INSERT ON attempts
    DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW EXECUTE FUNCTION keep_spending();
-- What a call cost is looked at by nobody before the commit.  There, what was put off is done in the
-- order of the statements: whoever ends an upload counts its case before its money, and whoever
-- enters something in the audit trail pays after that.
CREATE CONSTRAINT TRIGGER settle_spending AFTER UPDATE ON attempts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_spending();

-- Tells whether budgets are set; where none is, what this transaction reserves is kept at its commit.
-- Nobody sets one meanwhile, so that whoever sees it sees all that was reserved before.
CREATE FUNCTION must_budget() RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('budgets', 0));
    IF EXISTS (SELECT FROM budgets) THEN
        SET CONSTRAINTS keep_spending IMMEDIATE;
        RETURN true;
    END IF;
    SET CONSTRAINTS keep_spending DEFERRED;
    RETURN false;
END $$;
CREATE FUNCTION await_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('budgets', 0));
    RETURN NULL;
END $$;
CREATE TRIGGER await_entries BEFORE INSERT ON budgets
    FOR EACH STATEMENT EXECUTE FUNCTION await_entries();
