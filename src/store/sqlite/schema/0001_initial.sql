-- "ntaf": tells our files from those of other programs.
PRAGMA application_id = 1853120870;

CREATE TABLE scope (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    scope TEXT NOT NULL,
    UNIQUE (source, scope)
) STRICT;

-- The key is the number that the inventory gave, so a first import appends. No other index: ten million rows would
-- pay for it at every write, and what is asked often is answered by the inventory. The narrow columns come first, so
-- that a full scan for dates does not walk over the texts.
CREATE TABLE certificate (
    id INTEGER PRIMARY KEY,
    scope_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    provider_status INTEGER NOT NULL,
    status INTEGER NOT NULL,           -- after succession
    not_before INTEGER,                -- seconds; NULL is unknown
    not_after INTEGER,                 -- seconds; NULL is unknown
    fingerprint INTEGER NOT NULL,      -- the 64 bits of XXH3 as a signed number
    first_seen INTEGER NOT NULL,
    issuer TEXT NOT NULL,
    serial TEXT NOT NULL,
    common_name TEXT NOT NULL,
    holder TEXT NOT NULL,
    unit TEXT NOT NULL,
    names TEXT,                        -- JSON; NULL is none
    successors TEXT                    -- JSON; NULL is none
) STRICT;

CREATE TABLE ledger (
    certificate_id INTEGER PRIMARY KEY,
    rung INTEGER NOT NULL,             -- seconds before the end; 0 is the end itself
    at INTEGER NOT NULL,
    told TEXT NOT NULL                 -- JSON: names of channels
) STRICT;

CREATE TABLE condition (
    key TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE scan (
    source TEXT NOT NULL,
    scope TEXT NOT NULL,
    "window" TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    proven INTEGER NOT NULL,
    reported INTEGER NOT NULL,
    collected INTEGER NOT NULL,
    last_proven INTEGER,
    error TEXT,
    PRIMARY KEY (source, scope, "window")
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL                 -- JSON
) STRICT;

CREATE TABLE batch (
    channel TEXT NOT NULL,
    id TEXT NOT NULL,                  -- the event's own id when it is alone, so other channels have it too
    attempts INTEGER NOT NULL,
    detail INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    PRIMARY KEY (channel, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event INTEGER NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'dead')),
    batch TEXT,
    created_at INTEGER NOT NULL,       -- when the event was decided
    settled_at INTEGER,
    code TEXT,                         -- the service's word for a dead one
    UNIQUE (event, channel)
) STRICT;

-- Partial, so that what was sent long ago costs nothing.
CREATE INDEX delivery_pending ON delivery (channel, id, created_at) WHERE state = 'pending';
CREATE INDEX delivery_frozen ON delivery (batch) WHERE state = 'pending' AND batch IS NOT NULL;
CREATE INDEX delivery_sent ON delivery (settled_at) WHERE state = 'sent';

CREATE TABLE channel_state (
    channel TEXT PRIMARY KEY,
    gate_until INTEGER,
    down TEXT,
    failures INTEGER NOT NULL,
    last_success INTEGER
) STRICT, WITHOUT ROWID;
