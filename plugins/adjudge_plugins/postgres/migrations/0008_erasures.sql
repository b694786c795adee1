-- As in 0006. Whoever has claimed the id by now, in any worker, may have read values that are gone: it claims the id again.
create or replace function adjudge.erase(of_subject text, names text[]) returns boolean
language plpgsql as $$
declare
    told bigint;
begin
    perform adjudge.check_transaction();
    perform from adjudge.subject_keys k where k.subject = of_subject for update; -- who seals meanwhile has it shared
    if exists (select from adjudge.personal p where p.subject = of_subject and p.name <> all (names)) then
        return false;
    end if;
    delete from adjudge.personal p where p.subject = of_subject;
    if found then
        with gone as (
            delete from adjudge.claims c where c.merchant_biz_id = of_subject and c.token <> 0 returning c.token, c.awaited
        ) select count(pg_notify('adjudge_claims', g.token::text)) into told from gone g where g.awaited;
    end if;
    delete from adjudge.subject_keys k where k.subject = of_subject;
    return true;
end $$;
