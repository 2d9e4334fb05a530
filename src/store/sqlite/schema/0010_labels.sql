-- Labels of certificates. Most certificates of an account have the same, so each set of them is kept once.
CREATE TABLE label_set (
    id INTEGER PRIMARY KEY,
    labels TEXT NOT NULL UNIQUE        -- JSON: values by name
) STRICT;
ALTER TABLE certificate ADD COLUMN labels INTEGER;   -- NULL is none
