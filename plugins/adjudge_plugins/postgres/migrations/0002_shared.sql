-- What workers share while they run: budgets and rates of providers, whose worker is gone, and who waits for whom.

-- An account of a provider. begun: when its newest calls began or will begin, as many as its rate allows at once, in order,
-- by the clock as it was `seen` last. Its row is locked first by whoever counts a call of it.
create table adjudge.accounts (
    provider text,
    account text collate "C",
    begun timestamptz[] not null default '{}',
    seen timestamptz not null default clock_timestamp(),
    primary key (provider, account)
);

-- What was or may have been paid for of an account, on a day of UTC by the database's clock.
create table adjudge.days (
    provider text,
    account text collate "C",
    day date,
    calls bigint not null,
    spent numeric not null,
    primary key (provider, account, day)
);
-- Of calls that are counted there; null for others.
alter table adjudge.calls add column account text, add column counted_on date;

-- writer: of the holder, where a session of it holds its lock; null where only the lease counts. awaited: somebody waits.
alter table adjudge.claims add column writer bigint, add column awaited boolean not null default false;

-- Whether a worker has ended: its session holds a lock for as long as it lives, and this tries to get it.
create function adjudge.is_gone(of_writer bigint) returns boolean
language sql volatile as $$
    select coalesce(pg_try_advisory_xact_lock_shared(4061990, of_writer::int), false);
$$;

-- Note that somebody waits for a claim, and return whether it is still held.
create function adjudge.await(of_id text, of_token bigint) returns boolean
language plpgsql as $$
declare
    held adjudge.claims;
begin
    select c.* into held from adjudge.claims c
        where c.merchant_biz_id = of_id and c.token = of_token and c.until > clock_timestamp();
    if held.token is null or adjudge.is_gone(held.writer) then
        return false;
    end if;
    if not held.awaited then
        update adjudge.claims c set awaited = true where c.merchant_biz_id = of_id and c.token = of_token;
        return found;
    end if;
    return true;
end $$;

-- Give claims back, and tell those who wait for them.
create function adjudge.release(claims jsonb) returns void
language sql as $$
    with gone as (
        delete from adjudge.claims c using jsonb_to_recordset(claims) as e(id text, token bigint)
            where c.merchant_biz_id = e.id and c.token = e.token returning c.token, c.awaited
    ) select pg_notify('adjudge_claims', token::text) from gone where awaited;
$$;

-- Give back all that a worker claimed.
create function adjudge.leave(of_holder text) returns void
language sql as $$
    with gone as (
        delete from adjudge.claims c where starts_with(c.holder, of_holder) returning c.token, c.awaited
    ) select pg_notify('adjudge_claims', token::text) from gone where awaited;
$$;

-- As in 0001. by_writer: of who asks, where its session holds its lock.
drop function adjudge.claim;
create function adjudge.claim(
    of_id text, print text, also text, again boolean, lease_s double precision, answer_for_s double precision, asked_by text,
    by_writer bigint
) returns table (said text, token bigint, line bytea, is_confirmed boolean, calls text[])
language plpgsql as $$
declare
    answer adjudge.answers;
    held adjudge.claims;
    taken bigint;
begin
    for turn in 1 .. 2 loop
        select a.* into answer from adjudge.answers a
            where a.merchant_biz_id = of_id
            and a.recorded_at > clock_timestamp() - make_interval(secs => answer_for_s);
        if answer.merchant_biz_id is not null then
            if answer.fingerprint <> print and answer.fingerprint is distinct from also then
                delete from adjudge.claims c where c.merchant_biz_id = of_id and c.token = taken;
                return query select 'conflict', null::bigint, null::bytea, false, null::text[];
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
                    return query select 'conflict', null::bigint, null::bytea, false, null::text[];
                else
                    return query select 'busy', held.token, null::bytea, false, null::text[];
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
        array(select c.body from adjudge.calls c
            where c.merchant_biz_id = of_id and c.is_open and (c.fingerprint = print or c.fingerprint = also)
            order by c.fingerprint = print);
end $$;

-- Count calls for all workers: return the seconds that each has to wait, or for each that may not be made the bound that
-- is reached (`daily_calls`, `daily_spend`, `rate`), and then nothing is counted. quota: which of them, from 0.
create function adjudge.admit(quotas jsonb) returns table (quota int, bound text, wait_s double precision)
language plpgsql as $$
declare
    now_at timestamptz;
    today date;
    asked record;
    counted adjudge.days;
    before timestamptz[];
    next_at timestamptz;
    at_once int;
    reached text;
    refusals jsonb := '[]';
    waits double precision[] := '{}';
begin
    insert into adjudge.accounts (provider, account)
        select distinct q.provider, q.account from jsonb_to_recordset(quotas) as q(provider text, account text)
            order by q.provider, q.account
        on conflict do nothing;
    perform from adjudge.accounts a
        where (a.provider, a.account) in (
            select q.provider, q.account from jsonb_to_recordset(quotas) as q(provider text, account text))
        order by a.provider, a.account for update;
    now_at := clock_timestamp();
    today := (now() at time zone 'UTC')::date;
    begin
        for n in 0 .. jsonb_array_length(quotas) - 1 loop
            select q.* into asked from jsonb_to_record(quotas -> n) as q(provider text, account text, price numeric,
                rate double precision, daily_calls bigint, daily_spend numeric, within_s double precision);
            reached := null;
            next_at := now_at;
            select d.* into counted from adjudge.days d
                where d.provider = asked.provider and d.account = asked.account and d.day = today;
            if not found then -- what workers without limits asked today, or before there were accounts, is of every account
                insert into adjudge.days
                    select asked.provider, asked.account, today, count(*), coalesce(sum(c.price), 0) from adjudge.calls c
                        where c.provider = asked.provider and c.day = today and c.counted_on is null
                        and c.billed is distinct from 'no'
                    returning * into counted;
            end if;
            if counted.calls >= asked.daily_calls then
                reached := 'daily_calls';
            elsif counted.spent + asked.price > asked.daily_spend then
                reached := 'daily_spend';
            elsif asked.rate is not null then
                at_once := greatest(1, floor(asked.rate));
                select coalesce(array_agg(newest.b order by newest.b), '{}') into before from (
                    select b - greatest(a.seen - now_at, interval '0') as b -- a clock that is set back takes them along
                        from adjudge.accounts a, unnest(a.begun) as b
                        where a.provider = asked.provider and a.account = asked.account
                        order by b desc limit at_once) as newest;
                if cardinality(before) >= at_once then
                    next_at := greatest(now_at, before[1] + make_interval(secs => at_once / asked.rate));
                    before := before[2:];
                end if;
                if next_at > now_at + make_interval(secs => asked.within_s) then
                    reached := 'rate';
                else
                    update adjudge.accounts a set begun = before || next_at, seen = now_at
                        where a.provider = asked.provider and a.account = asked.account;
                end if;
            end if;
            if reached is not null then
                refusals := refusals || jsonb_build_object('n', n, 'reached', reached);
                continue;
            end if;
            waits := waits || extract(epoch from next_at - now_at)::double precision;
            update adjudge.days d set calls = d.calls + 1, spent = d.spent + asked.price
                where d.provider = asked.provider and d.account = asked.account and d.day = today;
        end loop;
        if refusals <> '[]' then
            raise exception 'undone' using errcode = 'AD002';
        end if;
    exception when sqlstate 'AD002' then
        return query select r.n, r.reached, null::double precision
            from jsonb_to_recordset(refusals) as r(n int, reached text);
        return;
    end;
    return query select w.n::int - 1, null::text, w.w from unnest(waits) with ordinality as w(w, n);
end $$;

-- As in 0001. at: which record of the group, from 1. kept: claims that must be held, of the record `at`. sealed: personal
-- values that must be there still, by commitment. quotas: as of `admit`, of the call of the record `at`.
-- Return what became of a record: `wait`, of a call, and for how long; or, and then nothing was written, `lost`, `erased`, or
-- the bound that is reached.
drop function adjudge.write;
create function adjudge.write(
    of_writer bigint, after bigint, digest text, kinds text[], ids text[], decisions text[], lines bytea[],
    kept jsonb, ended jsonb, of_calls jsonb, of_labels jsonb, sealed jsonb, quotas jsonb
) returns table (at bigint, said text, wait_s double precision)
language plpgsql as $$
#variable_conflict use_column
declare
    now_at timestamptz;
    given jsonb;
begin
    return query
        with wanted as (
            select w.at, w.id, w.token from jsonb_to_recordset(kept) as w(at bigint, id text, token bigint)
        ), standing as (
            select c.merchant_biz_id, c.token from adjudge.claims c join wanted w
                on c.merchant_biz_id = w.id and c.token = w.token
                order by c.merchant_biz_id for update of c
        )
        select w.at, 'lost', null::double precision from wanted w where not exists (
            select 1 from standing s where s.merchant_biz_id = w.id and s.token = w.token);
    if found then
        return;
    end if;
    if jsonb_array_length(sealed) > 0 then
        return query
            with wanted as (
                select w.at, w.one from jsonb_to_recordset(sealed) as w(at bigint, one text)
            ), standing as (
                select p.commitment from adjudge.personal p join wanted w on p.commitment = w.one
                    order by p.commitment for key share of p
            )
            select distinct w.at, 'erased', null::double precision from wanted w where not exists (
                select 1 from standing s where s.commitment = w.one);
        if found then
            return;
        end if;
    end if;
    if jsonb_array_length(of_calls) > 0 then
        perform from adjudge.accounts a where (a.provider, a.account) in (
                select q.provider, q.account from jsonb_to_recordset(quotas) as q(provider text, account text)
                union all
                select c.provider, c.account from adjudge.calls c
                    join jsonb_to_recordset(of_calls) as o(call_id text, billed text) on o.call_id = c.call_id
                    where o.billed = 'no' and c.counted_on is not null)
            order by a.provider, a.account for update;
    end if;
    if jsonb_array_length(quotas) > 0 then
        select jsonb_agg(jsonb_build_object('at', quotas -> a.quota -> 'at', 'bound', a.bound, 'wait_s', a.wait_s))
            into given from adjudge.admit(quotas) as a;
        return query select g.at, coalesce(g.bound, 'wait'), g.wait_s
            from jsonb_to_recordset(given) as g(at bigint, bound text, wait_s double precision)
            where g.bound is not null or g.wait_s > 0;
        if given @? '$[*].bound ? (@ != null)' then
            return;
        end if;
    end if;
    now_at := clock_timestamp();
    update adjudge.writers w set seq = after + cardinality(lines), hash = digest
        where w.writer = of_writer and w.seq = after;
    if not found then
        raise exception 'the chain of writer % does not end with record %', of_writer, after using errcode = 'AD001';
    end if;
    insert into adjudge.records
        select now_at, of_writer, after + r.at, r.kind, r.id, r.decision, r.line
            from unnest(kinds, ids, decisions, lines) with ordinality as r(kind, id, decision, line, at);
    if jsonb_array_length(ended) > 0 then
        perform adjudge.release(ended);
        insert into adjudge.answers
            select e.id, e.print, e.decision, now_at, of_writer, e.seq
                from jsonb_to_recordset(ended) as e(id text, print text, decision text, seq bigint)
            on conflict (merchant_biz_id) do update
                set fingerprint = excluded.fingerprint, decision_id = excluded.decision_id,
                    recorded_at = excluded.recorded_at, writer = excluded.writer, seq = excluded.seq;
        update adjudge.calls c set is_open = false
            from jsonb_to_recordset(ended) as e(id text, print text, also text)
            where c.is_open and c.merchant_biz_id = e.id and (c.fingerprint = e.print or c.fingerprint = e.also);
    end if;
    if jsonb_array_length(of_calls) > 0 then
        update adjudge.days d set calls = d.calls - free.calls, spent = d.spent - free.spent
            from (select c.provider, c.account, c.counted_on, count(*) as calls, sum(c.price) as spent
                from adjudge.calls c join jsonb_to_recordset(of_calls) as o(call_id text, billed text)
                    on o.call_id = c.call_id
                where o.billed = 'no' and c.billed is distinct from 'no' and c.counted_on is not null
                group by c.provider, c.account, c.counted_on) as free
            where d.provider = free.provider and d.account = free.account and d.day = free.counted_on;
        insert into adjudge.calls
            select o.call_id, o.id, o.print, o.provider, o.day, o.price, o.billed, o.billed is distinct from 'no', o.body,
                q.account, case when q.account is not null then (now() at time zone 'UTC')::date end -- as `admit` counts it
                from jsonb_to_recordset(of_calls) as o(at bigint, call_id text, id text, print text, provider text, day date,
                    price numeric, billed text, body text)
                left join jsonb_to_recordset(quotas) as q(at bigint, account text) on q.at = o.at
            on conflict (call_id) do update
                set billed = excluded.billed, body = excluded.body,
                    is_open = calls.is_open and excluded.is_open;
    end if;
    if jsonb_array_length(of_labels) > 0 then
        insert into adjudge.labels
            select decision, id, confirms
                from jsonb_to_recordset(of_labels) as l(decision text, id text, confirms boolean)
            on conflict (decision_id, merchant_biz_id) do update set confirms = excluded.confirms;
    end if;
end $$;

-- Erase a subject's key and values, unless there are others than `names` meanwhile; return whether that is done.
create function adjudge.erase(of_subject text, names text[]) returns boolean
language plpgsql as $$
begin
    perform from adjudge.subject_keys k where k.subject = of_subject for update; -- who seals meanwhile has it shared
    if exists (select from adjudge.personal p where p.subject = of_subject and p.name <> all (names)) then
        return false;
    end if;
    delete from adjudge.personal p where p.subject = of_subject;
    delete from adjudge.subject_keys k where k.subject = of_subject;
    return true;
end $$;
