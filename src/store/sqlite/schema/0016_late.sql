-- When channels were told, where that was long after it was decided: JSON, seconds by channel; NULL is nobody.
ALTER TABLE ledger ADD COLUMN late TEXT;
CREATE INDEX ledger_late ON ledger (certificate_id) WHERE late IS NOT NULL;
