-- The ledger: who decides an id, what was decided, what it cost, and the records that prove it.
-- Ids are compared byte by byte, whatever the database's language is. All times of leases and ages are the database's own.

create table adjudge.settings (
    name text primary key,
    value text not null
);

-- A chain of records for each process that writes. seq and hash: of its last record.
create table adjudge.writers (
    writer bigint generated always as identity primary key,
    host text not null,
    process bigint not null,
    started_at timestamptz not null default clock_timestamp(),
    seq bigint not null default 0,
    hash text not null default repeat('0', 64)
);

create table adjudge.records (
    recorded_at timestamptz not null,
    writer bigint not null,
    seq bigint not null,
    kind text not null,
    merchant_biz_id text collate "C",
    decision_id text collate "C",
    line bytea not null,
    primary key (recorded_at, writer, seq)
) partition by range (recorded_at);
create index records_chain on adjudge.records (writer, seq);
create index records_decision on adjudge.records (decision_id) where kind = 'decision';
create index records_subject on adjudge.records (merchant_biz_id, recorded_at);
create table adjudge.records_of_no_month partition of adjudge.records default;

create sequence adjudge.tokens;

create table adjudge.claims (
    merchant_biz_id text collate "C" primary key,
    fingerprint text not null,
    former text,
    token bigint not null,
    holder text not null,
    until timestamptz not null
);

-- The newest decision of each id, and where its record stands.
create table adjudge.answers (
    merchant_biz_id text collate "C" primary key,
    fingerprint text not null,
    decision_id text collate "C" not null,
    recorded_at timestamptz not null,
    writer bigint not null,
    seq bigint not null
);

create table adjudge.calls (
    call_id text primary key,
    merchant_biz_id text collate "C" not null,
    fingerprint text not null,
    provider text not null,
    day date not null,
    price numeric not null,
    billed text,
    is_open boolean not null,
    body text not null
);
create index calls_open on adjudge.calls (merchant_biz_id) where is_open;
create index calls_day on adjudge.calls (day);

-- What the newest label of a decision says of it.
create table adjudge.labels (
    decision_id text collate "C",
    merchant_biz_id text collate "C",
    confirms boolean not null,
    primary key (decision_id, merchant_biz_id)
);

create table adjudge.subject_keys (
    subject text collate "C" primary key,
    key bytea not null
);
create table adjudge.personal (
    commitment text primary key,
    subject text collate "C" not null,
    name text collate "C" not null,
    sealed bytea not null
);
create index personal_subject on adjudge.personal (subject, name);

-- Return the decision of an id (`decision`), a claim to make one (`claim`), who has it (`busy`), or `conflict`.
-- holder: chosen for this one question, so that asking again after a lost answer finds the claim that was given.
create function adjudge.claim(
    of_id text, print text, also text, again boolean, lease_s double precision, answer_for_s double precision, asked_by text
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
                    clock_timestamp() + make_interval(secs => lease_s))
                on conflict (merchant_biz_id) do update
                    set fingerprint = excluded.fingerprint, former = excluded.former, token = excluded.token,
                        holder = excluded.holder, until = excluded.until
                    where c.until <= clock_timestamp() or c.holder = excluded.holder
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

-- Write records at the end of a chain, with all that follows from them; return the claims that were lost. Where there
-- is one, nothing was written. after: the number of the last record before; kept: claims that must be held; ended: those
-- that end with a decision, whose record is number `seq`.
create function adjudge.write(
    of_writer bigint, after bigint, digest text, kinds text[], ids text[], decisions text[], lines bytea[],
    kept jsonb, ended jsonb, of_calls jsonb, of_labels jsonb
) returns table (lost_id text, lost_token bigint)
language plpgsql as $$
declare
    now_at timestamptz := clock_timestamp();
begin
    return query
        with wanted as (
            select w.id, w.token from jsonb_to_recordset(kept) as w(id text, token bigint)
        ), standing as (
            select c.merchant_biz_id, c.token from adjudge.claims c join wanted w
                on c.merchant_biz_id = w.id and c.token = w.token
                order by c.merchant_biz_id for update of c
        )
        select w.id, w.token from wanted w where not exists (
            select 1 from standing s where s.merchant_biz_id = w.id and s.token = w.token);
    if found then
        return;
    end if;
    update adjudge.writers w set seq = after + cardinality(lines), hash = digest
        where w.writer = of_writer and w.seq = after;
    if not found then
        raise exception 'the chain of writer % does not end with record %', of_writer, after using errcode = 'AD001';
    end if;
    insert into adjudge.records
        select now_at, of_writer, after + r.at, r.kind, r.id, r.decision, r.line
            from unnest(kinds, ids, decisions, lines) with ordinality as r(kind, id, decision, line, at);
    if jsonb_array_length(ended) > 0 then
        delete from adjudge.claims c using jsonb_to_recordset(ended) as e(id text, token bigint)
            where c.merchant_biz_id = e.id and c.token = e.token;
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
        insert into adjudge.calls
            select call_id, id, print, provider, day, price, billed, billed is distinct from 'no', body
                from jsonb_to_recordset(of_calls) as c(call_id text, id text, print text, provider text, day date,
                    price numeric, billed text, body text)
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
