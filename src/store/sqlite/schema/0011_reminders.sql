-- How often a rung was said again; NULL is never.
ALTER TABLE ledger ADD COLUMN reminders INTEGER;
