-- Everybody who pays changes the same rows of spending, and holds them to the end of his transaction.
-- So they are changed as late as can be, or all uploads together would be no faster than one after
-- the other, each with its ways to the database and back.

DROP TRIGGER keep_spending ON attempts;
-- Whoever has budgets to look at sees his own price in them at once, as did all code before this
-- file; others put it off by the function below.
CREATE CONSTRAINT TRIGGER keep_spending AFTER INSERT ON attempts
    DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW EXECUTE FUNCTION keep_spending();
-- What a call cost is looked at by nobody before the commit.  There, what was put off is done in the
-- order of the statements: all count a case before its money, and never wait in a circle.
CREATE CONSTRAINT TRIGGER settle_spending AFTER UPDATE ON attempts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_spending();

-- Tells whether budgets are set; where none is, what this transaction reserves is kept at its commit.
CREATE FUNCTION must_budget() RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM budgets) THEN
        RETURN true;
    END IF;
    SET CONSTRAINTS keep_spending DEFERRED;
    RETURN false;
END $$;
