-- The policy of a decision is looked for when the decision is explained.
create index records_policy on adjudge.records (recorded_at) where kind = 'policy';
