-- What a delivery is about: the open alert of a certificate, or a condition. A delivery that is true no more is settled.
CREATE TABLE delivery_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event INTEGER NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'dead', 'settled')),
    batch TEXT,
    created_at INTEGER NOT NULL,       -- when the event was decided
    settled_at INTEGER,
    code TEXT,                         -- the service's word for a dead one
    certificate_id INTEGER,            -- of a pending or dead one: the certificate whose alert is open
    condition TEXT,                    -- the key of the condition that began with it
    UNIQUE (event, channel)
) STRICT;
INSERT INTO delivery_new (id, event, channel, state, batch, created_at, settled_at, code)
    SELECT id, event, channel, state, batch, created_at, settled_at, code FROM delivery;
DROP TABLE delivery;
ALTER TABLE delivery_new RENAME TO delivery;

CREATE INDEX delivery_pending ON delivery (channel, id, created_at) WHERE state = 'pending';
CREATE INDEX delivery_frozen ON delivery (batch) WHERE state = 'pending' AND batch IS NOT NULL;
CREATE INDEX delivery_sent ON delivery (settled_at) WHERE state = 'sent';
CREATE INDEX delivery_settled ON delivery (settled_at) WHERE state = 'settled';
CREATE INDEX delivery_dead ON delivery (settled_at) WHERE state = 'dead';
CREATE INDEX delivery_given_up ON delivery (channel, settled_at) WHERE state = 'dead' AND certificate_id IS NOT NULL;
CREATE INDEX delivery_certificate ON delivery (certificate_id) WHERE certificate_id IS NOT NULL;
CREATE INDEX delivery_condition ON delivery (condition) WHERE condition IS NOT NULL;

ALTER TABLE batch ADD COLUMN composed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batch ADD COLUMN begun INTEGER NOT NULL DEFAULT 1;   -- 1: a request with it may have arrived
ALTER TABLE batch ADD COLUMN pages INTEGER NOT NULL DEFAULT 0;   -- how many have arrived
UPDATE batch SET composed_at = next_at;

ALTER TABLE channel_state ADD COLUMN since INTEGER;        -- the first attempt without a delivery
ALTER TABLE channel_state ADD COLUMN gave_up_at INTEGER;
ALTER TABLE channel_state ADD COLUMN gave_up_code TEXT;
-- Whether a channel is down is found out anew.
UPDATE channel_state SET gate_until = NULL;

-- Waiting rungs belong to the alerts that are open.
WITH open AS MATERIALIZED (
    SELECT ledger.certificate_id AS id, scope.source, scope.scope, certificate.issuer, certificate.serial
    FROM ledger JOIN certificate ON certificate.id = ledger.certificate_id
        JOIN scope ON scope.id = certificate.scope_id
)
UPDATE delivery SET certificate_id = open.id
FROM event, open
WHERE delivery.state = 'pending' AND event.number = delivery.event
    AND open.serial = json_extract(event.body, '$.topic.expiring.facts.serial')
    AND open.issuer = json_extract(event.body, '$.topic.expiring.facts.issuer')
    AND open.scope = json_extract(event.body, '$.topic.expiring.facts.scope')
    AND open.source = json_extract(event.body, '$.topic.expiring.facts.source');
