"""The SELECTs of Redshift's system views and catalog tables."""

WAITS = "select 1 from svv_transactions where pid = %s and granted = 'f' limit 1"
"""The SELECT that finds out whether a session, given by its process, waits for a lock."""

# Users see the sessions of others here only if they are superusers ("SVV_TRANSACTIONS", the guide).
HOLDERS = """
select distinct holding.pid, holding.txn_owner, holding.txn_start
from svv_transactions as waiting
join svv_transactions as holding on holding.relation = waiting.relation and holding.pid <> waiting.pid
where waiting.pid = %s and waiting.granted = 'f' and holding.granted = 't'
"""
"""The SELECT of process, user and start of the sessions that hold the lock for which a session waits."""

COMMENTS = """
select c.relname, '', coalesce(d.description, '')
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
left join pg_description as d on d.objoid = c.oid and d.objsubid = 0
where n.nspname = ? and c.relkind in ('r', 'v')
union all
select c.relname, a.attname, coalesce(d.description, '')
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_description as d on d.objoid = c.oid and d.objsubid = a.attnum
where n.nspname = ? and c.relkind in ('r', 'v')
"""
"""The SELECT of table, column and comment in a schema, which is a parameter twice."""

UPKEEP = """
select trim("table"), unsorted, stats_off
from svv_table_info
where "schema" = ?
order by 1
"""
"""The SELECT of table, percentage of unsorted rows and staleness of statistics in a schema."""
