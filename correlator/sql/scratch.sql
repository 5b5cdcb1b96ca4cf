-- Working tables of one run of the linker: truncated before each run, dropped with it. "Before" tables hold before-images
-- of what is stored; a rebuild leaves them empty, which is all that tells it from the live path. P is the number of the process in
-- the run's list, counted from 0; keys, objects and roots differ between processes anyway.

-- new_events --
-- Inbox rows not processed yet.
EventId UInt128, ContentHash UInt64, IngestedAt DateTime64(6, 'UTC')

-- seen --
-- Those of them whose facts are visible already.
EventId UInt128, ContentHash UInt64

-- affected --
-- Events and evidence to link: Round 0 is new or newly linked to a span, Round n is below Round n - 1.
EventId UInt128, Round UInt16

-- repeated --
-- Identities with several rows.
EventId UInt128

-- facts --
-- The winning row of each affected event: what linking needs of it, and the Fact that it carries along to the journeys.
EventId UInt128, ContentHash UInt64, Parents Array(Tuple(Trace UInt64, Span UInt128)), Keys Array(Tuple(Namespace String, Value String)), ContextKeys Array(Tuple(Namespace String, Value String)), Subject LowCardinality(String), Links Array(String), Cuts Array(String), Fact Tuple(Time DateTime64(9, 'UTC'), Event LowCardinality(String), Failed UInt8, System LowCardinality(String), Platform LowCardinality(String), Connection LowCardinality(String), Amount Nullable(Decimal(38, 6)), Currency LowCardinality(String), Customer String, Entity LowCardinality(String), Region LowCardinality(String), ServiceLine LowCardinality(String), TimePrecision LowCardinality(String), ExceptionClass LowCardinality(String), ExceptionCode String, ExceptionMessage String), Attributes Map(LowCardinality(String), String)

-- climbs --
-- Spans looked at on the way up from an event, Hop steps above it (live: reached in round Hop - 1).
EventId UInt128, Trace UInt64, Span UInt128, Hop UInt16

-- spans --
-- The stored spans among them.
Trace UInt64, Span UInt128, IsEvent UInt8, Parents Array(Tuple(Trace UInt64, Span UInt128)), Seen UInt64

-- passable --
-- Look-up: the parents of the stored spans that are no events.
Span UInt128, Parents Array(Tuple(UInt64, UInt128))

-- lineage --
-- Nearest event spans above each affected event.
EventId UInt128, Ancestors Array(UInt128), Watched Array(Tuple(Trace UInt64, Span UInt128, Seen UInt64))

-- lineage_before --
= lineage

-- other_facts --
-- The same of events that are not affected themselves: an alias they name is, or the roots of an object.
= facts

-- named --
-- Keys as the events spell them.
P UInt8, Key UInt64, Level UInt8, Rank UInt8, Namespace LowCardinality(String), Value String

-- keyed --
-- Affected events below others, before inheritance; Pairs are well-formed business.link (Cut 0) and business.link.cut (Cut 1).
P UInt8, EventId UInt128, ContentHash UInt64, SubjectLevel UInt8, SubjectRank UInt8, Own Array(Tuple(Level UInt8, Rank UInt8, Key UInt64)), Keys Array(Tuple(Level UInt8, Rank UInt8, Key UInt64)), Claims Array(Tuple(Key UInt64, Other UInt64, Rank UInt8, OtherRank UInt8)), Pairs Array(Tuple(Parent UInt64, ParentLevel UInt8, Child UInt64, ChildLevel UInt8, Cut UInt8)), Fact Tuple(Time DateTime64(9, 'UTC'), Event LowCardinality(String), Failed UInt8, System LowCardinality(String), Platform LowCardinality(String), Connection LowCardinality(String), Amount Nullable(Decimal(38, 6)), Currency LowCardinality(String), Customer String, Entity LowCardinality(String), Region LowCardinality(String), ServiceLine LowCardinality(String), TimePrecision LowCardinality(String), ExceptionClass LowCardinality(String), ExceptionCode String, ExceptionMessage String), Attributes Map(LowCardinality(String), String)

-- effective --
-- The same with effective keys.
= keyed

-- inherited --
-- Effective keys of the affected events that have ancestors, per round of the fixpoint.
P UInt8, EventId UInt128, Keys Array(Tuple(Level UInt8, Rank UInt8, Key UInt64)), Round UInt16

-- before --
-- What is stored of the events at hand, and of the ancestors of affected ones.
P UInt8, EventId UInt128, ContentHash UInt64, Keys Array(Tuple(Level UInt8, Rank UInt8, Key UInt64)), Paired Array(UInt64), Claims Array(Tuple(Key UInt64, Other UInt64, Rank UInt8, OtherRank UInt8)), Objects Array(Tuple(Level UInt8, Rank UInt8, Object UInt64)), Extra Array(Tuple(Level UInt8, Object UInt64, Named UInt8)), Subjects Array(UInt64), Edges Array(Tuple(Parent UInt64, Child UInt64, ParentLevel UInt8, ChildLevel UInt8, Rule UInt8)), AmbiguousLinks UInt32, Roots Array(UInt64), Here UInt8

-- relinked --
-- Events whose objects and edges are derived anew.
P UInt8, EventId UInt128

-- claimed --
-- Keys whose alias class may change: Round 0 by a changed claim, Round n as neighbours of Round n - 1.
Key UInt64, Round UInt16

-- pairs --
-- Claims in force among them, each once.
Key UInt64, Other UInt64, Rank UInt8, OtherRank UInt8

-- ambiguous --
Key UInt64

-- labels --
-- Components of the unambiguous claims: the smallest key reached so far.
Key UInt64, Label UInt64, Round UInt16

-- keys_before --
P UInt8, Key UInt64, Level UInt8, Rank UInt8, Namespace LowCardinality(String), Value String, Object UInt64, Alias UInt8

-- aliases --
-- The object and alias state of each claimed key.
Key UInt64, Object UInt64, Alias UInt8

-- renamed --
-- Keys that name another object than stored, with the stored one.
Key UInt64, Before UInt64

-- same_object --
-- Look-up: keys that name another key's object.
Key UInt64, Object UInt64

-- linked --
-- What linking makes of each relinked event.
P UInt8, EventId UInt128, ContentHash UInt64, Keys Array(Tuple(Level UInt8, Rank UInt8, Key UInt64)), Paired Array(UInt64), Claims Array(Tuple(Key UInt64, Other UInt64, Rank UInt8, OtherRank UInt8)), Objects Array(Tuple(Level UInt8, Rank UInt8, Object UInt64)), Extra Array(Tuple(Level UInt8, Object UInt64, Named UInt8)), Subjects Array(UInt64), Edges Array(Tuple(Parent UInt64, Child UInt64, ParentLevel UInt8, ChildLevel UInt8, Rule UInt8)), AmbiguousLinks UInt32, Fact Tuple(Time DateTime64(9, 'UTC'), Event LowCardinality(String), Failed UInt8, System LowCardinality(String), Platform LowCardinality(String), Connection LowCardinality(String), Amount Nullable(Decimal(38, 6)), Currency LowCardinality(String), Customer String, Entity LowCardinality(String), Region LowCardinality(String), ServiceLine LowCardinality(String), TimePrecision LowCardinality(String), ExceptionClass LowCardinality(String), ExceptionCode String, ExceptionMessage String), Attributes Map(LowCardinality(String), String)

-- edges_now --
-- Edges of the relinked events.
P UInt8, Child UInt64, Parent UInt64, EventId UInt128, Rule UInt8, Time DateTime64(9, 'UTC'), ParentLevel UInt8, ChildLevel UInt8

-- dirty --
-- Objects whose roots are to be derived anew: Round 0 by what changed, Round n below objects that moved.
P UInt8, Object UInt64, Level UInt8, Round UInt16

-- changed --
-- Edges that appear or disappear, or whose time counts.
P UInt8, Parent UInt64, Child UInt64, ParentLevel UInt8, ChildLevel UInt8

-- lost --
-- Keys and objects that some event no longer names.
Key UInt64, IsObject UInt8

-- gone_keys --
Key UInt64

-- gone --
-- Objects that no event names any longer.
Object UInt64

-- upward --
-- Parents in force of the dirty objects of each round.
Child UInt64, Parent UInt64, ParentLevel UInt8, ChildLevel UInt8, Round UInt16

-- lines --
-- Objects whose depth is to be derived anew: Round 0 by links that changed, Round n below Round n - 1.
P UInt8, Object UInt64, Level UInt8, Round UInt16

-- peeled --
-- Those whose line of parents of their own level ends, and how long it is.
Object UInt64, Depth UInt8

-- depths --
-- Look-up: depths that are not 0.
Object UInt64, Depth UInt8

-- children --
Object UInt64, Children UInt32, Here UInt8

-- objects_before --
Object UInt64, Level UInt8, Depth UInt8, Roots Array(UInt64), State UInt8, Children UInt32

-- rooted --
-- Dirty objects with their new roots. Moved: they differ from the stored ones; what was not stored has no stored children.
P UInt8, Object UInt64, Level UInt8, Depth UInt8, Roots Array(UInt64), State UInt8, Children UInt32, Deleted UInt8, Moved UInt8, Stored UInt8

-- relocated --
-- Events that stay as they are, but name an object whose roots changed.
P UInt8, EventId UInt128

-- known --
-- Look-up: objects as they are now.
Object UInt64, Level UInt8, Roots Array(UInt64)

-- placed --
-- Events whose membership is derived anew, with their roots; Relinked 0: only an object's roots changed.
P UInt8, EventId UInt128, ContentHash UInt64, Keys Array(Tuple(Level UInt8, Rank UInt8, Key UInt64)), Paired Array(UInt64), Claims Array(Tuple(Key UInt64, Other UInt64, Rank UInt8, OtherRank UInt8)), Objects Array(Tuple(Level UInt8, Rank UInt8, Object UInt64)), Extra Array(Tuple(Level UInt8, Object UInt64, Named UInt8)), Subjects Array(UInt64), Edges Array(Tuple(Parent UInt64, Child UInt64, ParentLevel UInt8, ChildLevel UInt8, Rule UInt8)), AmbiguousLinks UInt32, Fact Tuple(Time DateTime64(9, 'UTC'), Event LowCardinality(String), Failed UInt8, System LowCardinality(String), Platform LowCardinality(String), Connection LowCardinality(String), Amount Nullable(Decimal(38, 6)), Currency LowCardinality(String), Customer String, Entity LowCardinality(String), Region LowCardinality(String), ServiceLine LowCardinality(String), TimePrecision LowCardinality(String), ExceptionClass LowCardinality(String), ExceptionCode String, ExceptionMessage String), Attributes Map(LowCardinality(String), String), Before Array(UInt64), Relinked UInt8, RootsOf Array(Array(UInt64)), Roots Array(UInt64)

-- to_fold --
-- Journeys to fold, of all processes.
Root UInt64

-- folding --
-- Their current events.
Process LowCardinality(String), Root UInt64, RootLevel UInt8, EventId UInt128, Time DateTime64(9, 'UTC'), Event LowCardinality(String), Failed UInt8, System LowCardinality(String), Platform LowCardinality(String), Connection LowCardinality(String), Subjects Array(UInt64), Objects Array(Tuple(Namespace LowCardinality(String), Object UInt64)), Amount Nullable(Decimal(38, 6)), Currency LowCardinality(String), Customer String, Entity LowCardinality(String), Region LowCardinality(String), ServiceLine LowCardinality(String), TimePrecision LowCardinality(String), ExceptionClass LowCardinality(String), ExceptionCode String, ExceptionMessage String, Attributes Map(LowCardinality(String), String)

-- due --
-- When the milestones of the journeys at hand are due, of clocks that do not simply count plain time; Due 0: never, Why says so.
Root UInt64, Place UInt16, Due Int64, Why UInt8

-- period --
-- The billing period of the journeys at hand, of a process with a cycle.
Root UInt64, CutOff Int64, First Date32, Last Date32

-- due_beside --
-- For a second process that is folded at the same time.
= due

-- period_beside --
= period

-- differing --
-- Journeys that differ between the two sides of a comparison: an empty status where there is none; milestones in another state.
Root UInt64, Opened DateTime64(6, 'UTC'), Before String, After String, Moved Array(Tuple(Name String, Before String, After String))

-- straddling --
-- Identities with a version dated after a time, that have one dated before it too or were known by then (Counts).
EventId UInt128, Counts UInt8

-- pictured --
-- Journeys as they looked at a time, by what was known then (Known 0) and later (Known 1).
Known UInt8, Root UInt64, OpenedAt DateTime64(6, 'UTC'), Status String, Names Array(String), States Array(String), MetAt Array(Nullable(DateTime64(6, 'UTC'))), LastAt Array(Nullable(DateTime64(6, 'UTC'))), DueAt Array(Nullable(DateTime64(6, 'UTC'))), Amount Nullable(Decimal(38, 6)), Currency String, AmountObjects Array(Tuple(Object UInt64, Amount Decimal(38, 6), Currency String)), Customer String, Entity String, Region String, CycleObject String, PeriodFirst Nullable(Date32), PeriodLast Nullable(Date32), CutOffAt Nullable(DateTime64(6, 'UTC'))

-- restated --
-- Journeys of which the two pictures differ.
Root UInt64
