-- How many certificates of a source were renewed in a month in which it was watched; 0 is none.
CREATE TABLE renewal (
    source TEXT NOT NULL,
    month INTEGER NOT NULL,            -- months since the year 0, in UTC
    renewed INTEGER NOT NULL,
    PRIMARY KEY (source, month)
) STRICT, WITHOUT ROWID;
