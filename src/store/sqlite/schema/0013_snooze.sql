-- Of what nothing is said, until when, by whose word and why. What ended is kept for a year and a bit.
CREATE TABLE snooze (
    id TEXT PRIMARY KEY,
    made INTEGER NOT NULL,
    until INTEGER NOT NULL,
    hold INTEGER NOT NULL,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    link TEXT,                         -- the event whose message had the link that it was made by
    certificate TEXT,                  -- the id of the only certificate that it covers; NULL is a match
    certificate_row INTEGER,           -- its number then
    rung INTEGER,                      -- the rung that it stood on; NULL is none
    not_after INTEGER,                 -- when it ended; NULL is unknown
    wanted TEXT,                       -- the match
    ended INTEGER,                     -- NULL: it has not
    ended_by TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX snooze_ended ON snooze (ended) WHERE ended IS NOT NULL;

-- What this daemon signs with.
CREATE TABLE key (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
