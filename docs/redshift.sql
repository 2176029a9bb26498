set timezone to 'UTC';

select has_schema_privilege(nspname, 'usage') from pg_namespace where nspname = ?;

create schema if not exists "sparkify";

set search_path to "sparkify";


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
;

-- staging_events: one row per accepted event of the batch, under the source's own names.
-- On DuckDB it lasts no longer than the run, unless that was told to --keep-staging.
-- artist: Name of the artist of the song played.
-- auth: Logged In or Logged Out.
-- firstName: Given name.
-- gender: F or M.
-- itemInSession: The event's place in its session.
-- lastName: Family name.
-- length: Length of the song in seconds.
-- level: free or paid.
-- location: A metropolitan area and its states.
-- method: The method of the HTTP request.
-- page: NextSong, or the page asked for.
-- registration: When the user signed up, in milliseconds since 1970.
-- sessionId: The session.
-- song: Title of the song played.
-- status: The status of the HTTP answer.
-- ts: When it happened, in milliseconds since 1970.
-- userAgent: The browser, as it names itself.
-- userId: Who did it; null when logged out.
-- file_id: The file it stands in, in staging_files.
-- duplicate: Whether it changes nothing.
create
table if not exists staging_events (
    artist varchar(512),
    auth varchar(32),
    firstName varchar(256),
    gender varchar(16),
    itemInSession bigint,
    lastName varchar(256),
    length double precision,
    level varchar(16),
    location varchar(512),
    method varchar(16),
    page varchar(64),
    registration bigint,
    sessionId bigint,
    song varchar(512),
    status bigint,
    ts bigint,
    userAgent varchar(1024),
    userId varchar(64),
    length_text varchar(32),
    file_id integer,
    duplicate boolean
)
diststyle even;

-- staging_songs: one row per accepted song record of the batch, under the source's own names.
-- On DuckDB it lasts no longer than the run, unless that was told to --keep-staging.
-- num_songs: 1, as the source has it.
-- artist_id: The catalogue's id of the artist.
-- artist_latitude: In degrees north.
-- artist_longitude: In degrees east.
-- artist_location: Where the artist comes from.
-- artist_name: The artist as credited on this song.
-- song_id: The catalogue's id of the song.
-- title: The song's title.
-- duration: Length in seconds.
-- year: The year of release; 0 where it is not known.
-- file_id: The file it stands in, in staging_files.
-- position: Its place in the file.
-- duplicate: Whether it changes nothing.
create
table if not exists staging_songs (
    num_songs bigint,
    artist_id varchar(64),
    artist_latitude double precision,
    artist_longitude double precision,
    artist_location varchar(512),
    artist_name varchar(512),
    song_id varchar(64),
    title varchar(512),
    duration double precision,
    year bigint,
    file_id integer,
    position bigint,
    duplicate boolean
)
diststyle even;

-- staging_files: one row per file of the batch, and how many records were found in it.
-- On DuckDB it lasts no longer than the run, unless that was told to --keep-staging.
-- file_id: Its number in the batch.
-- source: events or songs.
-- path: Where the file is.
-- version: What tells whether it changed.
-- size: In bytes.
-- redelivered: Whether an earlier version has been loaded.
-- read: Records found in it.
create
table if not exists staging_files (
    file_id integer,
    source varchar(8),
    path varchar(4096),
    version varchar(128),
    size bigint,
    redelivered boolean,
    read bigint
)
diststyle all;

-- staging_rejects: one row per record of the batch that breaks the contract.
-- On DuckDB it lasts no longer than the run, unless that was told to --keep-staging.
-- file_id: The file it stands in, in staging_files.
-- line: The line it begins on, from 1.
-- reason: Why it was refused.
-- record: Its text.
create
table if not exists staging_rejects (
    file_id integer,
    line bigint,
    reason varchar(256),
    record
    varchar(65535)
)
diststyle even;

-- checked_period: one row: the time whose facts the checks look at. A run looks at what it touched.
-- On DuckDB it lasts no longer than the run.
-- first_time: From this moment on.
-- last_time: Up to and with this moment.
create
table if not exists checked_period (
    first_time timestamp,
    last_time timestamp
);

-- songplays: one row per NextSong event.
-- songplay_id: ts-sessionId-itemInSession-userId of the event: unique, and in the order of time.
-- start_time: When the song was started, in UTC, to the millisecond.
-- user_id: Who played it.
-- level: The user's subscription at that moment: free or paid.
-- song_id: The song of the catalogue with the same title, artist and duration; null if it has none.
-- artist_id: That song's artist, else the one credited with exactly this name; null if there is none.
-- session_id: The session that the app counted the play to.
-- location: Where the app placed the listener: a metropolitan area and its states.
-- user_agent: The browser, as it names itself.
-- track_id: What was played, as the app named it.
create table if not exists songplays (
    songplay_id varchar(160),
    start_time timestamp,
    user_id varchar(64),
    level varchar(16),
    song_id varchar(64),
    artist_id varchar(64),
    session_id bigint,
    location varchar(512),
    user_agent varchar(1024),
    track_id varchar(32)
)
diststyle key distkey (start_time) sortkey (start_time);

-- page_views: one row per event that is not a play.
-- page_view_id: ts-sessionId-itemInSession-userId of the event: unique, and in the order of time.
-- start_time: When the page was asked for, in UTC, to the millisecond.
-- user_id: Who asked for it; null when logged out.
-- level: The subscription at that moment: free or paid. The app writes one even for those who are logged out.
-- page: Which page: Home, Login, Upgrade, Submit Upgrade, Error and so on; never NextSong.
-- auth: Logged In or Logged Out.
-- method: The method of the HTTP request: GET or PUT.
-- status: The status of the HTTP answer: 200, 307, 404.
-- session_id: The session that the app counted the event to.
-- location: Where the app placed the listener: a metropolitan area and its states.
-- user_agent: The browser, as it names itself.
create table if not exists page_views (
    page_view_id varchar(160),
    start_time timestamp,
    user_id varchar(64),
    level varchar(16),
    page varchar(64),
    auth varchar(32),
    method varchar(16),
    status bigint,
    session_id bigint,
    location varchar(512),
    user_agent varchar(1024)
)
diststyle key distkey (start_time) sortkey (start_time);

-- users: one row per user, as of their latest event.
-- user_id: The app's number for the user, as text.
-- first_name: Given name.
-- last_name: Family name.
-- gender: F or M, as the app has it.
-- level: The subscription at the latest event: free or paid. level_history has the earlier ones.
-- registered_at: When the user signed up, in UTC.
-- last_seen_at: The latest event, in UTC.
create table if not exists users (
    user_id varchar(64),
    first_name varchar(256),
    last_name varchar(256),
    gender varchar(16),
    level varchar(16),
    registered_at timestamp,
    last_seen_at timestamp
)
diststyle all sortkey (user_id);

-- songs: one row per song of the catalogue.
-- song_id: The catalogue's id of the song.
-- title: The song's title.
-- artist_id: The artist it belongs to.
-- year: The year of release; null where the catalogue says 0.
-- duration: Length in seconds.
-- artist_name: The artist as credited on this song.
create table if not exists songs (
    song_id varchar(64),
    title varchar(512),
    artist_id varchar(64),
    year bigint,
    duration double precision,
    artist_name varchar(512)
)
diststyle all sortkey (song_id);

-- artists: one row per artist of the catalogue.
-- artist_id: The catalogue's id of the artist.
-- name: The shortest name that the artist is credited with.
-- location: Where the artist comes from, in the catalogue's own words.
-- latitude: Of that place, in degrees north.
-- longitude: Of that place, in degrees east.
create table if not exists artists (
    artist_id varchar(64),
    name varchar(512),
    location varchar(512),
    latitude double precision,
    longitude double precision
)
diststyle all sortkey (artist_id);

-- time: one row per moment at which something was played or viewed, in UTC.
-- start_time: The moment, in UTC, to the millisecond.
-- hour: 0 to 23.
-- day: Day of the month, 1 to 31.
-- week: Week of the year by ISO 8601, 1 to 53.
-- month: 1 to 12.
-- year: The year.
-- weekday: 0 = Sunday to 6 = Saturday.
create table if not exists time (
    start_time timestamp,
    hour integer,
    day integer,
    week integer,
    month integer,
    year integer,
    weekday integer
)
diststyle key distkey (start_time) sortkey (start_time);

-- tracks: one row per recording as the app named it, and what the catalogue knows of it.
-- track_id: The md5 of title, artist and duration.
-- title: The title, as the app named it.
-- artist_name: The artist, as the app named them.
-- duration: Length in seconds, as the app has it.
-- song_id: The catalogue's song with the same title, credited artist and duration; null if it has none.
-- artist_id: That song's artist, else the one credited with exactly this name; null if there is none.
create table if not exists tracks (
    track_id varchar(32),
    title varchar(512),
    artist_name varchar(512),
    duration double precision,
    song_id varchar(64),
    artist_id varchar(64)
)
diststyle all sortkey (track_id);

-- catalogue: one row per song: its record in force, the one delivered last. Songs and artists are made from it.
-- song_id: The catalogue's id of the song.
-- title: The song's title.
-- artist_id: The artist it belongs to.
-- artist_name: The artist as credited on this song.
-- artist_location: Where the artist comes from, as this record has it.
-- artist_latitude: Of that place, in degrees north.
-- artist_longitude: Of that place, in degrees east.
-- duration: Length in seconds.
-- year: The year of release; 0 where it is not known.
create table if not exists catalogue (
    song_id varchar(64),
    title varchar(512),
    artist_id varchar(64),
    artist_name varchar(512),
    artist_location varchar(512),
    artist_latitude double precision,
    artist_longitude double precision,
    duration double precision,
    year bigint
);

-- etl_files: one row per file loaded, in the version last loaded: the ledger.
-- source: events or songs.
-- path: Where the file is.
-- version: What tells whether it changed: the ETag in S3, size and time of change on disk.
-- size: In bytes.
-- run_id: The run that loaded it.
-- loaded_at: When, in UTC.
-- read: Records read from it: the sum of the columns below.
-- songplays: Records that became plays.
-- page_views: Records that became page views.
-- songs: Song records that added or changed a song.
-- duplicates: Records that changed nothing.
-- rejected: Records refused.
create table if not exists etl_files (
    source varchar(8),
    path varchar(4096),
    version varchar(128),
    size bigint,
    run_id varchar(40),
    loaded_at timestamp,
    read bigint,
    songplays bigint,
    page_views bigint,
    songs bigint,
    duplicates bigint,
    rejected bigint
);

-- etl_runs: one row per run that published something.
-- run_id: When the run began, and six characters by chance.
-- started_at: When the run began, in UTC.
-- finished_at: When its last batch was published, in UTC.
-- files: Files loaded.
-- bytes: Their size.
-- events_read: Events read: songplays + page_views + events_duplicate + events_rejected.
-- songplays: Events that became plays.
-- page_views: Events that became page views.
-- events_duplicate: Events that changed nothing.
-- events_rejected: Events refused.
-- songs_read: Song records read: songs + songs_duplicate + songs_rejected.
-- songs: Song records that added or changed a song.
-- songs_duplicate: Song records that changed nothing.
-- songs_rejected: Song records refused.
create table if not exists etl_runs (
    run_id varchar(40),
    started_at timestamp,
    finished_at timestamp,
    files bigint,
    bytes bigint,
    events_read bigint,
    songplays bigint,
    page_views bigint,
    events_duplicate bigint,
    events_rejected bigint,
    songs_read bigint,
    songs bigint,
    songs_duplicate bigint,
    songs_rejected bigint
);

-- rejected_records: one row per record refused, with where it stands, why, and its text.
-- source: events or songs.
-- file: The file it stands in.
-- line: The line it begins on, from 1.
-- reason: Why it was refused.
-- record: Its text.
-- run_id: The run that refused it.
create table if not exists rejected_records (
    source varchar(8),
    file varchar(4096),
    line bigint,
    reason varchar(256),
    record
    varchar(65535)
    ,
    run_id varchar(40)
);

create or replace view staged_events as -- staged_events: one row per accepted event of the batch, with its key and its time.
select
    -- The portable forms take DuckDB 0.3 s longer for a million plays, of 1.5 s.
    cast(ts as varchar) || '-' || cast(sessionId as varchar) || '-' || cast(itemInSession as varchar)
    || '-' || coalesce(userId, '')
    as event_id,
    timestamp '1970-01-01 00:00:00' + floor(ts / 1000.0) * interval '1 second'
    + (ts % 1000) * interval '1 millisecond'
    as start_time,
    page = 'NextSong' as is_play,
    staging_events.*
from staging_events;


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
;

begin;

lock staging_files;


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
;

create or replace view events as
-- events: one row per event of the app, plays and page views in one shape.
-- The other views that look at every kind of event stand on this one.
-- event_id: songplay_id or page_view_id.
-- start_time: When it happened, in UTC.
-- user_id: Who did it; null when logged out.
-- level: The subscription at that moment: free or paid.
-- page: What was asked for; NextSong is a play.
-- session_id: The session that the app counted it to.
-- item_in_session: Its place in the session; settles which of two events of one millisecond came first.
-- location: Where the app placed the listener: a metropolitan area and its states.
-- user_agent: The browser, as it names itself.
select
    event_id,
    start_time,
    user_id,
    level,
    page,
    session_id,
    cast(
        substring(
            event_id, before + 1, length(event_id) - before - length(coalesce(user_id, '')) - 1
        ) as bigint
    ) as item_in_session,
    location,
    user_agent
from (
    select
        facts.*,
        length(split_part(substring(event_id, 2), '-', 1)) + length(cast(session_id as varchar)) + 3 as before
    from (
        select songplay_id as event_id, start_time, user_id, level, 'NextSong' as page, session_id, location, user_agent
        from songplays
        union all
        select page_view_id, start_time, user_id, level, page, session_id, location, user_agent
        from page_views
    ) as facts
) as keys;

comment on view events is 'One row per event of the app, plays and page views in one shape. The other views that look at every kind of event stand on this one. (sparkify d8eb6ecc)';

create or replace view sessions as
-- sessions: one row per session of a user.
-- What somebody did before logging in belongs to nobody, and is not counted.
-- session_id: The session that the app counted the events to.
-- user_id: Whose session it was.
-- started_at: The first event.
-- ended_at: The beginning of the last event; how long a last song was heard is not known.
-- minutes: From the first to the last event, in whole seconds; 0 for a session of one event.
-- plays: Songs played.
-- page_views: Other pages seen.
select
    session_id,
    user_id,
    min(start_time) as started_at,
    max(start_time) as ended_at,
    cast(
        extract(epoch from date_trunc('second', max(start_time)))
        - extract(epoch from date_trunc('second', min(start_time))) as double precision
    ) / 60.0 as minutes,
    count(case when page = 'NextSong' then 1 end) as plays,
    count(case when page <> 'NextSong' then 1 end) as page_views
from events
where user_id is not null
group by session_id, user_id;

comment on view sessions is 'One row per session of a user. What somebody did before logging in belongs to nobody, and is not counted. (sparkify 0920b033)';

create or replace view daily_listeners as
-- daily_listeners: one row per day, up to the last play, on which or in the 29 days before which something was played.
-- A listener is a user who started a song; looking at pages alone does not count. Days are days of UTC.
-- day: The day.
-- plays: Songs played on that day.
-- listeners: Users who played something on that day.
-- listeners_7d: Users who played something on that day or in the 6 days before.
-- listeners_30d: Users who played something on that day or in the 29 days before.
-- stickiness: listeners / listeners_30d, the share of a month's listeners who come on a day. In the first 30 days of the
-- data it is too high, since the month is not full yet.
with active as (
    select user_id, cast(start_time as date) as day, count(*) as plays
    from songplays
    group by user_id, cast(start_time as date)
),
days_back as (
    select cast(tens.n * 10 + ones.n as integer) as n
    from (select 0 as n union all select 1 union all select 2) as tens
    cross join (
        select 0 as n union all select 1 union all select 2 union all select 3 union all select 4
        union all select 5 union all select 6 union all select 7 union all select 8 union all select 9
    ) as ones
),
seen as (
    select
        active.user_id,
        active.day + days_back.n as day,
        min(days_back.n) as days_ago,
        max(case when days_back.n = 0 then active.plays else 0 end) as plays
    from active
    cross join days_back
    group by active.user_id, active.day + days_back.n
)
select
    day,
    cast(sum(plays) as bigint) as plays,
    count(case when days_ago = 0 then 1 end) as listeners,
    count(case when days_ago < 7 then 1 end) as listeners_7d,
    count(*) as listeners_30d,
    cast(count(case when days_ago = 0 then 1 end) as double precision) / count(*) as stickiness
from seen
where day <= (select max(day) from active)
group by day;

comment on view daily_listeners is 'One row per day, up to the last play, on which or in the 29 days before which something was played. A listener is a user who started a song; looking at pages alone does not count. Days are days of UTC. (sparkify b315fc24)';

create or replace view weekly_retention as
-- weekly_retention: one row per weekly cohort of listeners and week since, from its first week on.
-- A cohort is the users who played their first song in the same week. Those who listened before the data begins look
-- new in its first week. The last week may not be over yet. Of weeks in which nobody played, only the first has rows.
-- cohort_week: The Monday of the week in which the cohort played its first songs.
-- weeks_since: Whole weeks since then; 0 is the first week itself.
-- cohort_listeners: How many the cohort are.
-- active_listeners: How many of them played something in that week.
-- retention: active_listeners / cohort_listeners.
with weeks as (
    select distinct user_id, cast(date_trunc('week', start_time) as date) as week
    from songplays
),
firsts as (
    select user_id, min(week) as cohort_week
    from weeks
    group by user_id
),
calendar as (
    select week from weeks
    union
    select week + 7 from weeks where week < (select max(week) from weeks)
),
sizes as (
    select cohort_week, count(*) as listeners
    from firsts
    group by cohort_week
),
visits as (
    select firsts.cohort_week, weeks.week, count(*) as listeners
    from firsts
    join weeks on weeks.user_id = firsts.user_id
    group by firsts.cohort_week, weeks.week
)
select
    sizes.cohort_week,
    cast(floor((calendar.week - sizes.cohort_week) / 7.0) as integer) as weeks_since,
    sizes.listeners as cohort_listeners,
    coalesce(visits.listeners, 0) as active_listeners,
    cast(coalesce(visits.listeners, 0) as double precision) / sizes.listeners as retention
from sizes
join calendar on calendar.week >= sizes.cohort_week
left join visits on visits.cohort_week = sizes.cohort_week and visits.week = calendar.week;

comment on view weekly_retention is 'One row per weekly cohort of listeners and week since, from its first week on. A cohort is the users who played their first song in the same week. Those who listened before the data begins look new in its first week. The last week may not be over yet. Of weeks in which nobody played, only the first has rows. (sparkify 48e6241d)';

create or replace view level_history as
-- level_history: one row per user and stretch of time at one level, without gaps.
-- The level is what the app wrote on the user's events, in the order of time and of the place in the session.
-- user_id: Whose level.
-- level: free or paid.
-- valid_from: The first event at this level; what was before the data begins is not known.
-- valid_to: The first event at the next level; null for the level that stands.
-- level_before: The level before this one; null for the first that is known.
select
    user_id,
    level,
    start_time as valid_from,
    lead(start_time) over (partition by user_id order by start_time, item_in_session, event_id) as valid_to,
    level_before
from (
    select
        user_id,
        level,
        start_time,
        item_in_session,
        event_id,
        lag(level) over (partition by user_id order by start_time, item_in_session, event_id) as level_before
    from events
    where user_id is not null and level is not null
) as changes
where level_before is null or level_before <> level;

comment on view level_history is 'One row per user and stretch of time at one level, without gaps. The level is what the app wrote on the user''s events, in the order of time and of the place in the session. (sparkify 362df2a7)';

create or replace view daily_levels as
-- daily_levels: one row per day that has an event: how many users are free and paid at its end.
-- A user counts from their first event with a level on, and is never taken off: the app does not say who has left.
-- day: The day, in UTC.
-- users: Users seen so far whose level is known: free_users + paid_users.
-- free_users: Those of them at level free when the day ends.
-- paid_users: Those of them at level paid when the day ends.
-- upgrades: Changes from free to paid on that day.
-- downgrades: Changes from paid to free on that day.
select
    day,
    count(case when stands then 1 end) as users,
    count(case when stands and level = 'free' then 1 end) as free_users,
    count(case when stands and level = 'paid' then 1 end) as paid_users,
    count(case when changes and level = 'paid' then 1 end) as upgrades,
    count(case when changes and level = 'free' then 1 end) as downgrades
from (
    select
        days.day,
        h.level,
        h.user_id is not null and (h.valid_to is null or h.valid_to >= days.next_day) as stands,
        h.level_before is not null and h.valid_from >= days.day as changes
    from (
        select distinct cast(start_time as date) as day, cast(start_time as date) + 1 as next_day
        from events
    ) as days
    left join level_history as h
        on h.valid_from < days.next_day and (h.valid_to is null or h.valid_to >= days.day)
) as levels
group by day;

comment on view daily_levels is 'One row per day that has an event: how many users are free and paid at its end. A user counts from their first event with a level on, and is never taken off: the app does not say who has left. (sparkify 405f6c3a)';

create or replace view weekly_churn as
-- weekly_churn: one row per week, up to the last play, in which or in the week before which something was played.
-- It says who came, who came back, and who did not; of weeks without any play, only the first has a row, with its lost.
-- Lost is who played in the week before and not in this one; they may return later. The first week loses nobody, and
-- the last one may not be over yet.
-- week: The Monday of the week, in UTC.
-- listeners: Users who played something in this week.
-- new_listeners: Those who had never played before.
-- kept_listeners: Those who had played in the week before.
-- returned_listeners: Those who had played earlier, and not in the week before.
-- lost_listeners: Users who had played in the week before, and did not in this one.
-- churn: lost_listeners / the listeners of the week before; null where nobody listened then.
with weeks as (
    select distinct user_id, cast(date_trunc('week', start_time) as date) as week
    from songplays
),
visits as (
    select user_id, week, lag(week) over (partition by user_id order by week) as week_before
    from weeks
),
counts as (
    select
        week,
        count(*) as listeners,
        count(case when week_before is null then 1 end) as new_listeners,
        count(case when week_before = week - 7 then 1 end) as kept_listeners,
        count(case when week_before < week - 7 then 1 end) as returned_listeners
    from visits
    group by week
),
calendar as (
    select week from counts
    union
    select week + 7 from counts where week < (select max(week) from counts)
)
select
    calendar.week,
    coalesce(this.listeners, 0) as listeners,
    coalesce(this.new_listeners, 0) as new_listeners,
    coalesce(this.kept_listeners, 0) as kept_listeners,
    coalesce(this.returned_listeners, 0) as returned_listeners,
    coalesce(before.listeners, 0) - coalesce(this.kept_listeners, 0) as lost_listeners,
    cast(before.listeners - coalesce(this.kept_listeners, 0) as double precision) / before.listeners as churn
from calendar
left join counts as this on this.week = calendar.week
left join counts as before on before.week = calendar.week - 7;

comment on view weekly_churn is 'One row per week, up to the last play, in which or in the week before which something was played. It says who came, who came back, and who did not; of weeks without any play, only the first has a row, with its lost. Lost is who played in the week before and not in this one; they may return later. The first week loses nobody, and the last one may not be over yet. (sparkify df082606)';

create or replace view upgrade_funnel as
-- upgrade_funnel: one row per step on the way from free to paid, with the users who got that far.
-- A user counts once a step, and only with a step at or after the one before. Who was paid from the start, or before
-- the data begins, is in the funnel only if they were free at some time.
-- step: 1 to 4.
-- name: Free (any event at that level), Upgrade page (saw it while free), Submitted (sent its form), Paid (an event at
-- that level).
-- users: Users who got to this step.
-- share_of_first: users / the users of step 1.
-- share_of_previous: users / the users of the step before; null for the first.
with asked as (
    select user_id, min(start_time) as first_time
    from page_views
    where page = 'Upgrade' and level = 'free' and user_id is not null
    group by user_id
),
submitted as (
    select v.user_id, min(v.start_time) as first_time
    from page_views as v
    join asked on asked.user_id = v.user_id
    where v.page = 'Submit Upgrade' and v.start_time >= asked.first_time
    group by v.user_id
),
steps as (
    select 1 as step, 'Free' as name, count(distinct user_id) as users
    from events
    where level = 'free' and user_id is not null
    union all
    select 2, 'Upgrade page', count(*)
    from asked
    union all
    select 3, 'Submitted', count(*)
    from submitted
    union all
    select 4, 'Paid', count(distinct e.user_id)
    from events as e
    join submitted on submitted.user_id = e.user_id
    where e.level = 'paid' and e.start_time >= submitted.first_time
)
select
    step,
    name,
    users,
    cast(users as double precision) / nullif(max(case when step = 1 then users end) over (), 0) as share_of_first,
    cast(users as double precision) / nullif(lag(users) over (order by step), 0) as share_of_previous
from steps;

comment on view upgrade_funnel is 'One row per step on the way from free to paid, with the users who got that far. A user counts once a step, and only with a step at or after the one before. Who was paid from the start, or before the data begins, is in the funnel only if they were free at some time. (sparkify ffed2db3)';

create or replace view top_tracks as
-- top_tracks: one row per title and artist that was played, whatever the recording's length.
-- Titles are the app's own, so songs that the catalogue does not know count too. There is no skip rate: the app does
-- not say when a song ended.
-- place: 1 for the most plays; those with as many share a place.
-- title: The song, as the app named it.
-- artist_name: The artist, as the app named them.
-- plays: How often it was started.
-- listeners: By how many users.
-- hours: plays × length of the recording; a song that was left early counts in full.
-- first_played_at: The first play, in UTC.
-- last_played_at: The last play, in UTC.
select
    rank() over (order by plays desc) as place,
    title,
    artist_name,
    plays,
    listeners,
    hours,
    first_played_at,
    last_played_at
from (
    select
        t.title,
        t.artist_name,
        count(*) as plays,
        count(distinct p.user_id) as listeners,
        sum(t.duration) / 3600.0 as hours,
        min(p.start_time) as first_played_at,
        max(p.start_time) as last_played_at
    from songplays as p
    join tracks as t on t.track_id = p.track_id
    group by t.title, t.artist_name
) as counted;

comment on view top_tracks is 'One row per title and artist that was played, whatever the recording''s length. Titles are the app''s own, so songs that the catalogue does not know count too. There is no skip rate: the app does not say when a song ended. (sparkify aea56a67)';

create or replace view top_artists as
-- top_artists: one row per artist that was played, as the app credited them.
-- A guest's credit is a name of its own: "A" and "A feat. B" are two.
-- place: 1 for the most plays; those with as many share a place.
-- artist_name: The artist, as the app named them.
-- plays: How often one of their songs was started.
-- listeners: By how many users.
-- titles: How many different titles of theirs were played.
-- hours: plays × length of the recording; a song that was left early counts in full.
select
    rank() over (order by plays desc) as place,
    artist_name,
    plays,
    listeners,
    titles,
    hours
from (
    select
        t.artist_name,
        count(*) as plays,
        count(distinct p.user_id) as listeners,
        count(distinct t.title) as titles,
        sum(t.duration) / 3600.0 as hours
    from songplays as p
    join tracks as t on t.track_id = p.track_id
    group by t.artist_name
) as counted;

comment on view top_artists is 'One row per artist that was played, as the app credited them. A guest''s credit is a name of its own: "A" and "A feat. B" are two. (sparkify 04fd309b)';

create or replace view listening_by_hour as
-- listening_by_hour: one row per weekday and hour in which something was played.
-- Hours are of UTC: the logs do not say what the clock showed where the listener was.
-- weekday: 0 = Sunday to 6 = Saturday.
-- hour: 0 to 23.
-- plays: Songs started in that hour.
-- listeners: Users who started one.
select
    cast(extract(dow from start_time) as integer) as weekday,
    cast(extract(hour from start_time) as integer) as hour,
    count(*) as plays,
    count(distinct user_id) as listeners
from songplays
group by extract(dow from start_time), extract(hour from start_time);

comment on view listening_by_hour is 'One row per weekday and hour in which something was played. Hours are of UTC: the logs do not say what the clock showed where the listener was. (sparkify 1c337c68)';

create or replace view listening_by_region as
-- listening_by_region: one row per state from which something was played.
-- The state is what stands after the last comma of the location. A metropolitan area in several states (NY-NJ-PA)
-- counts for each of them, up to four, so the rows add up to more than all plays.
-- state: Two letters, as the location has them; unknown where there is no location or no state in it.
-- plays: Songs started there.
-- listeners: Users who started one.
with places as (
    select user_id, reverse(split_part(reverse(location), ' ,', 1)) as states, count(*) as plays
    from songplays
    group by user_id, reverse(split_part(reverse(location), ' ,', 1))
)
select
    state,
    cast(sum(plays) as bigint) as plays,
    count(distinct user_id) as listeners
from (
    select
        user_id,
        plays,
        case
            when length(split_part(states, '-', n)) = 2 then split_part(states, '-', n)
            when n = 1 then 'unknown'
        end as state
    from places
    cross join (select 1 as n union all select 2 union all select 3 union all select 4) as numbers
) as per_state
where state is not null
group by state;

comment on view listening_by_region is 'One row per state from which something was played. The state is what stands after the last comma of the location. A metropolitan area in several states (NY-NJ-PA) counts for each of them, up to four, so the rows add up to more than all plays. (sparkify dfb364bd)';

create or replace view listening_by_device as
-- listening_by_device: one row per device and browser family with which something was played.
-- Read from user_agent by the rule below: the first name that is found counts, since browsers name others too.
-- device: Windows (its phones too, which name Android and iPhone), iPhone, iPad, Android, Mac, Linux, ChromeOS, other, or unknown where the log has none.
-- browser: Edge, Opera, Firefox, Chrome (Chromium too), Safari, Internet Explorer, other, or unknown.
-- plays: Songs started with it.
-- listeners: Users who started one; who uses two is in two rows.
with agents as (
    select user_agent, user_id, count(*) as plays
    from songplays
    group by user_agent, user_id
)
select
    device,
    browser,
    cast(sum(plays) as bigint) as plays,
    count(distinct user_id) as listeners
from (
    select
        user_id,
        plays,
        case
            when user_agent is null then 'unknown'
            when user_agent like '%Windows%' then 'Windows'
            when user_agent like '%iPhone%' or user_agent like '%iPod%' then 'iPhone'
            when user_agent like '%iPad%' then 'iPad'
            when user_agent like '%Android%' then 'Android'
            when user_agent like '%Macintosh%' then 'Mac'
            when user_agent like '%CrOS%' then 'ChromeOS'
            when user_agent like '%Linux%' then 'Linux'
            else 'other'
        end as device,
        case
            when user_agent is null then 'unknown'
            when user_agent like '%Edg/%' or user_agent like '%Edge/%' then 'Edge'
            when user_agent like '%EdgA/%' or user_agent like '%EdgiOS/%' then 'Edge'
            when user_agent like '%OPR/%' or user_agent like '%OPT/%' or user_agent like '%Opera%' then 'Opera'
            when user_agent like '%Firefox/%' or user_agent like '%FxiOS/%' then 'Firefox'
            when user_agent like '%Chrome/%' or user_agent like '%CriOS/%' then 'Chrome'
            when user_agent like '%MSIE %' or user_agent like '%Trident/%' then 'Internet Explorer'
            when user_agent like '%Safari/%' then 'Safari'
            else 'other'
        end as browser
    from agents
) as named
group by device, browser;

comment on view listening_by_device is 'One row per device and browser family with which something was played. Read from user_agent by the rule below: the first name that is found counts, since browsers name others too. (sparkify fa5ee0d1)';

create or replace view page_errors as
-- page_errors: one row per day with a page view, and how many of its pages ended in an error.
-- An error is a status of 400 or more. Plays are not pages: the logs give them a status too, the warehouse does not.
-- day: The day, in UTC.
-- page_views: Pages asked for.
-- errors: Those that ended in an error.
-- users: Users who met one; who was logged out is not among them.
-- error_rate: errors / page_views.
select
    cast(start_time as date) as day,
    count(*) as page_views,
    count(case when status >= 400 then 1 end) as errors,
    count(distinct case when status >= 400 then user_id end) as users,
    cast(count(case when status >= 400 then 1 end) as double precision) / count(*) as error_rate
from page_views
group by cast(start_time as date);

comment on view page_errors is 'One row per day with a page view, and how many of its pages ended in an error. An error is a status of 400 or more. Plays are not pages: the logs give them a status too, the warehouse does not. (sparkify e17b8291)';

create or replace view match_rate as
-- match_rate: one row per day with a play, and how many of its plays the catalogue knows.
-- A play is matched by title, artist and duration, all exactly; else perhaps its artist alone, by the exact name.
-- day: The day, in UTC.
-- plays: Songs played.
-- song_plays: Plays whose song the catalogue knows.
-- artist_plays: Plays whose artist the catalogue knows.
-- song_rate: song_plays / plays.
-- artist_rate: artist_plays / plays.
select
    cast(start_time as date) as day,
    count(*) as plays,
    count(song_id) as song_plays,
    count(artist_id) as artist_plays,
    cast(count(song_id) as double precision) / count(*) as song_rate,
    cast(count(artist_id) as double precision) / count(*) as artist_rate
from songplays
group by cast(start_time as date);

comment on view match_rate is 'One row per day with a play, and how many of its plays the catalogue knows. A play is matched by title, artist and duration, all exactly; else perhaps its artist alone, by the exact name. (sparkify 0228f550)';

create or replace view freshness as
-- freshness: one row: from when to when the warehouse holds events, and when it was loaded last.
-- oldest_event_at: The first event of all, in UTC.
-- newest_event_at: The last event of all, in UTC: what happened later is not here yet.
-- newest_play_at: The last play of all, in UTC.
-- last_loaded_at: When a file was loaded last, in UTC, by the clock of the machine that loaded it.
-- files: Files loaded.
-- rejected: Records refused, of all files loaded.
select
    events.oldest_event_at,
    events.newest_event_at,
    plays.newest_play_at,
    loads.last_loaded_at,
    loads.files,
    loads.rejected
from (select min(start_time) as oldest_event_at, max(start_time) as newest_event_at from time) as events
cross join (select max(start_time) as newest_play_at from songplays) as plays
cross join (
    select max(loaded_at) as last_loaded_at, count(*) as files, cast(coalesce(sum(rejected), 0) as bigint) as rejected
    from etl_files
) as loads;

comment on view freshness is 'One row: from when to when the warehouse holds events, and when it was loaded last. (sparkify 2af97c06)';

commit;


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
;


select c."oid"
from pg_class as c
join pg_namespace as n on n."oid" = c.relnamespace
where c.relname = 'staging_files' and n.nspname = ?
;


select pid, txn_owner, txn_start
from svv_transactions
where relation = ? and lock_mode = 'AccessExclusiveLock' and granted = 't'
;

begin;

lock staging_files;


select count(*)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = ? and c.relname = 'etl_files' and c.relkind = 'r'
;

select source, path, version from etl_files;

delete from staging_events;

copy staging_events from 's3://STAGE/RUN/staging_events.manifest'
iam_role 'arn:aws:iam::123456789012:role/ROLE'
manifest
format json 'auto ignorecase'
gzip
region 'REGION'
compupdate off
statupdate on
maxerror 100000;

delete from staging_songs;

copy staging_songs from 's3://STAGE/RUN/staging_songs.manifest'
iam_role 'arn:aws:iam::123456789012:role/ROLE'
manifest
format json 'auto ignorecase'
gzip
region 'REGION'
compupdate off
statupdate on
maxerror 100000;

delete from staging_files;

copy staging_files from 's3://STAGE/RUN/staging_files.manifest'
iam_role 'arn:aws:iam::123456789012:role/ROLE'
manifest
format json 'auto ignorecase'
gzip
region 'REGION'
compupdate off
statupdate on
maxerror 100000;

delete from staging_rejects;

copy staging_rejects from 's3://STAGE/RUN/staging_rejects.manifest'
iam_role 'arn:aws:iam::123456789012:role/ROLE'
manifest
format json 'auto ignorecase'
gzip
region 'REGION'
compupdate off
statupdate on
maxerror 100000;

select count(*) from staging_songs;

select count(*) from staging_events;

drop table if exists settled_songs;

create temp table settled_songs as -- settled_songs: one row per staged song record: the last one delivered of a song stands, unless it is known.
select
    s.num_songs, s.artist_id, s.artist_latitude, s.artist_longitude, s.artist_location, s.artist_name,
    s.song_id, s.title, s.duration, s.year, s.file_id, s.position,
    case
        when s.place > 1 then true
        when c.song_id is null then false
        else
            c.artist_id = s.artist_id
            and coalesce(c.title, '') = coalesce(s.title, '')
            and coalesce(c.artist_name, '') = coalesce(s.artist_name, '')
            and coalesce(c.artist_location, '') = coalesce(s.artist_location, '')
            and coalesce(c.artist_latitude, 1e300) = coalesce(s.artist_latitude, 1e300)
            and coalesce(c.artist_longitude, 1e300) = coalesce(s.artist_longitude, 1e300)
            and coalesce(c.duration, -1) = coalesce(s.duration, -1)
            and coalesce(c.year, 0) = coalesce(s.year, 0)
    end as duplicate
from (
    select
        staging_songs.*,
        row_number() over (partition by song_id order by file_id desc, position desc) as place
    from staging_songs
) as s
left join catalogue as c on c.song_id = s.song_id;

delete from staging_songs;

insert into staging_songs select * from settled_songs;

drop table if exists new_catalogue;

create temp table new_catalogue as -- catalogue: one row per song that the batch adds or changes.
select
    song_id, title, artist_id, artist_name, artist_location, artist_latitude, artist_longitude, duration,
    nullif(year, 0) as year
from staging_songs
where not duplicate;

delete from catalogue using new_catalogue as n where catalogue.song_id = n.song_id;

insert into catalogue select * from new_catalogue;

drop table if exists new_songs;

create temp table new_songs as -- songs: one row per song that the batch adds or changes.
select c.song_id, c.title, c.artist_id, c.year, c.duration, c.artist_name
from catalogue as c
join staging_songs as s on s.song_id = c.song_id
where not s.duplicate;

delete from songs using new_songs as n where songs.song_id = n.song_id;

insert into songs select * from new_songs;

drop table if exists new_artists;

create temp table new_artists as -- artists: one row per artist of whom the catalogue now says something else.
with named as (
    select artist_id, artist_name
    from (
        select
            artist_id, artist_name,
            row_number() over (partition by artist_id order by length(artist_name), artist_name) as place
        from catalogue
    ) as names
    where place = 1
),
placed as (
    select artist_id, artist_location, artist_latitude, artist_longitude
    from (
        select
            catalogue.*,
            row_number() over (
                partition by artist_id
                order by
                    case when artist_latitude is null or artist_longitude is null then 1 else 0 end,
                    case when artist_location is null then 1 else 0 end,
                    artist_location, artist_latitude, artist_longitude
            ) as place
        from catalogue
    ) as places
    where place = 1
)
select
    named.artist_id,
    named.artist_name as name,
    placed.artist_location as location,
    placed.artist_latitude as latitude,
    placed.artist_longitude as longitude
from named
join placed on placed.artist_id = named.artist_id
left join artists on artists.artist_id = named.artist_id
where
    exists (select 1 from staging_songs where not duplicate)
    and (
        artists.artist_id is null
        or coalesce(artists.name, '') <> coalesce(named.artist_name, '')
        or coalesce(artists.location, '') <> coalesce(placed.artist_location, '')
        or coalesce(artists.latitude, 1e300) <> coalesce(placed.artist_latitude, 1e300)
        or coalesce(artists.longitude, 1e300) <> coalesce(placed.artist_longitude, 1e300)
    );

delete from artists using new_artists as n where artists.artist_id = n.artist_id;

insert into artists select * from new_artists;

delete from artists where artist_id not in (select artist_id from catalogue);

drop table if exists new_users;

create temp table new_users as -- users: one row per user whom the batch saw later than the warehouse had, or as late and first in order.
with seen as (
    select
        e.userId as user_id,
        e.firstName as first_name,
        e.lastName as last_name,
        e.gender,
        e.level,
        case when e.registration is not null then
            timestamp '1970-01-01 00:00:00' + floor(e.registration / 1000.0) * interval '1 second'
                + (e.registration % 1000) * interval '1 millisecond'
        end as registered_at,
        e.start_time as last_seen_at,
        e.itemInSession as item_in_session,
        e.sessionId as session_id,
        case when f.redelivered then e.file_id end as redelivered_in,
        e.file_id,
        0 as is_known
    from staged_events as e
    join (select userId, max(ts) as ts from staging_events group by userId) as latest
        on latest.userId = e.userId and latest.ts = e.ts
    join staging_files as f on f.file_id = e.file_id
),
-- Where the batch ties with what is known, the item's place in its session decides. It stands in the event's key.
-- Of several known events that tie, it is not known which the row came from: then it is of no session.
ties as (
    select distinct users.user_id, users.last_seen_at
    from users
    join seen on seen.user_id = users.user_id and seen.last_seen_at = users.last_seen_at
),
known_events as (
    select p.songplay_id as event_id, p.session_id, p.user_id
    from songplays as p
    join ties on ties.user_id = p.user_id and ties.last_seen_at = p.start_time
    union all
    select v.page_view_id, v.session_id, v.user_id
    from page_views as v
    join ties on ties.user_id = v.user_id and ties.last_seen_at = v.start_time
),
known_items as (
    select user_id, item, case when count(*) = 1 then max(session_id) end as session_id
    from (
        select user_id, item, session_id, max(item) over (partition by user_id) as last_item
        from (
            select
                user_id,
                session_id,
                cast(substring(event_id, before + 1, length(event_id) - before - length(user_id) - 1) as bigint) as item
            from (
                select
                    event_id,
                    user_id,
                    session_id,
                    length(split_part(event_id, '-', 1)) + length(cast(session_id as varchar)) + 2 as before
                from known_events
            ) as keys
        ) as items
    ) as ranked_items
    where item = last_item
    group by user_id, item
),
known as (
    select
        users.user_id,
        users.first_name,
        users.last_name,
        users.gender,
        users.level,
        users.registered_at,
        users.last_seen_at,
        coalesce(known_items.item, 0) as item_in_session,
        known_items.session_id,
        cast(null as integer) as redelivered_in,
        -1 as file_id,
        1 as is_known
    from users
    left join known_items on known_items.user_id = users.user_id
    where users.user_id in (select user_id from seen)
)
select user_id, first_name, last_name, gender, level, registered_at, last_seen_at
from (
    select
        standing.*,
        row_number() over (
            partition by user_id
            order by
                last_seen_at desc, item_in_session desc, preference,
                level, first_name, last_name, gender, registered_at, is_known desc
        ) as recency
    from (
        select
            sightings.*,
            -- A file delivered again replaces what came before it of the same event: of the same session.
            case
                when file_id >= coalesce(
                    max(redelivered_in) over (partition by user_id, last_seen_at, item_in_session, session_id), -1
                ) then 0
                else 1
            end as preference
        from (select * from seen union all select * from known) as sightings
    ) as standing
) as ranked
where recency = 1 and is_known = 0;

delete from users using new_users as n where users.user_id = n.user_id;

insert into users select * from new_users;

drop table if exists known_events;

create temp table known_events as -- known_events: one row per staged event whose key the warehouse has already: whether it says something else.
select
    e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id,
    coalesce(e.level, '') <> coalesce(p.level, '')
    or coalesce(e.location, '') <> coalesce(p.location, '')
    or coalesce(e.userAgent, '') <> coalesce(p.user_agent, '')
    or coalesce(e.song, '') <> coalesce(t.title, '')
    or coalesce(e.artist, '') <> coalesce(t.artist_name, '')
    or coalesce(e.length, 1e300) <> coalesce(t.duration, 1e300) as differs
from songplays as p
join staged_events as e on e.start_time = p.start_time and e.event_id = p.songplay_id
join tracks as t on t.track_id = p.track_id
where e.is_play
union all
select
    e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id,
    coalesce(e.level, '') <> coalesce(v.level, '')
    or coalesce(e.location, '') <> coalesce(v.location, '')
    or coalesce(e.userAgent, '') <> coalesce(v.user_agent, '')
    or coalesce(e.page, '') <> coalesce(v.page, '')
    or coalesce(e.auth, '') <> coalesce(v.auth, '')
    or coalesce(e.method, '') <> coalesce(v.method, '')
    or (e.status is null) <> (v.status is null)
    or coalesce(e.status, 0) <> coalesce(v.status, 0) as differs
from page_views as v
join staged_events as e on e.start_time = v.start_time and e.event_id = v.page_view_id
where not e.is_play;

update staging_events set duplicate = true from known_events as k where 
staging_events.ts = k.ts and staging_events.sessionId = k.sessionId and staging_events.itemInSession = k.itemInSession
and coalesce(staging_events.userId, '') = coalesce(k.userId, '') and (staging_events.page = 'NextSong') = k.is_play
;

drop table if exists contested_keys;

create temp table contested_keys as -- contested_keys: one row per event key on which the batch contradicts the warehouse, or that only it holds, repeatedly.
select ts, sessionId, itemInSession, userId, is_play, event_id
from known_events
where differs
union
select ts, sessionId, itemInSession, userId, is_play, event_id
from (
    select ts, sessionId, itemInSession, userId, is_play, event_id
    from staged_events
    where exists (
        select 1
        from (select ts, sessionId from staging_events group by ts, sessionId having count(*) > 1) as repeated
        where repeated.ts = staged_events.ts and repeated.sessionId = staged_events.sessionId
    )
    group by ts, sessionId, itemInSession, userId, is_play, event_id
    having count(*) > 1
    -- Not as "where not exists", which PostgreSQL does row by row: it expects few repeated keys.
    except
    select ts, sessionId, itemInSession, userId, is_play, event_id
    from known_events
) as repeated_keys;

select count(*) from contested_keys;

drop table if exists settled_events;

create temp table settled_events as -- settled_events: one row per staged event with a contested key: whether it stands, or is a duplicate.
-- Of several with one key, the first in order stands, and what is known already rather than the same again; but a
-- file that is delivered again takes the place of all that came before it: in the order of the files, whatever the batch.
with claims as (
    select
        k.event_id, k.is_play,
        case when f.redelivered then e.file_id end as redelivered_in,
        e.level, e.location, e.userAgent, e.song, e.artist, e.length, e.page, e.auth, e.method, e.status,
        1 as is_new,
        e.file_id,
        e.firstName, e.gender, e.itemInSession, e.lastName, e.registration, e.sessionId, e.ts, e.userId
        , e.length_text
    from contested_keys as k
    join staging_events as e
        on e.ts = k.ts and e.sessionId = k.sessionId and e.itemInSession = k.itemInSession
        and coalesce(e.userId, '') = coalesce(k.userId, '') and (e.page = 'NextSong') = k.is_play
    join staging_files as f on f.file_id = e.file_id
    union all
    select
        k.event_id, k.is_play, null,
        p.level, p.location, p.user_agent, t.title, t.artist_name, t.duration, 'NextSong', null, null, null,
        0, null, null, null, null, null, null, null, null, null
        , null
    from contested_keys as k
    join songplays as p on p.songplay_id = k.event_id
    join tracks as t on t.track_id = p.track_id
    where k.is_play
    union all
    select
        k.event_id, k.is_play, null,
        v.level, v.location, v.user_agent, null, null, null, v.page, v.auth, v.method, v.status,
        0, null, null, null, null, null, null, null, null, null
        , null
    from contested_keys as k
    join page_views as v on v.page_view_id = k.event_id
    where not k.is_play
),
standing as (
    select
        claims.*,
        -- Compared is what the fact keeps: what a page view says of a song decides nothing, nor the status of a play.
        case when is_play then song end as play_song,
        case when is_play then artist end as play_artist,
        case when is_play then length end as play_length,
        case when not is_play then page end as view_page,
        case when not is_play then auth end as view_auth,
        case when not is_play then method end as view_method,
        case when not is_play then status end as view_status,
        case
            when coalesce(file_id, -1) >= coalesce(max(redelivered_in) over (partition by event_id, is_play), -1) then 0
            else 1
        end as preference
    from claims
),
ranked as (
    select
        standing.*,
        row_number() over (
            partition by event_id, is_play
            order by
                preference, level, location, userAgent, play_song, play_artist, play_length,
                view_page, view_auth, view_method, view_status,
                is_new, file_id, firstName, lastName, gender, registration
        ) as place,
        min(is_new) over (
            partition by
                event_id, is_play, level, location, userAgent, play_song, play_artist, play_length,
                view_page, view_auth, view_method, view_status
        ) as is_unknown,
        min(is_new) over (partition by event_id, is_play) as is_first
    from standing
)
select
    artist, auth, firstName, gender, itemInSession, lastName, length, level, location, method, page, registration,
    sessionId, song, status, ts, userAgent, userId,
    length_text,
    file_id,
    not (place = 1 and is_unknown = 1) as duplicate,
    place = 1 and is_unknown = 1 and is_first = 0 as replaces,
    event_id, is_play
from ranked
where is_new = 1;

delete from staging_events using contested_keys as k where 
staging_events.ts = k.ts and staging_events.sessionId = k.sessionId and staging_events.itemInSession = k.itemInSession
and coalesce(staging_events.userId, '') = coalesce(k.userId, '') and (staging_events.page = 'NextSong') = k.is_play
;

insert into staging_events -- settled_rows: one row per staged event with a contested key, in the form of staging_events.
select
    artist, auth, firstName, gender, itemInSession, lastName, length, level, location, method, page, registration,
    sessionId, song, status, ts, userAgent, userId,
    length_text,
    file_id, duplicate
from settled_events;

delete from page_views using settled_events as s where s.replaces and not s.is_play and page_views.page_view_id = s.event_id;

delete from songplays using settled_events as s where s.replaces and s.is_play and songplays.songplay_id = s.event_id;

drop table if exists new_tracks;

create temp table new_tracks as -- tracks: one row per track that the batch is the first to play, or of which the catalogue now says something else.
with heard as (
    select
        md5(  -- of lengths too, or two tracks could run together into one text
            cast(length(song) as varchar) || ':' || song || cast(length(artist) as varchar) || ':' || artist
            || case
                when length is null then ''
                when length = floor(length) then cast(cast(length as bigint) as varchar)
                else
                    length_text
            end
        ) as track_id,
        song as title,
        artist as artist_name,
        length as duration
    from (
        select distinct
            length_text,
            song, artist, length
        from staging_events
        where page = 'NextSong' and not duplicate
    ) as played
),
asked as (
    select track_id, title, artist_name, duration
    from tracks
    where exists (select 1 from staging_songs where not duplicate)
    union
    select track_id, title, artist_name, duration
    from heard
),
recordings as (
    select title, artist_name, duration, min(song_id) as song_id
    from songs
    group by title, artist_name, duration
),
credits as (
    select artist_name, min(artist_id) as artist_id
    from songs
    group by artist_name
),
answered as (
    select
        asked.track_id, asked.title, asked.artist_name, asked.duration,
        recordings.song_id,
        coalesce(songs.artist_id, credits.artist_id) as artist_id
    from asked
    left join recordings
        on recordings.title = asked.title
        and recordings.artist_name = asked.artist_name
        and recordings.duration = asked.duration
    left join songs on songs.song_id = recordings.song_id
    left join credits on credits.artist_name = asked.artist_name
)
select answered.track_id, answered.title, answered.artist_name, answered.duration, answered.song_id, answered.artist_id
from answered
left join tracks on tracks.track_id = answered.track_id
where
    tracks.track_id is null
    or coalesce(tracks.song_id, '') <> coalesce(answered.song_id, '')
    or coalesce(tracks.artist_id, '') <> coalesce(answered.artist_id, '');

delete from tracks using new_tracks as n where tracks.track_id = n.track_id;

insert into tracks select * from new_tracks;

update songplays set song_id = n.song_id, artist_id = n.artist_id from new_tracks as n where songplays.track_id = n.track_id;

insert into songplays -- songplays: one row per play of the batch that was not known, with what the catalogue knows of its track.
select
    e.event_id as songplay_id, e.start_time, e.userId as user_id, e.level, t.song_id, t.artist_id,
    e.sessionId as session_id, e.location, e.userAgent as user_agent, t.track_id
from staged_events as e
join tracks as t
    on t.title = e.song and t.artist_name = e.artist and coalesce(t.duration, -1) = coalesce(e.length, -1)
where e.is_play and not e.duplicate;

insert into page_views -- page_views: one row per event of the batch that is not a play and was not known.
select
    event_id as page_view_id, start_time, userId as user_id, level, page, auth, method, status,
    sessionId as session_id, location, userAgent as user_agent
from staged_events
where not is_play and not duplicate;

insert into time -- time: one row per moment of the batch that was not known.
select
    start_time,
    cast(extract(hour from start_time) as integer) as hour,
    cast(extract(day from start_time) as integer) as day,
    cast(extract(week from start_time) as integer) as week,
    cast(extract(month from start_time) as integer) as month,
    cast(extract(year from start_time) as integer) as year,
    cast(extract(dow from start_time) as integer) as weekday
from (
    select distinct e.start_time
    from staged_events as e
    left join time on time.start_time = e.start_time
    where not e.duplicate and time.start_time is null
) as moments;

delete from tracks where track_id not in (select track_id from songplays);

select source, count(*), sum(size), sum(read) from staging_files group by source;

select f.source, count(*) from staging_rejects as r join staging_files as f on f.file_id = r.file_id group by f.source;

select count(*) from staging_events where duplicate;

select count(*) from staging_songs where duplicate;

delete from etl_files where exists (select 1 from staging_files as f where f.source = etl_files.source and f.path = etl_files.path);

delete from rejected_records where exists (select 1 from staging_files as f where f.source = rejected_records.source and f.path = rejected_records.file);

insert into etl_files -- loaded_files: one row per file of the batch, and what became of its records.
select
    f.source, f.path, f.version, f.size,
    cast(? as varchar(40)) as run_id,
    cast(? as timestamp) as loaded_at,
    f.read,
    coalesce(e.songplays, 0) as songplays,
    coalesce(e.page_views, 0) as page_views,
    coalesce(s.songs, 0) as songs,
    coalesce(e.duplicates, 0) + coalesce(s.duplicates, 0) as duplicates,
    coalesce(r.rejected, 0) as rejected
from staging_files as f
left join (
    select
        file_id,
        sum(case when page = 'NextSong' and not duplicate then 1 else 0 end) as songplays,
        sum(case when page <> 'NextSong' and not duplicate then 1 else 0 end) as page_views,
        sum(case when duplicate then 1 else 0 end) as duplicates
    from staging_events
    group by file_id
) as e on e.file_id = f.file_id
left join (
    select
        file_id,
        sum(case when duplicate then 0 else 1 end) as songs,
        sum(case when duplicate then 1 else 0 end) as duplicates
    from staging_songs
    group by file_id
) as s on s.file_id = f.file_id
left join (
    select file_id, count(*) as rejected
    from staging_rejects
    group by file_id
) as r on r.file_id = f.file_id;

insert into rejected_records -- refused_records: one row per record of the batch that breaks the contract.
select f.source, f.path as file, r.line, r.reason, r.record, cast(? as varchar(40)) as run_id
from staging_rejects as r
join staging_files as f on f.file_id = r.file_id;

delete from etl_runs where run_id = ?;

insert into etl_runs values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- checked_period: one row: the time whose facts the checks look at. A run looks at what it touched.
-- On DuckDB it lasts no longer than the run.
-- first_time: From this moment on.
-- last_time: Up to and with this moment.
create
table if not exists checked_period (
    first_time timestamp,
    last_time timestamp
);

delete from checked_period;

insert into checked_period 
select
    case when songs > 0 then timestamp '0001-01-01' else first_time end as first_time,
    case when songs > 0 then timestamp '9999-12-31 23:59:59.999' else last_time end as last_time
from (select min(start_time) as first_time, max(start_time) as last_time from staged_events) as events
cross join (select count(*) as songs from staging_songs where not duplicate) as songs
;

-- artist_ids_are_unique: one row per artist whose key is missing or given more than once.
select artist_id, count(*) as times
from artists
group by artist_id
having count(*) > 1 or artist_id is null;

-- catalogue_song_ids_are_unique: one row per song whose key is missing or given more than once in the catalogue.
select song_id, count(*) as times
from catalogue
group by song_id
having count(*) > 1 or song_id is null;

-- every_page_view_has_its_time: one row per page view whose start_time is not in time, or missing.
with lost as (  -- of times alone: the keys are read of those rows that do not comply
    select f.start_time
    from page_views as f
    left join (
        select start_time
        from time
        where start_time between (select first_time from checked_period) and (select last_time from checked_period)
    ) as d on d.start_time = f.start_time
    where
        f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
        and d.start_time is null
)
select page_view_id, start_time
from page_views
where start_time in (select start_time from lost)
union all
select page_view_id, start_time
from page_views
where start_time is null;

-- every_page_view_has_its_user: one row per page view whose user_id is not in users.
select f.page_view_id, f.user_id
from page_views as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and f.user_id is not null
    and not exists (select 1 from users as d where d.user_id = f.user_id);

-- every_play_has_its_artist: one row per play whose artist_id is not in artists.
select f.songplay_id, f.artist_id
from songplays as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and f.artist_id is not null
    and not exists (select 1 from artists as d where d.artist_id = f.artist_id);

-- every_play_has_its_song: one row per play whose song_id is not in songs.
select f.songplay_id, f.song_id
from songplays as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and f.song_id is not null
    and not exists (select 1 from songs as d where d.song_id = f.song_id);

-- every_play_has_its_time: one row per play whose start_time is not in time, or missing.
with lost as (  -- of times alone: the keys are read of those rows that do not comply
    select f.start_time
    from songplays as f
    left join (
        select start_time
        from time
        where start_time between (select first_time from checked_period) and (select last_time from checked_period)
    ) as d on d.start_time = f.start_time
    where
        f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
        and d.start_time is null
)
select songplay_id, start_time
from songplays
where start_time in (select start_time from lost)
union all
select songplay_id, start_time
from songplays
where start_time is null;

-- every_play_has_its_track: one row per play whose track_id is not in tracks, or missing.
select f.songplay_id, f.track_id
from songplays as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and not exists (select 1 from tracks as d where d.track_id = f.track_id);

-- every_play_has_its_user: one row per play whose user_id is not in users, or missing.
select f.songplay_id, f.user_id
from songplays as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and not exists (select 1 from users as d where d.user_id = f.user_id);

-- every_play_says_what_its_track_says: one row per play whose song or artist is not the one of its track.
with said as (  -- once per track, not once per play: text takes time to compare
    select distinct track_id, coalesce(song_id, '') as song_id, coalesce(artist_id, '') as artist_id
    from songplays
    where start_time between (select first_time from checked_period) and (select last_time from checked_period)
),
contradictions as (
    select
        said.track_id, said.song_id, said.artist_id, t.song_id as song_id_of_track, t.artist_id as artist_id_of_track
    from said
    join tracks as t on t.track_id = said.track_id
    where said.song_id <> coalesce(t.song_id, '') or said.artist_id <> coalesce(t.artist_id, '')
)
select p.songplay_id, p.song_id, c.song_id_of_track, p.artist_id, c.artist_id_of_track
from songplays as p
join contradictions as c
    on c.track_id = p.track_id and c.song_id = coalesce(p.song_id, '') and c.artist_id = coalesce(p.artist_id, '')
where p.start_time between (select first_time from checked_period) and (select last_time from checked_period);

-- every_song_has_its_artist: one row per song whose artist_id is not in artists.
select f.song_id, f.artist_id
from songs as f
where f.artist_id is not null and not exists (select 1 from artists as d where d.artist_id = f.artist_id);

-- every_track_has_its_artist: one row per track whose artist_id is not in artists.
select f.track_id, f.artist_id
from tracks as f
where f.artist_id is not null and not exists (select 1 from artists as d where d.artist_id = f.artist_id);

-- every_track_has_its_song: one row per track whose song_id is not in songs.
select f.track_id, f.song_id
from tracks as f
where f.song_id is not null and not exists (select 1 from songs as d where d.song_id = f.song_id);

-- files_are_in_the_ledger_once: one row per file that the ledger does not name or names more than once.
select source, path, count(*) as times
from etl_files
group by source, path
having count(*) > 1 or path is null;

-- files_balance: one row per file of which not every record read is accounted for.
select source, path, read, songplays, page_views, songs, duplicates, rejected
from etl_files
where read <> songplays + page_views + songs + duplicates + rejected;

-- levels_are_known: one row per event or user whose level is neither free nor paid.
select 'songplays' as found_in, songplay_id as found_at, level
from songplays
where
    start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and level not in ('free', 'paid')
union all
select 'page_views', page_view_id, level
from page_views
where
    start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and level not in ('free', 'paid')
union all
select 'users', user_id, level
from users
where level not in ('free', 'paid');

-- page_view_ids_are_unique: one row per page view whose key is missing or given more than once.
select page_view_id, count(*) as times
from page_views
where start_time between (select first_time from checked_period) and (select last_time from checked_period)
group by page_view_id
having count(*) > 1 or page_view_id is null;

-- runs_balance: one row per run of which not every record read is accounted for.
select
    run_id, events_read, songplays, page_views, events_duplicate, events_rejected,
    songs_read, songs, songs_duplicate, songs_rejected
from etl_runs
where
    events_read <> songplays + page_views + events_duplicate + events_rejected
    or songs_read <> songs + songs_duplicate + songs_rejected;

-- song_ids_are_unique: one row per song whose key is missing or given more than once.
select song_id, count(*) as times
from songs
group by song_id
having count(*) > 1 or song_id is null;

-- songplay_ids_are_unique: one row per play whose key is missing or given more than once.
select songplay_id, count(*) as times
from songplays
where start_time between (select first_time from checked_period) and (select last_time from checked_period)
group by songplay_id
having count(*) > 1 or songplay_id is null;

-- start_times_are_unique: one row per moment whose key is missing or given more than once.
select start_time, count(*) as times
from time
where start_time is null or start_time between (select first_time from checked_period) and (select last_time from checked_period)
group by start_time
having count(*) > 1 or start_time is null;

-- track_ids_are_unique: one row per track whose key is missing or given more than once.
select track_id, count(*) as times
from tracks
group by track_id
having count(*) > 1 or track_id is null;

-- user_ids_are_unique: one row per user whose key is missing or given more than once.
select user_id, count(*) as times
from users
group by user_id
having count(*) > 1 or user_id is null;

commit;

analyze artists;

analyze catalogue;

analyze page_views;

analyze songplays;

analyze songs;

analyze time;

analyze tracks;

analyze users;
