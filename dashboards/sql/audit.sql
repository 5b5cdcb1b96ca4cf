-- What people and the platform did, read from what each kept of it. Every row is there once, whoever copied it how often.

-- acts --
-- Acts, newest first, after the cursor's position. Empty text means "any".
SELECT at, actor, about, what, id, process, reason, detail, row
FROM
(
    -- Of one moment the later step has the greater row: sixteen bits of the number, then forty-eight of a hash.
    SELECT *, leftPad(lower(hex(bitOr(bitShiftLeft(bitAnd(number, 65535), 48),
        bitShiftRight(sipHash64(about, id, number, what, at), 16)))), 16, '0') AS row
    FROM
    (
        SELECT toDateTime64(e.At, 6, 'UTC') AS at, toString(Actor) AS actor, 'exception' AS about, toString(Kind) AS what,
            leftPad(lower(hex(ExceptionId)), 16, '0') AS id, toString(Process) AS process, Note AS reason,
            multiIf(Kind = 'owner_changed', concat('to ', arrayStringConcat(arrayFilter(x -> x != '', [toString(Owner), Assignee]), ', ')),
                Kind = 'snoozed', concat('until ', formatDateTime(ifNull(Until, toDateTime64(0, 6, 'UTC')), '%Y-%m-%d %H:%i')),
                Kind = 'closed', toString(Reason), '') AS detail,
            toUInt64(Version) AS number
        FROM
        (
            SELECT * FROM exception_transitions
            WHERE Tenant = {tenant:String} AND Origin = 'person'
            LIMIT 1 BY ExceptionId, Act
        ) AS e
        UNION ALL
        SELECT At, toString(Actor), 'replay',
            multiIf(Before = '' AND State = 'refused', 'refused', Before = '', 'asked',
                Before = 'awaiting_approval' AND State = 'running', 'approved',
                Before = 'awaiting_approval' AND State = Before, 'approval refused',
                Before = 'paused' AND State = 'running', 'resumed',
                Before = 'running' AND State = 'running', 'batch begun', toString(State)),
            Replay, toString(Process), Reason, arrayStringConcat(arrayFilter(x -> x != '', [toString(Kind), toString(Target)]), ' at '),
            toUInt64(Number)
        FROM replay_transitions FINAL
        WHERE Tenant = {tenant:String} AND Item = ''
        UNION ALL
        SELECT At, toString(Actor), 'replay item', toString(State), Item, toString(Process), Reason,
            concat('exception ', leftPad(lower(hex(ExceptionId)), 16, '0'), if(Outcome = '', '', concat(', ', toString(Outcome)))),
            toUInt64(Number)
        FROM replay_transitions FINAL
        WHERE Tenant = {tenant:String} AND Item != ''
        UNION ALL
        SELECT toDateTime64(h.At, 6, 'UTC'), toString(Actor), 'link',
            transform(toString(Action), ['link.added', 'link.removed', 'link.undone'], ['linked', 'unlinked', 'undone'], toString(Action)),
            concat(Parent, '>', Child), '', Reason, '', toUInt64(toUnixTimestamp64Micro(at))
        FROM (SELECT *, toDateTime64(At, 6, 'UTC') AS at FROM hand_links FINAL WHERE Tenant = {tenant:String}) AS h
        UNION ALL
        SELECT At, toString(Actor), 'dead letter', concat('read again: ', toString(Outcome)), leftPad(lower(hex(Id)), 32, '0'), '', Detail,
            if(Events = 0, '', concat(toString(Events), ' events')), toUInt64(toUnixTimestamp64Micro(At))
        FROM dead_letter_retries
        WHERE Tenant = {tenant:String}
        UNION ALL
        SELECT ClosedAt, ClosedBy, 'closing', 'closed', Id, toString(Process), Reason, concat(toString(Entity), ', ', toString(Period)),
            toUInt64(Number)
        FROM closings
        WHERE Tenant = {tenant:String}
        UNION ALL
        SELECT At, toString(Actor), 'ticket', toString(What), concat(toString(Place), '/', leftPad(lower(hex(Fingerprint)), 16, '0')),
            '', Text, Ticket, toUInt64(Number)
        FROM ticket_transitions FINAL
        WHERE Tenant = {tenant:String}
    )
)
WHERE ({actor:String} = '' OR actor = {actor:String})
    AND ({people:UInt8} = 0 OR actor NOT IN ('worker', 'throughline', ''))
    AND ({about:String} = '' OR about = {about:String})
    AND ({what:String} = '' OR what = {what:String})
    AND ({id:String} = '' OR id = {id:String} OR startsWith(id, concat({id:String}, '.')))
    AND ({process:String} = '' OR process = {process:String})
    AND at >= {since:DateTime64(6, 'UTC')} AND at < {until:DateTime64(6, 'UTC')}
    AND (at, row) < ({before_at:DateTime64(6, 'UTC')}, {before_row:String})
ORDER BY at DESC, row DESC
LIMIT {limit:UInt32}
