-- What was given up is forgotten too, if later.
CREATE INDEX delivery_dead ON delivery (settled_at) WHERE state = 'dead';
