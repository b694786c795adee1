-- The newest record of each kind and name of which that says how something stands, such as a rollout. It is derived from the
-- records: those have `kind:name` in place of a MerchantBizId, which holds no colon.
create table adjudge.named (
    kind text collate "C",
    name text collate "C",
    number bigint not null,
    line bytea not null,
    primary key (kind, name)
);

create function adjudge.take_named() returns trigger
language plpgsql as $$
begin
    insert into adjudge.named as n
        values (new.kind, substr(new.merchant_biz_id, length(new.kind) + 2),
            (replace(convert_from(new.line, 'UTF8'), '\u0000', '\u0001')::jsonb ->> 'number')::bigint, -- jsonb refuses the first
            new.line)
        on conflict (kind, name) do update set number = excluded.number, line = excluded.line
            where n.number < excluded.number;
    return null;
end $$;

create trigger records_named after insert on adjudge.records for each row
    when (starts_with(new.merchant_biz_id, new.kind || ':'))
    execute function adjudge.take_named();
