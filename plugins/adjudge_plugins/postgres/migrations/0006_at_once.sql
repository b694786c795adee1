-- One commit for a decision that asks nobody, and none that is waited for on the way to one that does.

-- A call is believed by its record, as a decision is: its line stands here in place of a copy of what it says. Nothing is
-- known any more of a call whose record was archived but what it cost.
alter table adjudge.calls add column line bytea;
update adjudge.calls c set line = (
    select r.line from adjudge.records r
        where r.kind = 'call' and r.merchant_biz_id = c.merchant_biz_id
        and position(convert_to('"call_id":"' || c.call_id || '"', 'UTF8') in r.line) > 0 -- jsonb would refuse \u0000
        order by r.recorded_at desc, r.seq desc limit 1)
    where c.is_open;
update adjudge.calls set is_open = false where is_open and line is null;
alter table adjudge.calls drop column body;

-- Make the transaction one that sees what others commit while it waits for them, and that is on the disk before anybody is
-- told, whatever the role or the database has for others.
create function adjudge.check_transaction() returns void
language plpgsql as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'transactions are % here, and do not see what others commit: set default_transaction_isolation of'
            ' this role and database to read committed', current_setting('transaction_isolation');
    end if;
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'on', true);
    end if;
end $$;

-- Where the planner knows nothing of a table that was empty a moment ago, it reads the whole of it: these look into indexes.
-- As in 0002. A claim is not waited for until it is on the disk: it is there before a call that it begins, whose commit
-- comes later and is waited for. If it is lost with the server, so is every session, and whoever held it is fenced: by the
-- token, and by the holder, since a sequence may give the same token again then.
-- others: the records of other decisions of the id, where there is one that answers; calls: those of calls that no decision
-- holds yet.
drop function adjudge.claim;
create function adjudge.claim(
    of_id text, print text, also text, again boolean, lease_s double precision, answer_for_s double precision, asked_by text,
    by_writer bigint
) returns table (said text, token bigint, line bytea, is_confirmed boolean, others bytea[], calls bytea[])
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
    answer adjudge.answers;
    held adjudge.claims;
    taken bigint;
begin
    perform adjudge.check_transaction();
    perform set_config('synchronous_commit', 'off', true);
    for turn in 1 .. 2 loop
        select a.* into answer from adjudge.answers a
            where a.merchant_biz_id = of_id
            and a.recorded_at > clock_timestamp() - make_interval(secs => answer_for_s);
        if answer.merchant_biz_id is not null then
            if answer.fingerprint <> print and answer.fingerprint is distinct from also then
                delete from adjudge.claims c where c.merchant_biz_id = of_id and c.token = taken;
                return query select 'conflict', null::bigint, null::bytea, false, null::bytea[], null::bytea[];
                return;
            end if;
            if not again then
                delete from adjudge.claims c where c.merchant_biz_id = of_id and c.token = taken;
                exit;
            end if;
        end if;
        exit when taken is not null;
        loop
            insert into adjudge.claims as c
                values (of_id, print, also, nextval('adjudge.tokens'), asked_by,
                    clock_timestamp() + make_interval(secs => lease_s), by_writer, false)
                on conflict (merchant_biz_id) do update
                    set fingerprint = excluded.fingerprint, former = excluded.former, token = excluded.token,
                        holder = excluded.holder, until = excluded.until, writer = excluded.writer, awaited = false
                    where c.until <= clock_timestamp() or c.holder = excluded.holder or adjudge.is_gone(c.writer)
                returning c.token into taken;
            exit when taken is not null;
            select c.* into held from adjudge.claims c where c.merchant_biz_id = of_id;
            if held.token is not null then
                if held.fingerprint <> print and held.fingerprint is distinct from also then
                    return query select 'conflict', null::bigint, null::bytea, false, null::bytea[], null::bytea[];
                else
                    return query select 'busy', held.token, null::bytea, false, null::bytea[], null::bytea[];
                end if;
                return;
            end if;
        end loop;
        -- what its last holder decided may have been committed while this waited for the row: look once more
    end loop;
    return query select
        case when answer.merchant_biz_id is not null and not again then 'decision' else 'claim' end,
        taken,
        (select r.line from adjudge.records r
            where r.recorded_at = answer.recorded_at and r.writer = answer.writer and r.seq = answer.seq),
        coalesce((select l.confirms from adjudge.labels l
            where l.decision_id = answer.decision_id and l.merchant_biz_id = of_id), false),
        array(select r.line from adjudge.records r join adjudge.answers a
                on a.merchant_biz_id = r.merchant_biz_id and a.decision_id = answer.decision_id -- none took its place since
            where r.merchant_biz_id = of_id and r.kind = 'decision' and r.decision_id <> answer.decision_id),
        array(select c.line from adjudge.calls c
            where c.merchant_biz_id = of_id and c.is_open and (c.fingerprint = print or c.fingerprint = also)
            order by c.fingerprint = print);
end $$;

-- As in 0002, with the holders of the claims: none is given back that somebody else got with the same token.
drop function adjudge.release;
create function adjudge.release(ids text[], tokens bigint[], holders text[]) returns void
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off as $$
declare
    told bigint;
begin
    perform set_config('synchronous_commit', 'off', true);
    with gone as (
        delete from adjudge.claims c using unnest(ids, tokens, holders) as e(id, token, holder)
            where c.merchant_biz_id = e.id and c.token = e.token and c.holder = e.holder
            returning c.token, c.awaited
    ) select count(pg_notify('adjudge_claims', g.token::text)) into told from gone g where g.awaited;
end $$;

-- As in 0002, for one group of records at the end of a chain, whose last hash is `before`; each array has an element for each of them.
-- tokens, holders: of the claim that must be held still, and that a decision ends; null where none is needed. Token 0: the
-- id must be one that nobody has decided or claimed. Then it is claimed for as long as this takes. Whoever locks several
-- claims does so in the order of their ids, so claims that are held and such that are not never come together.
-- prints, formers: fingerprints of decisions. answer_for_s: as of `claim`.
-- more: null, or the `calls`, `labels`, `sealed` and `quotas` of 0002.
drop function adjudge.write;
create function adjudge.write(
    of_writer bigint, after bigint, before text, digest text, kinds text[], ids text[], decisions text[], lines bytea[],
    tokens bigint[], holders text[], prints text[], formers text[], answer_for_s double precision, more jsonb
) returns table (at bigint, said text, wait_s double precision)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    now_at timestamptz;
    asked int := cardinality(array_remove(tokens, null));
    presumes boolean := coalesce(0 = any (tokens), false);
    stood bigint[];
    told bigint;
    given jsonb;
begin
    perform adjudge.check_transaction();
    if presumes then
        insert into adjudge.claims (merchant_biz_id, fingerprint, token, holder, until)
            select r.id, r.print, 0, '', now() from unnest(ids, prints, tokens) as r(id, print, token)
                where r.token = 0 order by r.id collate "C"
            on conflict do nothing;
        -- what somebody else decided may have been committed while this waited for the row, so look only now
        select array_agg(r.at) into stood from unnest(ids, tokens) with ordinality as r(id, token, at)
            where r.token = 0
            and exists (select from adjudge.claims c
                where c.merchant_biz_id = r.id and c.token = 0 and c.xmin = pg_current_xact_id()::xid) -- this one made it
            and not exists (select from adjudge.answers a where a.merchant_biz_id = r.id
                and a.recorded_at > clock_timestamp() - make_interval(secs => answer_for_s));
    elsif asked > 0 then
        select array_agg(s.at) into stood from (
            select r.at from unnest(ids, tokens, holders) with ordinality as r(id, token, holder, at)
                join adjudge.claims c
                    on c.merchant_biz_id = r.id and c.token = r.token and c.holder = r.holder
                order by c.merchant_biz_id for update of c
        ) as s;
    end if;
    if coalesce(cardinality(stood), 0) < asked then
        if presumes then
            perform set_config('synchronous_commit', 'off', true);
            delete from adjudge.claims c where c.merchant_biz_id = any (ids) and c.token = 0;
        end if;
        return query select r.at, 'lost', null::double precision from unnest(tokens) with ordinality as r(token, at)
            where r.token is not null and r.at <> all (coalesce(stood, '{}'));
        return;
    end if;
    if more is not null then
        if jsonb_array_length(more -> 'sealed') > 0 then
            select count(*) into told from (
                select from adjudge.personal p where p.commitment = any (array(select w.value ->> 'one'
                        from jsonb_array_elements(more -> 'sealed') as w))
                    order by p.commitment for key share of p
            ) as standing;
            if told < (select count(distinct w.value ->> 'one') from jsonb_array_elements(more -> 'sealed') as w) then
                if presumes then
                    delete from adjudge.claims c where c.merchant_biz_id = any (ids) and c.token = 0;
                end if;
                return query select distinct w.at, 'erased', null::double precision
                    from jsonb_to_recordset(more -> 'sealed') as w(at bigint, one text)
                    where not exists (select from adjudge.personal p where p.commitment = w.one);
                return;
            end if;
        end if;
        if jsonb_array_length(more -> 'calls') > 0 then
            perform from adjudge.accounts a where (a.provider, a.account) in (
                    select q.provider, q.account from jsonb_to_recordset(more -> 'quotas') as q(provider text, account text)
                    union all
                    select c.provider, c.account from adjudge.calls c
                        join jsonb_to_recordset(more -> 'calls') as o(call_id text, billed text) on o.call_id = c.call_id
                        where o.billed = 'no' and c.counted_on is not null)
                order by a.provider, a.account for update;
        end if;
        if jsonb_array_length(more -> 'quotas') > 0 then
            select jsonb_agg(jsonb_build_object(
                    'at', more -> 'quotas' -> a.quota -> 'at', 'bound', a.bound, 'wait_s', a.wait_s))
                into given from adjudge.admit(more -> 'quotas') as a;
            return query select g.at, coalesce(g.bound, 'wait'), g.wait_s
                from jsonb_to_recordset(given) as g(at bigint, bound text, wait_s double precision)
                where g.bound is not null or g.wait_s > 0;
            if given @? '$[*].bound ? (@ != null)' then
                return;
            end if;
        end if;
    end if;
    now_at := clock_timestamp();
    update adjudge.writers w set seq = after + cardinality(lines), hash = digest
        where w.writer = of_writer and w.seq = after and w.hash = before;
    if not found then
        raise exception 'the chain of writer % does not end with record %', of_writer, after using errcode = 'AD001';
    end if;
    insert into adjudge.records
        select now_at, of_writer, after + r.at, r.kind, r.id, r.decision, r.line
            from unnest(kinds, ids, decisions, lines) with ordinality as r(kind, id, decision, line, at);
    if 'decision' = any (kinds) then
        if presumes then
            delete from adjudge.claims c where c.merchant_biz_id = any (ids) and c.token = 0;
        else
            with gone as (
                delete from adjudge.claims c using unnest(kinds, ids, tokens, holders) as e(kind, id, token, holder)
                    where e.kind = 'decision'
                    and c.merchant_biz_id = e.id and c.token = e.token and c.holder = e.holder
                    returning c.token, c.awaited
            ) select count(pg_notify('adjudge_claims', g.token::text)) into told from gone g where g.awaited;
        end if;
        insert into adjudge.answers
            select e.id, e.print, e.decision, now_at, of_writer, after + e.at
                from unnest(kinds, ids, prints, decisions) with ordinality as e(kind, id, print, decision, at)
                where e.kind = 'decision'
            on conflict (merchant_biz_id) do update
                set fingerprint = excluded.fingerprint, decision_id = excluded.decision_id,
                    recorded_at = excluded.recorded_at, writer = excluded.writer, seq = excluded.seq;
        update adjudge.calls c set is_open = false
            from unnest(kinds, ids, prints, formers) as e(kind, id, print, former)
            where e.kind = 'decision' and c.is_open and c.merchant_biz_id = e.id
            and (c.fingerprint = e.print or c.fingerprint = e.former);
    end if;
    if more is null then
        return;
    end if;
    if jsonb_array_length(more -> 'calls') > 0 then
        update adjudge.days d set calls = d.calls - free.calls, spent = d.spent - free.spent
            from (select c.provider, c.account, c.counted_on, count(*) as calls, sum(c.price) as spent
                from adjudge.calls c join jsonb_to_recordset(more -> 'calls') as o(call_id text, billed text)
                    on o.call_id = c.call_id
                where o.billed = 'no' and c.billed is distinct from 'no' and c.counted_on is not null
                group by c.provider, c.account, c.counted_on) as free
            where d.provider = free.provider and d.account = free.account and d.day = free.counted_on;
        insert into adjudge.calls (call_id, merchant_biz_id, fingerprint, provider, day, price, billed, is_open, line,
                account, counted_on)
            select o.call_id, o.id, o.print, o.provider, o.day, o.price, o.billed, o.billed is distinct from 'no',
                lines[o.at], q.account, case when q.account is not null then (now() at time zone 'UTC')::date end -- as `admit` counts it
                from jsonb_to_recordset(more -> 'calls') as o(at bigint, call_id text, id text, print text, provider text,
                    day date, price numeric, billed text)
                left join jsonb_to_recordset(more -> 'quotas') as q(at bigint, account text) on q.at = o.at
            on conflict (call_id) do update
                set billed = excluded.billed, line = excluded.line,
                    is_open = calls.is_open and excluded.is_open;
    end if;
    if jsonb_array_length(more -> 'labels') > 0 then
        insert into adjudge.labels
            select decision, id, confirms
                from jsonb_to_recordset(more -> 'labels') as l(decision text, id text, confirms boolean)
            on conflict (decision_id, merchant_biz_id) do update set confirms = excluded.confirms;
    end if;
end $$;

-- As in 0002, in a transaction that is on the disk before the erasure is acknowledged.
create or replace function adjudge.erase(of_subject text, names text[]) returns boolean
language plpgsql as $$
begin
    perform adjudge.check_transaction();
    perform from adjudge.subject_keys k where k.subject = of_subject for update; -- who seals meanwhile has it shared
    if exists (select from adjudge.personal p where p.subject = of_subject and p.name <> all (names)) then
        return false;
    end if;
    delete from adjudge.personal p where p.subject = of_subject;
    delete from adjudge.subject_keys k where k.subject = of_subject;
    return true;
end $$;
